package ldapmatch_test

import (
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/ldapmatch"
)

func TestKeysOfDNs(t *testing.T) {
	for a, b := range map[string]string{
		"uid=ada,dc=example":          "UID = Ada , DC=Example",
		"cn=Ada Lovelace,dc=example":  "cn=ada  lovelace,dc=example",
		"cn=Jürg,dc=example":          `cn=J\C3\BCrg,dc=example`,
		"cn=a+uid=b,dc=example":       "uid=B+cn=A,dc=example",
		`cn=Smith\, John,dc=example`:  `cn=smith\2C john,DC=example`,
		"cn=under_score@x-y.z,o=a b":  "CN=UNDER_SCORE@X-Y.Z,O=A B",
		"2.5.4.3=ada,dc=example":      "2.5.4.3=Ada,dc=example",
		`cn=trailing\ ,dc=example`:    `cn=trailing\20,dc=example`,
		"cn=1234567890,ou=x,dc=y,o=z": "CN=1234567890,OU=X,DC=Y,O=Z",
	} {
		x, px, errX := ldapmatch.ParseDN(a)
		y, py, errY := ldapmatch.ParseDN(b)
		if errX != nil || errY != nil || x != y || px != py || x.Parent() != px {
			t.Errorf("%s: %q below %q, %v; %s: %q below %q, %v", a, x, px, errX, b, y, py, errY)
		}
	}
	outer, _, _ := ldapmatch.ParseDN("dc=example")
	for dn, want := range map[string]bool{"dc=example": true, "ou=people,DC=example": true, "dc=example,dc=org": false, "ou=xdc=example": false} {
		if k, _, _ := ldapmatch.ParseDN(dn); k.Below(outer) != want {
			t.Errorf("%s is below dc=example: %v", dn, !want)
		}
	}
	if k, parent, err := ldapmatch.ParseDN(""); k != "" || parent != "" || err != nil {
		t.Errorf("the root is %q below %q, %v", k, parent, err)
	}
}

// Where two DNs are equal for go-ldap, without case, their keys are, and where they aren't, they aren't.
func FuzzKeysOfDNs(f *testing.F) {
	f.Add("uid=ada,ou=people,dc=example", "UID=ADA,ou=people,dc=example")
	f.Add("cn=a b,o=x", "cn=a  b,o=x")
	f.Add("cn=-a.b_c@d=,o=x", "cn=a+b=c")
	f.Add("=x", "a=b,")
	f.Add("1.2=x,.=", "-a=b")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, _, errX := ldapmatch.ParseDN(a)
		y, _, errY := ldapmatch.ParseDN(b)
		p, errP := ldap.ParseDN(a)
		q, errQ := ldap.ParseDN(b)
		if (errX == nil) != (errP == nil) || (errY == nil) != (errQ == nil) {
			t.Fatalf("%q: %v, go-ldap says %v; %q: %v, go-ldap says %v", a, errX, errP, b, errY, errQ)
		}
		if errX == nil && errY == nil && p.EqualFold(q) && ascii(a) && ascii(b) && x != y {
			t.Fatalf("%q and %q are equal, their keys %q and %q aren't", a, b, x, y)
		}
	})
}

func ascii(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 || c == '\\' || c == '#' || c < ' ' {
			return false
		}
	}
	return true
}
