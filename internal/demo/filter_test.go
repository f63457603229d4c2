package demo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/demo"
	"ldapsync/internal/testenv"
)

// TestFiltersMeanWhatOpenLDAPSays asks a directory and slapd, filled alike, the same questions.
func TestFiltersMeanWhatOpenLDAPSays(t *testing.T) {
	slapd := testenv.Slapd(t)
	d := empty(t, slapd.BaseDN)
	for _, ou := range []string{"people", "groups"} {
		must(t, d.Add("ou="+ou+","+slapd.BaseDN, demo.Attributes{"objectClass": {"organizationalUnit"}}))
	}
	entries := fill(t, d, slapd.BaseDN)
	slapd.Add(entries)
	must(t, d.Add(slapd.BindDN, demo.Attributes{"objectClass": {"organizationalRole", "simpleSecurityObject"}}))

	theirs := dial(t, slapd.URI)
	must(t, theirs.Bind(slapd.BindDN, slapd.Password))
	ours := bind(t, serve(t, d))
	for _, filter := range filters(slapd.BaseDN) {
		for _, scope := range []int{ldap.ScopeBaseObject, ldap.ScopeSingleLevel, ldap.ScopeWholeSubtree, ldap.ScopeChildren} {
			for _, base := range []string{slapd.BaseDN, "OU=People, " + strings.ToUpper(slapd.BaseDN)} {
				want, err := theirs.Search(request(base, scope, filter, "1.1"))
				must(t, err)
				got, err := ours.Search(request(base, scope, filter, "1.1"))
				must(t, err)
				if !slices.Equal(dns(got), dns(want)) {
					t.Errorf("%s, %s below %s:\n got %q\nwant %q", filter, ldap.ScopeMap[scope], base, dns(got), dns(want))
				}
			}
		}
	}
}

// fill adds the same people and groups to the directory and to the LDIF that it returns.
func fill(t *testing.T, d *demo.Directory, base string) string {
	t.Helper()
	var ldif strings.Builder
	add := func(dn string, attributes demo.Attributes) {
		must(t, d.Add(dn, attributes))
		fmt.Fprintf(&ldif, "dn: %s\n", dn)
		for name, values := range attributes {
			for _, v := range values {
				fmt.Fprintf(&ldif, "%s: %s\n", name, v)
			}
		}
		ldif.WriteString("\n")
	}
	person := func(uid, given, sn string, more demo.Attributes) {
		a := demo.Attributes{"objectClass": {"top", "person", "organizationalPerson", "inetOrgPerson"}, "uid": {uid}, "cn": {given + " " + sn}, "sn": {sn}}
		if given != "" {
			a["givenName"] = []string{given}
		}
		for name, values := range more {
			a[name] = values
		}
		add("uid="+uid+",ou=people,"+base, a)
	}
	person("ada", "Ada", "Lovelace", demo.Attributes{"mail": {"ada@example.org", "Countess@Example.org"}, "title": {"Analyst"}, "employeeNumber": {"7"}})
	person("grace", "Grace", "Hopper", demo.Attributes{"mail": {"grace@example.org"}, "employeeNumber": {"12"}, "description": {"one  two   three"}})
	person("jurg", "Jürg", "Müller", demo.Attributes{"title": {"MÜLLER (senior)"}, "description": {"a*b\\c"}})
	person("Mixed.Case", "Éva", "Ó Mórdha", demo.Attributes{"mail": {"eva@example.org"}, "manager": {"uid=ada,ou=people," + base}})
	person("noname", "", "Nobody", nil)
	add("cn=readers,ou=groups,"+base, demo.Attributes{"objectClass": {"groupOfNames"}, "cn": {"readers"}, "member": {"uid=ada,ou=people," + base, "uid=grace,ou=people," + base}})
	add("cn=writers,ou=groups,"+base, demo.Attributes{"objectClass": {"groupOfNames"}, "cn": {"writers"}, "member": {"uid=Mixed.Case,ou=people," + base}})
	add("cn=unix,ou=groups,"+base, demo.Attributes{"objectClass": {"posixGroup"}, "cn": {"unix"}, "gidNumber": {"1005"}, "memberUid": {"ada", "jurg"}})
	add("cn=more,ou=groups,"+base, demo.Attributes{"objectClass": {"posixGroup"}, "cn": {"more"}, "gidNumber": {"999"}})
	return ldif.String()
}

