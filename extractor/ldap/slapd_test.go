package ldap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// company is a slapd with some people and groups.
type company struct {
	*testenv.SlapdServer
	t *testing.T
}

func newCompany(t *testing.T, directives ...string) *company {
	t.Helper()
	return &company{testenv.Slapd(t, directives...), t}
}

func (c *company) person(uid string) string { return "uid=" + uid + ",ou=people," + c.BaseDN }
func (c *company) group(cn string) string   { return "cn=" + cn + ",ou=groups," + c.BaseDN }

// hire adds people.
func (c *company) hire(uids ...string) {
	c.t.Helper()
	var ldif strings.Builder
	for _, uid := range uids {
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.org\n\n", c.person(uid), uid, uid, uid, uid)
	}
	c.Add(ldif.String())
}

// form adds a group.
func (c *company) form(cn string, uids ...string) {
	c.t.Helper()
	ldif := "dn: " + c.group(cn) + "\nobjectClass: groupOfNames\ncn: " + cn + "\n"
	for _, uid := range uids {
		ldif += "member: " + c.person(uid) + "\n"
	}
	c.Add(ldif)
}

// config reads the company as its sync account.
func (c *company) config() ldap.Config {
	cfg := ldap.DefaultConfig()
	cfg.URIs = []string{c.URI}
	cfg.BindDN = c.BindDN
	cfg.Password = func() (string, error) { return c.Password, nil }
	cfg.Bases = []string{c.BaseDN}
	cfg.UserFilter = "(objectClass=inetOrgPerson)"
	cfg.GroupFilter = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
	cfg.UserAttributes = []string{"uid", "givenName", "sn", "mail"}
	cfg.GroupAttributes = []string{"cn"}
	cfg.RetryFor = 5 * time.Second
	return cfg
}

func open(t testing.TB, cfg ldap.Config) extractor.Session {
	t.Helper()
	s, err := tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(t testing.TB, cfg ldap.Config) (extractor.Session, error) {
	t.Helper()
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(t.Context(), "")
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func users(t *testing.T, s extractor.Session) []extractor.Record {
	t.Helper()
	records, err := collect(s.Users(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func collect(list func(func([]extractor.Record, error) bool)) ([]extractor.Record, error) {
	var all []extractor.Record
	for records, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// value returns an attribute's first value.
func value(r extractor.Record, name string) string {
	for _, a := range r.Attributes {
		if a.Name == name {
			return a.Values[0]
		}
	}
	return ""
}

// wantFault checks class, permanence and words of an error, and that it is one line with a hint and without the password.
func wantFault(t *testing.T, err error, class fault.Class, permanent bool, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	got, hint := fault.Of(err)
	text := err.Error()
	if got != class || hint == "" || fault.IsPermanent(err) != permanent || strings.Contains(text, "\n") || strings.Contains(text+hint, "reading") {
		t.Errorf("class %v, permanent %v: %s\nhint: %s", got, fault.IsPermanent(err), text, hint)
	}
	for _, word := range words {
		if !strings.Contains(text+"\n"+hint, word) {
			t.Errorf("no %q in: %s\nhint: %s", word, text, hint)
		}
	}
}
