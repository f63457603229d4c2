package ldap

import (
	"context"
	"fmt"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// values is one attribute of an entry, whole.
type values struct {
	key string // see match
	raw [][]byte
}

// gather returns an entry's attributes, with the ranges that Active Directory held back: above its limit (1,500 values) it answers
// with an empty member and a member;range=0-1499.
func (s *Session) gather(ctx context.Context, e *goldap.Entry) ([]values, error) {
	all := make([]values, 0, len(e.Attributes))
	for _, a := range e.Attributes {
		if len(a.ByteValues) == 0 {
			continue
		}
		name, w, ranged := splitRange(a.Name)
		v := values{key: match(name), raw: a.ByteValues}
		if ranged && !w.last {
			rest, err := s.remaining(ctx, e.DN, name, w.next)
			if err != nil {
				return nil, err
			}
			v.raw = append(v.raw[:len(v.raw):len(v.raw)], rest...)
		}
		all = append(all, v)
	}
	return all, nil
}

// remaining reads the values of one attribute from number next on.
func (s *Session) remaining(ctx context.Context, dn, name string, next int) ([][]byte, error) {
	var all [][]byte
	for {
		if next <= 0 {
			return nil, s.rangeFault(dn, name, "the server's range can't be read")
		}
		asked := fmt.Sprintf("%s;range=%d-*", name, next)
		result, err := s.search(ctx, query{base: dn, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{asked}})
		if err != nil {
			return nil, requestFault(s.conn.address, asked+" of "+dn, err)
		}
		part, w, found := findRange(result.Entries, name)
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
func findRange(entries []*goldap.Entry, name string) ([][]byte, window, bool) {
	for _, e := range entries {
		for _, a := range e.Attributes {
			if got, w, ranged := splitRange(a.Name); ranged && match(got) == match(name) {
				return a.ByteValues, w, true
			}
		}
	}
	return nil, window{}, false
}

func (s *Session) rangeFault(dn, name, reason string) error {
	return fault.Passing(fault.Directory, "somebody may be changing it right now: the next pass reads it again", "%s: %s of %s: %s", s.conn.address.uri, name, dn, reason)
}
