package ldap

import (
	"testing"

	"ldapsync/internal/fault"
)

func TestSplitRange(t *testing.T) {
	for name, want := range map[string]struct {
		rest   string
		w      window
		ranged bool
	}{
		"member":              {"member", window{}, false},
		"cn;lang-fr":          {"cn;lang-fr", window{}, false},
		"member;range=0-1499": {"member", window{next: 1500}, true},
		"member;Range=1500-*": {"member", window{last: true}, true},
		"x;binary;range=0-9":  {"x;binary", window{next: 10}, true},
		"x;range=0-9;binary":  {"x;binary", window{next: 10}, true},
		"member;range=0-many": {"member", window{}, true},
		"member;range=0--5":   {"member", window{}, true},
	} {
		if rest, w, ranged := splitRange(name); rest != want.rest || w != want.w || ranged != want.ranged {
			t.Errorf("%s: %q %+v %v", name, rest, w, ranged)
		}
	}
}

func TestParseURI(t *testing.T) {
	for uri, want := range map[string]address{
		"ldap://dc1.example.com":         {network: "tcp", target: "dc1.example.com:389", host: "dc1.example.com", scheme: "ldap"},
		"LDAPS://dc1/dc=example?uid":     {network: "tcp", target: "dc1:636", host: "dc1", scheme: "ldaps"},
		"ldap://[::1]:3389/":             {network: "tcp", target: "[::1]:3389", host: "::1", scheme: "ldap"},
		"ldapi:///":                      {network: "unix", target: defaultSocket, scheme: "ldapi"},
		"ldapi://%2Frun%2Fslapd%2Fldapi": {network: "unix", target: "/run/slapd/ldapi", scheme: "ldapi"},
	} {
		want.uri = uri
		if got, err := parseURI(uri); err != nil || got != want {
			t.Errorf("%s: %+v, %v", uri, got, err)
		}
	}
	if _, err := parseURI("ldapi://%zz"); !fault.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	for host, want := range map[string]bool{"localhost": true, "127.0.0.9": true, "::1": true, "10.0.0.1": false, "dc1": false} {
		if (address{host: host}).loopback() != want {
			t.Errorf("%s is loopback: %v", host, !want)
		}
	}
}

func TestNamingContextIsTheOneThatHoldsTheBases(t *testing.T) {
	v := server{contexts: []string{"dc=example,dc=com", "dc=lab,dc=example,dc=com", "o=other"}}
	for base, want := range map[string]string{
		"OU=people, DC=example, DC=com": "dc=example,dc=com",
		"ou=x,dc=lab,dc=example,dc=com": "dc=lab,dc=example,dc=com",
		"o=other":                       "o=other",
		"o=elsewhere":                   "dc=example,dc=com",
	} {
		if got := v.contextOf(base); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func TestSiblingSID(t *testing.T) {
	sid := []byte{1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0x50, 4, 0, 0}
	got, ok := siblingSID(sid, "513")
	if want := []byte{1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 0, 0}; !ok || string(got) != string(want) {
		t.Errorf("got %v", got)
	}
	for _, bad := range [][]byte{nil, sid[:15], {1, 0, 0, 0, 0, 0, 0, 5}} {
		if _, ok := siblingSID(bad, "513"); ok {
			t.Errorf("%v is a SID", bad)
		}
	}
	if _, ok := siblingSID(sid, "x"); ok {
		t.Error("x is a relative id")
	}
}
