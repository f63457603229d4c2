package ldapmatch

import (
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// Key is a DN in the form in which two spellings of it are equal: its RDNs folded, each ended by rdnEnd. The key of an entry below
// another ends with that one's key.
type Key string

const (
	rdnEnd  = "\x00"
	avaJoin = "\x01"
)

// ParseDN returns the key of a DN (RFC 4514) and that of the entry above it, which is "" for a DN of one RDN.
func ParseDN(dn string) (self, parent Key, err error) {
	if self, parent, ok := plainDN(dn); ok {
		return self, parent, nil
	}
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
			parts[j] = strings.ToLower(a.Type) + "=" + strings.ReplaceAll(FoldValue(a.Value), rdnEnd, "\ufffd")
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, avaJoin))
		b.WriteString(rdnEnd)
	}
	self = Key(b.String())
	if len(parsed.RDNs) > 1 {
		parent = self[cut:]
	}
	return self, parent, nil
}

// plainDN is ParseDN for names without escapes, quotes, odd spaces or anything but ASCII, at a tenth of the cost.
func plainDN(dn string) (self, parent Key, ok bool) {
	b := make([]byte, 0, len(dn)+1)
	cut, equals := 0, 0
	before := byte(',')
	for i := 0; i <= len(dn); i++ {
		c := byte(',')
		if i < len(dn) {
			c = dn[i]
		}
		switch {
		case c == ',' && (equals != 1 || before == '=' || before == ' '):
			return "", "", false
		case c == ',':
			b = append(b, rdnEnd...)
			if cut == 0 {
				cut = len(b)
			}
			equals = 0
		case 'A' <= c && c <= 'Z':
			b = append(b, c|0x20)
		case c == '=' && before != ',' && before != ' ':
			b = append(b, c)
			equals++
		case c == ' ' && equals == 1 && before != '=' && before != ' ':
			b = append(b, c)
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', (c == '-' || c == '.') && before != ',', (c == '_' || c == '@') && equals == 1:
			b = append(b, c)
		default:
			return "", "", false
		}
		before = c
	}
	self = Key(b)
	return self, self[cut:], true
}

// Below tells whether k is base or lies below it.
func (k Key) Below(base Key) bool {
	return base == "" || k == base || strings.HasSuffix(string(k), rdnEnd+string(base))
}

// Parent is the key of the entry above; "" for a key of one RDN.
func (k Key) Parent() Key {
	_, above, _ := strings.Cut(string(k), rdnEnd)
	return Key(above)
}

// Depth is how many RDNs the DN has.
func (k Key) Depth() int { return strings.Count(string(k), rdnEnd) }
