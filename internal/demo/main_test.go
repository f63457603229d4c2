package demo_test

import (
	"slices"
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/demo"
	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// serve serves a directory until the test ends.
func serve(t testing.TB, d *demo.Directory) string {
	t.Helper()
	uri, stop, err := d.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return uri
}

// dial connects to a directory that is served; bind is what a client of it does next.
func dial(t testing.TB, uri string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func bind(t testing.TB, uri string) *ldap.Conn {
	t.Helper()
	c := dial(t, uri)
	if err := c.Bind(demo.BindDN, demo.BindPassword); err != nil {
		t.Fatal(err)
	}
	return c
}

func request(base string, scope int, filter string, attributes ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
}

// dns are the DNs of a result, sorted.
func dns(r *ldap.SearchResult) []string {
	var list []string
	for _, e := range r.Entries {
		list = append(list, e.DN)
	}
	slices.Sort(list)
	return list
}

func empty(t testing.TB, base string) *demo.Directory {
	t.Helper()
	d, err := demo.Empty(base, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode expects an LDAP result code.
func wantCode(t testing.TB, err error, code uint16) {
	t.Helper()
	if code == ldap.LDAPResultSuccess && err == nil {
		return
	}
	if !ldap.IsErrorWithCode(err, code) {
		t.Errorf("got %v, want %s", err, ldap.LDAPResultCodeMap[code])
	}
}
