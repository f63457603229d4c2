package ldif_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/extractor/ldif"
	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// dump runs ldapsearch for all entries with all attributes, and returns the file with what it wrote.
func dump(t *testing.T, s *testenv.SlapdServer, args ...string) string {
	t.Helper()
	args = append([]string{"-x", "-H", s.LDAPIURI, "-D", s.BindDN, "-w", s.Password, "-b", s.BaseDN}, args...)
	out, err := exec.Command("ldapsearch", append(args, "(objectClass=*)", "*", "+")...).Output()
	if err != nil {
		t.Fatalf("ldapsearch: %v", err)
	}
	return file(t, string(out))
}

func file(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dump.ldif")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAFileAnswersAsItsServer asks slapd and the files that ldapsearch makes of it the same questions.
func TestAFileAnswersAsItsServer(t *testing.T) {
	slapd := testenv.Slapd(t)
	slapd.Add(people(slapd.BaseDN))
	files := map[string]string{
		"entries alone": dump(t, slapd, "-LLL"), "with version": dump(t, slapd, "-LL"), "with comments": dump(t, slapd, "-L"), "with the result": dump(t, slapd),
		"in pages": dump(t, slapd, "-E", "pr=3/noprompt"), "in pages, entries alone": dump(t, slapd, "-LLL", "-E", "pr=3/noprompt"),
		"without folding": dump(t, slapd, "-o", "ldif-wrap=no"),
	}
	for _, q := range questions(slapd.BaseDN) {
		server := ldap.DefaultConfig()
		server.URIs, server.BindDN = []string{slapd.URI}, slapd.BindDN
		server.Password = func() (string, error) { return slapd.Password, nil }
		server.Bases, server.Scope, server.UserFilter, server.GroupFilter = q.Bases, q.Scope, q.UserFilter, q.GroupFilter
		server.UserAttributes, server.GroupAttributes, server.MemberAttributes, server.IDAttribute = q.UserAttributes, q.GroupAttributes, q.MemberAttributes, q.IDAttribute
		d, err := ldap.New(server)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := d.Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for name, path := range files {
			q.URI = "ldif://" + path
			compare(t, name+": "+q.UserFilter+" "+q.GroupFilter, open(t, q), theirs)
		}
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func questions(base string) []ldif.Config {
	plain := ldif.DefaultConfig()
	plain.Bases, plain.UserFilter, plain.GroupFilter = []string{base}, "(objectClass=person)", "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
	plain.UserAttributes, plain.GroupAttributes = []string{"uid", "GIVENNAME", "surname", "mail", "cn;lang-fr", "jpegPhoto", "description", "noSuch"}, []string{"cn", "description"}
	all := []ldif.Config{plain}
	change := func(f func(*ldif.Config)) {
		c := plain
		f(&c)
		all = append(all, c)
	}
	change(func(c *ldif.Config) {
		c.Scope, c.Bases = ldif.ScopeOne, []string{"OU=People, " + base, "ou=groups," + base}
	})
	change(func(c *ldif.Config) { c.Scope, c.Bases = ldif.ScopeBase, []string{"uid=ada,ou=people," + base} })
	change(func(c *ldif.Config) { c.IDAttribute = "employeeNumber" })
	change(func(c *ldif.Config) { c.MemberAttributes = []string{"memberOf"} })
	change(func(c *ldif.Config) {
		c.UserAttributes = append(slices.Clone(c.UserAttributes), "objectClass", "member")
	})
	for _, filter := range []string{
		"objectClass=inetOrgPerson", "(&(objectClass=top)\n (mail=*))", "(uid=A*)", "(!(mail=*))", "(|(uid=ada)(sn=müller))", "(description=*fold*)", "(gidNumber>=5)",
		"(memberOf=cn=staff,ou=groups," + base + ")", "(ou:dn:=people)", "(&(objectClass=person)(!(memberOf=cn=staff,ou=groups," + base + ")))", "(uid=nobody)",
	} {
		change(func(c *ldif.Config) { c.UserFilter = filter })
	}
	return all
}

// people has what LDIF has to write in its several ways.
func people(base string) string {
	var b strings.Builder
	person := func(uid, sn, more string) {
		fmt.Fprintf(&b, "dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\n%s\n", uid, base, uid, uid, sn, more)
	}
	person("ada", "Lovelace", "mail: ada@example.org\nmail: countess@example.org\nemployeeNumber: 7\ncn;lang-fr: Comtesse\njpegPhoto:: /9gAAQ==\n")
	person("bob", "Müller", "employeeNumber: 12\ndescription:: IGxlYWRpbmc=\n")
	person("eva", "Fold", "description: "+strings.Repeat("a text that is folded ", 20)+"\n")
	fmt.Fprintf(&b, "dn: cn=Smith\\, John+uid=js,ou=people,%s\nobjectClass: inetOrgPerson\nuid: js\ncn: Smith, John\nsn: Smith\n\n", base)
	fmt.Fprintf(&b, "dn: cn=staff,ou=groups,%s\nobjectClass: groupOfNames\ncn: staff\nmember: uid=ada,ou=people,%s\nmember: UID=bob,OU=people,%s\n\n", base, base, base)
	fmt.Fprintf(&b, "dn: cn=unique,ou=groups,%s\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: uid=eva,ou=people,%s\nuniqueMember: uid=left,ou=people,%s#'0101'B\n\n", base, base, base)
	fmt.Fprintf(&b, "dn: cn=posix,ou=groups,%s\nobjectClass: posixGroup\ncn: posix\ngidNumber: 5\nmemberUid: ada\nmemberUid: js\n\n", base)
	return b.String()
}

func open(t testing.TB, cfg ldif.Config) extractor.Session {
	t.Helper()
	s, err := tryOpen(t, cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(t testing.TB, cfg ldif.Config, pinned string) (extractor.Session, error) {
	t.Helper()
	d, err := ldif.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(t.Context(), pinned)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func collect(t testing.TB, list func(func([]extractor.Record, error) bool)) []extractor.Record {
	t.Helper()
	var all []extractor.Record
	for records, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, records...)
	}
	return all
}

// compare holds the listings, second looks and memberships of two sessions equal.
func compare(t *testing.T, what string, ours, theirs extractor.Session) {
	t.Helper()
	got, want := collect(t, ours.Users(t.Context())), collect(t, theirs.Users(t.Context()))
	same(t, what+": users", got, want)
	same(t, what+": groups", collect(t, ours.Groups(t.Context())), collect(t, theirs.Groups(t.Context())))
	ids := []string{"00000000-0000-0000-0000-000000000000"}
	for _, u := range want {
		if u.ID != "" {
			ids = append(ids, u.ID)
		}
		mine, err := ours.GroupsOf(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		yours, err := theirs.GroupsOf(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		same(t, what+": groups of "+u.DN, mine, yours)
	}
	mine, err := ours.Lookup(t.Context(), "user", ids)
	if err != nil {
		t.Fatal(err)
	}
	yours, err := theirs.Lookup(t.Context(), "user", ids)
	if err != nil {
		t.Fatal(err)
	}
	same(t, what+": second look", mine, yours)
}

func same(t *testing.T, what string, got, want []extractor.Record) {
	t.Helper()
	byDN := func(a, b extractor.Record) int { return strings.Compare(a.DN, b.DN) }
	got, want = slices.SortedFunc(slices.Values(got), byDN), slices.SortedFunc(slices.Values(want), byDN)
	if len(got) != len(want) {
		t.Fatalf("%s: %d entries, the server has %d\n%v\n%v", what, len(got), len(want), got, want)
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s:\n got %+v\nwant %+v", what, got[i], want[i])
		}
	}
}
