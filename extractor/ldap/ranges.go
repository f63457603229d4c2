package ldap

import (
	"context"
	"fmt"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
)

// remaining reads the values of one attribute from number next on.
func (s *Session) remaining(ctx context.Context, dn, name string, next int) ([]string, error) {
	var all []string
	for {
		if next <= 0 {
			return nil, s.rangeFault(dn, name, "the server's range can't be read")
		}
		asked := fmt.Sprintf("%s;range=%d-*", name, next)
		entries, err := s.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{asked}})
		if err != nil {
			return nil, requestFault(s.conn.address, asked+" of "+dn, err)
		}
		part, w, found := findRange(entries, name)
		if !found {
			return nil, s.rangeFault(dn, name, fmt.Sprintf("the values from number %d on are missing", next))
		}
		all = append(all, part...)
		if w.last {
			return all, nil
		}
		if w.next <= next {
			return nil, s.rangeFault(dn, name, "the server repeats a range")
		}
		next = w.next
	}
}

// findRange looks for a range of the attribute in the answer.
func findRange(entries []entry, name string) ([]string, window, bool) {
	for _, e := range entries {
		for _, a := range e.attributes {
			if got, w, ranged := splitRange(a.name); ranged && ldapmatch.MatchName(got) == ldapmatch.MatchName(name) {
				return a.values, w, true
			}
		}
	}
	return nil, window{}, false
}

func (s *Session) rangeFault(dn, name, reason string) error {
	return fault.Passing(fault.Directory, "somebody may be changing it right now: the next pass reads it again", "%s: %s of %s: %s", s.conn.address.uri, name, dn, reason)
}
