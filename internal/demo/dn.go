package demo

import (
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// key is a DN in the form in which two spellings of it are equal: its RDNs folded, each ended by rdnEnd. The key of an entry below
// another ends with that one's key.
type key string

const (
	rdnEnd  = "\x00"
	avaJoin = "\x01"
)

// parseDN returns the key of a DN (RFC 4514) and that of the entry above it, which is "" for a DN of one RDN.
func parseDN(dn string) (self, parent key, err error) {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return "", "", fault.New(fault.Directory, "write it as in RFC 4514: uid=ada,ou=people,dc=example", "DN %q: %w", dn, err)
	}
	var b strings.Builder
	cut := 0
	for i, rdn := range parsed.RDNs {
		if i == 1 {
			cut = b.Len()
		}
		parts := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			parts[j] = strings.ToLower(a.Type) + "=" + strings.ReplaceAll(fold(a.Value), rdnEnd, "\ufffd")
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, avaJoin))
		b.WriteString(rdnEnd)
	}
	self = key(b.String())
	if len(parsed.RDNs) > 1 {
		parent = self[cut:]
	}
	return self, parent, nil
}

// below tells whether k is base or lies below it.
func (k key) below(base key) bool {
	return base == "" || k == base || strings.HasSuffix(string(k), rdnEnd+string(base))
}

// rdn returns the attributes of a DN's first RDN.
func rdn(dn string) []*ldap.AttributeTypeAndValue {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	return parsed.RDNs[0].Attributes
}

// rdnsLength is the length of the text in front of a base in the DN of an entry below it, with its last comma.
func rdnsLength(dn string, self, base key) int {
	own := strings.Count(string(self[:len(self)-len(base)]), rdnEnd)
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
