package proto

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
)

// DigestVersion is the version of the definition below. It changes only when the same entry would get another digest.
const DigestVersion = 1

// Digest is 16 bytes of SHA-256 over a normalized entry. Two entries with the same digest say the same.
//
// Definition, version 1. Everything below is hashed in this order; a count or a length is an unsigned varint before the thing
// it counts, strings are UTF-8 bytes. The kind: "user" or "group". The DN. The number of attributes, then each attribute,
// ordered by its name folded to lower case: that name, 't' for text or 'b' for binary, the number of values, the first value,
// then the rest as a sorted set, without duplicates and without the first. (The first value counts by itself because a mapping
// takes it; a server that reorders the rest changes nothing.) An attribute without values is left out. For a user then: the number
// of group ids (0 where the groups are unknown), the ids sorted as a set, and for active, staff and superuser each one byte: 0 for no rule, 1 for no, 2 for yes; last a
// byte that is 1 if the groups are unknown, else 0.
type Digest [16]byte

// DigestUser returns the digest of u.
func DigestUser(u *User) Digest {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.entry("user", u.GetDn(), u.GetAttributes())
	if u.GetGroupsUnknown() {
		h.set(nil)
	} else {
		h.set(u.GetGroupIds())
	}
	h.flag(u.Active)
	h.flag(u.Staff)
	h.flag(u.Superuser)
	if u.GetGroupsUnknown() {
		h.buf = append(h.buf, 1)
	} else {
		h.buf = append(h.buf, 0)
	}
	return h.sum()
}

// DigestGroup returns the digest of g.
func DigestGroup(g *Group) Digest {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.entry("group", g.GetDn(), g.GetAttributes())
	return h.sum()
}

// hasher collects what is hashed.
type hasher struct {
	buf    []byte
	sorted []named
}

// named is an attribute with its folded name.
type named struct {
	name string
	*Attribute
}

var hashers = sync.Pool{New: func() any { return &hasher{} }}

func (h *hasher) count(n int) { h.buf = binary.AppendUvarint(h.buf, uint64(n)) }

func (h *hasher) string(s string) {
	h.count(len(s))
	h.buf = append(h.buf, s...)
}

func (h *hasher) flag(b *bool) {
	switch {
	case b == nil:
		h.buf = append(h.buf, 0)
	case *b:
		h.buf = append(h.buf, 2)
	default:
		h.buf = append(h.buf, 1)
	}
}

func (h *hasher) entry(kind, dn string, attributes []*Attribute) {
	h.buf = h.buf[:0]
	h.string(kind)
	h.string(dn)
	sorted := h.sorted[:0]
	for _, a := range attributes {
		if len(a.GetValues())+len(a.GetBinary()) > 0 {
			sorted = append(sorted, named{strings.ToLower(a.GetName()), a})
		}
	}
	slices.SortStableFunc(sorted, func(a, b named) int { return strings.Compare(a.name, b.name) })
	h.sorted = sorted
	defer clear(sorted) // holds on to nobody's attributes
	h.count(len(sorted))
	for _, a := range sorted {
		h.string(a.name)
		if len(a.Binary) > 0 {
			h.buf = append(h.buf, 'b')
			values := make([]string, len(a.Binary))
			for i, v := range a.Binary {
				values[i] = string(v)
			}
			h.values(values)
			continue
		}
		h.buf = append(h.buf, 't')
		h.values(a.Values)
	}
}

// values hashes the first value and the rest as a set.
func (h *hasher) values(values []string) {
	if len(values) == 1 {
		h.count(1)
		h.string(values[0])
		return
	}
	rest := slices.Clone(values[1:])
	slices.Sort(rest)
	rest = slices.Compact(rest)
	rest = slices.DeleteFunc(rest, func(v string) bool { return v == values[0] })
	h.count(1 + len(rest))
	h.string(values[0])
	for _, v := range rest {
		h.string(v)
	}
}

func (h *hasher) set(values []string) {
	ordered := true
	for i := 1; i < len(values) && ordered; i++ {
		ordered = values[i-1] < values[i]
	}
	if !ordered {
		values = slices.Clone(values)
		slices.Sort(values)
		values = slices.Compact(values)
	}
	h.count(len(values))
	for _, v := range values {
		h.string(v)
	}
}

func (h *hasher) sum() Digest {
	full := sha256.Sum256(h.buf)
	return Digest(full[:16])
}
