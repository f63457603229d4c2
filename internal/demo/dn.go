package demo

import (
	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/ldapmatch"
)

// rdn returns the attributes of a DN's first RDN.
func rdn(dn string) []*ldap.AttributeTypeAndValue {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	return parsed.RDNs[0].Attributes
}

// rdnsLength is the length of the text in front of a base in the DN of an entry below it, with its last comma.
func rdnsLength(dn string, self, base ldapmatch.Key) int {
	own := self.Depth() - base.Depth()
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',', ';':
			if own--; own == 0 {
				return i + 1
			}
		}
	}
	return len(dn)
}

// withRDN returns a copy of e with another DN, and the values of its RDN instead of those of the old one.
func withRDN(e *entry, dn string) *entry {
	for _, a := range rdn(e.dn) {
		e = e.with(a.Type, Remove(a.Type, a.Value).change(a.Type, e.get(a.Type)))
	}
	for _, a := range rdn(dn) {
		e = e.with(a.Type, append([]string{a.Value}, Remove(a.Type, a.Value).change(a.Type, e.get(a.Type))...))
	}
	other := *e
	other.dn = dn
	return &other
}