func filters(base string) []string {
	return []string{
		"(objectClass=*)", "(objectClass=person)", "(OBJECTCLASS=INETORGPERSON)", "(uid=ada)", "(uid=ADA)", "(uid=mixed.case)", "(uid=nobody)",
		"(!(uid=ada))", "(!(mail=ada@example.org))", "(mail=countess@example.org)", "(mail=*)", "(!(mail=*))", "(givenName=*)",
		"(&(objectClass=person)(mail=*))", "(|(uid=ada)(uid=grace)(uid=none))", "(&(objectClass=person)(!(|(uid=ada)(title=*))))", "(&)", "(|)",
		"(cn=Jürg Müller)", "(cn=jÜRG mÜLLER)", "(cn=Jürg  Müller)", "(cn= Jürg Müller )", "(sn=ó mórdha)", "(description=one two three)", "(description=one  two three)",
		"(uid=a*)", "(uid=*a)", "(uid=*.*)", "(uid=*case*)", "(cn=a*a*e)", "(cn=*ü*ü*)", "(cn=Ada Lovelace*)", "(cn=Ada*Ada*)", "(cn=*lace)", "(cn=*lacex)", "(mail=*@example.org)", "(mail=C*@*)",
		"(title=müller \\28senior\\29)", "(description=a\\2ab\\5cc)", "(description=*\\2a*)", "(cn~=ada lovelace)",
		"(member=uid=ada,ou=people," + base + ")", "(member=UID = Ada, OU=People ," + base + ")", "(member=uid=none,ou=people," + base + ")", "(manager=uid=ADA,ou=people," + base + ")",
		"(memberOf=cn=readers,ou=groups," + base + ")", "(&(objectClass=inetOrgPerson)(!(memberOf=cn=Readers,ou=groups," + base + ")))", "(memberUid=ada)",
		"(gidNumber>=1000)", "(gidNumber<=1000)", "(gidNumber>=999)", "(gidNumber<=999)", "(!(gidNumber>=1000))",
		"(cn:=readers)", "(cn:caseIgnoreMatch:=READERS)", "(cn:caseExactMatch:=READERS)", "(cn:caseExactMatch:=readers)", "(cn:2.5.13.5:=readers)",
		"(ou:dn:=people)", "(&(ou:dn:=people)(objectClass=person))", "(ou:dn:=PEOPLE)",
	}
}

// TestBitsOfAValue covers what slapd hasn't: Active Directory's matching rules.
func TestBitsOfAValue(t *testing.T) {
	d := empty(t, "o=bits")
	for name, value := range map[string]string{"normal": "512", "disabled": "514", "many": "66050", "text": "off", "negative": "-2147483646"} {
		must(t, d.Add("cn="+name+",o=bits", demo.Attributes{"objectClass": {"account"}, "userAccountControl": {value}}))
	}
	must(t, d.Add("cn=none,o=bits", demo.Attributes{"objectClass": {"account"}}))
	uri := serve(t, d)
	for filter, want := range map[string]string{
		"(userAccountControl:1.2.840.113556.1.4.803:=2)":                            "disabled many negative",
		"(userAccountControl:1.2.840.113556.1.4.803:=514)":                          "disabled many",
		"(userAccountControl:1.2.840.113556.1.4.803:=0)":                            "disabled many negative normal",
		"(userAccountControl:1.2.840.113556.1.4.804:=514)":                          "disabled many negative normal",
		"(userAccountControl:1.2.840.113556.1.4.804:=1)":                            "",
		"(userAccountControl:1.2.840.113556.1.4.803:=soon)":                         "",
		"(&(objectClass=account)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))": "none normal text",
		"(userAccountControl:1.2.3.4:=2)":                                           "",
		"(!(userAccountControl:1.2.3.4:=2))":                                        "",
		"(|(cn=none)(userAccountControl:1.2.3.4:=2))":                               "none",
	} {
		r, err := bind(t, uri).Search(request("o=bits", ldap.ScopeWholeSubtree, filter))
		must(t, err)
		found, err := d.Find(filter)
		must(t, err)
		slices.Sort(found)
		var names []string
		for _, dn := range dns(r) {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(dn, "cn="), ",o=bits"))
		}
		if strings.Join(names, " ") != want || !slices.Equal(found, dns(r)) {
			t.Errorf("%s: got %q and %q, want %s", filter, names, found, want)
		}
	}
}

func TestMembershipsThroughNestedGroups(t *testing.T) {
	d := empty(t, "o=nested")
	must(t, d.Add("cn=ada,o=nested", demo.Attributes{"objectClass": {"person"}}))
	must(t, d.Add("cn=inner,o=nested", demo.Attributes{"objectClass": {"group"}, "member": {"cn=ada,o=nested", "cn=outer,o=nested"}})) // a ring
	must(t, d.Add("cn=outer,o=nested", demo.Attributes{"objectClass": {"group"}, "member": {"CN=Inner,o=nested"}}))
	for filter, want := range map[string]int{
		"(&(objectClass=person)(memberOf=cn=outer,o=nested))":                          0,
		"(&(objectClass=person)(memberOf:1.2.840.113556.1.4.1941:=cn=outer,o=nested))": 1,
		"(&(objectClass=person)(memberOf:1.2.840.113556.1.4.1941:=cn=inner,o=nested))": 1,
		"(&(objectClass=person)(memberOf:1.2.840.113556.1.4.1941:=cn=other,o=nested))": 0,
	} {
		found, err := d.Find(filter)
		must(t, err)
		if len(found) != want {
			t.Errorf("%s: %q", filter, found)
		}
	}
}

func TestAFilterThatIsNoneIsAnError(t *testing.T) {
	if found, err := empty(t, "o=x").Find("(uid=ada"); err == nil {
		t.Errorf("found %q", found)
	}
}
