package ldif_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"ldapsync/extractor/ldap"
	"ldapsync/extractor/ldif"
	"ldapsync/internal/testenv"
)

// TestAFileAnswersAsItsDomain asks a domain controller and what ldapsearch makes of it the same questions: GUIDs, primary groups by SIDs, bits,
// and objectCategory's short form.
func TestAFileAnswersAsItsDomain(t *testing.T) {
	samba := testenv.Samba(t)
	samba.Add("dn: OU=Staff," + samba.BaseDN + "\nobjectClass: organizationalUnit\n")
	for name, control := range map[string]string{"ada": "544", "bob": "546", "eve": "66080"} {
		samba.Add(fmt.Sprintf("dn: CN=%s,OU=Staff,%s\nobjectClass: user\nsAMAccountName: %s\nuserAccountControl: %s\nmail: %s@example.org\n", name, samba.BaseDN, name, control, name))
	}
	samba.Add(fmt.Sprintf("dn: CN=Team,OU=Staff,%s\nobjectClass: group\nsAMAccountName: Team\nmember: CN=ada,OU=Staff,%s\nmember: CN=Domain Users,CN=Users,%s\n",
		samba.BaseDN, samba.BaseDN, samba.BaseDN))
	search := exec.Command("ldapsearch", "-x", "-H", samba.LDAPSURI, "-D", samba.AdminDN, "-w", samba.AdminPassword, "-b", samba.BaseDN, "-L",
		"-E", "pr=100/noprompt", "(objectClass=*)", "*")
	search.Env = append(os.Environ(), "LDAPTLS_CACERT="+samba.CAFile, "LDAPTLS_REQCERT=demand")
	out, err := search.Output()
	if err != nil {
		t.Fatalf("ldapsearch: %v", err)
	}
	path := file(t, string(out))
	for _, filter := range []string{
		"(&(objectCategory=person)(objectClass=user))", "(objectClass=user)", "(objectCategory=computer)", "(sAMAccountName=ADA)",
		"(&(objectCategory=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", "(&(objectClass=user)(memberOf=CN=Team,OU=Staff," + samba.BaseDN + "))",
		"(&(objectClass=user)(primaryGroupID=513))",
	} {
		server := ldap.DefaultConfig()
		server.URIs, server.TLS, server.BindDN = []string{samba.LDAPSURI}, &tls.Config{RootCAs: samba.CA}, samba.AdminDN
		server.Password = func() (string, error) { return samba.AdminPassword, nil }
		server.Bases, server.UserFilter, server.GroupFilter = []string{samba.BaseDN}, filter, "(objectCategory=group)"
		server.UserAttributes, server.GroupAttributes = []string{"sAMAccountName", "mail", "userAccountControl", "objectSid"}, []string{"cn"}
		server.MemberAttributes = []string{"member", "memberOf"}
		d, err := ldap.New(server)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := d.Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		q := ldif.DefaultConfig()
		q.URI, q.Bases, q.UserFilter, q.GroupFilter = "ldif://"+path, server.Bases, server.UserFilter, server.GroupFilter
		q.UserAttributes, q.GroupAttributes, q.MemberAttributes = server.UserAttributes, server.GroupAttributes, server.MemberAttributes
		if n := len(collect(t, open(t, q).Users(t.Context()))); n == 0 {
			t.Errorf("%s: finds nobody", filter)
		}
		compare(t, filter, open(t, q), theirs)
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
