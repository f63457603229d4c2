package ldap_test

import (
	"strings"
	"testing"

	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
)

func TestConfigurationIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*ldap.Config)
		words  string
	}{
		"no server":        {func(c *ldap.Config) { c.URIs = nil }, "no directory server"},
		"http":             {func(c *ldap.Config) { c.URIs = []string{"http://dc1"} }, "uri http://dc1: neither ldap"},
		"no scheme":        {func(c *ldap.Config) { c.URIs = []string{"dc1:389"} }, "uri dc1:389"},
		"no host":          {func(c *ldap.Config) { c.URIs = []string{"ldap://"} }, "has no host"},
		"port":             {func(c *ldap.Config) { c.URIs = []string{"ldap://dc1:x"} }, "uri ldap://dc1:x"},
		"credentials":      {func(c *ldap.Config) { c.URIs = []string{"ldap://cn=sync:reading@dc1/"} }, "uri ldap://…@dc1/: holds credentials"},
		"no password":      {func(c *ldap.Config) { c.Password = nil }, "cn=sync has no password"},
		"two identities":   {func(c *ldap.Config) { c.SASLExternal = true }, "SASL EXTERNAL"},
		"no base":          {func(c *ldap.Config) { c.Bases = nil }, "no base"},
		"base":             {func(c *ldap.Config) { c.Bases = []string{"example.org"} }, "base example.org: not a DN"},
		"base below":       {func(c *ldap.Config) { c.Bases = []string{"OU=People, DC=Example", "dc=example"} }, "base OU=People, DC=Example lies within base dc=example"},
		"same base":        {func(c *ldap.Config) { c.Scope = ldap.ScopeOne; c.Bases = []string{"dc=example", "DC=example"} }, "lies within"},
		"scope":            {func(c *ldap.Config) { c.Scope = "tree" }, `scope "tree"`},
		"user filter":      {func(c *ldap.Config) { c.UserFilter = "(&(uid=*)" }, "user filter (&(uid=*)"},
		"group filter":     {func(c *ldap.Config) { c.GroupFilter = "(cn)" }, "group filter (cn)"},
		"page size":        {func(c *ldap.Config) { c.PageSize = 0 }, "page size 0"},
		"time-out":         {func(c *ldap.Config) { c.Timeouts.Answer = 0 }, "time-outs 10s and 0s"},
		"retry":            {func(c *ldap.Config) { c.RetryFor = -1 }, "retry for -1ns"},
		"attribute":        {func(c *ldap.Config) { c.UserAttributes = []string{"given name"} }, `attribute "given name"`},
		"all attributes":   {func(c *ldap.Config) { c.GroupAttributes = []string{"*"} }, `attribute "*"`},
		"member attribute": {func(c *ldap.Config) { c.MemberAttributes = []string{""} }, `attribute ""`},
		"range":            {func(c *ldap.Config) { c.MemberAttributes = []string{"member;range=0-*"} }, `attribute "member;range=0-*"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := ldap.DefaultConfig()
			c.URIs, c.Bases, c.BindDN = []string{"ldap://dc1"}, []string{"dc=example"}, "cn=sync"
			c.Password = func() (string, error) { return "reading", nil }
			if _, err := ldap.New(c); err != nil {
				t.Fatal(err)
			}
			tt.change(&c)
			_, err := ldap.New(c)
			wantFault(t, err, fault.Usage, true, tt.words)
		})
	}
}

func TestFiltersOnSeveralLines(t *testing.T) {
	f := newFake(t)
	var filter string
	f.search = func(c *fakeConn, r request) { filter = r.filter; c.page(r, "") }
	for written, want := range map[string]string{
		"objectClass=person":                            "(objectClass=person)",
		"\n (& (a=b  c)\n   ( | (c=d)\n (e= f ) )\n)\n": "(&(a=b  c)(|(c=d)(e= f )))",
		"(! (a=b))": "(!(a=b))",
	} {
		cfg := f.config()
		cfg.UserFilter = written
		s := open(t, cfg)
		users(t, s)
		if filter != want || s.Info().Question.GetUserFilter() != want {
			t.Errorf("%s became %s", strings.TrimSpace(written), filter)
		}
	}
}
