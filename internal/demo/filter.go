package demo

import (
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
)

// Find returns the DNs of the entries that match an LDAP filter (RFC 4515), in the order in which they were added.
func (d *Directory) Find(filter string) ([]string, error) {
	match, err := ldapmatch.ParseFilter(filter)
	if err != nil {
		return nil, fault.New(fault.Directory, "write it as in RFC 4515: (&(objectClass=person)(uid=a*))", "filter %q: %w", filter, err)
	}
	all, _, _ := d.scope(d.base, ldap.ScopeWholeSubtree)
	var found []string
	for _, v := range all {
		if match(v) == ldapmatch.True {
			found = append(found, v.dn)
		}
	}
	return found, nil
}

// InChain follows memberOf through nested groups. Of other attributes the rule isn't known.
func (v view) InChain(name, dn string) ldapmatch.Truth {
	want, _, err := ldapmatch.ParseDN(dn)
	if !strings.EqualFold(name, "memberOf") || err != nil {
		return ldapmatch.Undefined
	}
	seen := map[ldapmatch.Key]bool{}
	next := []ldapmatch.Key{v.key}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		for _, group := range v.groups[at] {
			self, _, _ := ldapmatch.ParseDN(group)
			if self == want {
				return ldapmatch.True
			}
			if !seen[self] {
				seen[self] = true
				next = append(next, self)
			}
		}
	}
	return ldapmatch.False
}
