package applier

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"time"

	"ldapsync/proto"
)

// stock is what a target holds of a source, in short, as one reading of its tables tells it.
type stock struct {
	seed          maphash.Seed
	users, groups stocked
	buffer        []byte
}

// stocked is what it holds of one kind.
type stocked struct {
	settings
	records
	plain []int    // columns whose values an entry gives
	flags []int    // columns that an entry's flags are mapped to: one that it lacks leaves its column alone
	set   [][2]any // what these hold for true and for false
}

var _ Visitor = (*stock)(nil)

func newStock(cfg Config) *stock {
	return &stock{seed: maphash.MakeSeed(), users: newStocked(cfg.settings(proto.KindUser)), groups: newStocked(cfg.settings(proto.KindGroup))}
}

func newStocked(s settings) stocked {
	k := stocked{settings: s}
	if s.mapping == nil {
		return k
	}
	for i, f := range s.mapping.fields {
		switch {
		case f == nil || i == s.mapping.active:
		case f.Flag == "":
			k.plain = append(k.plain, i)
		default:
			k.flags = append(k.flags, i)
			var set [2]any
			for n, flag := range []bool{true, false} {
				var err error
				if set[n], err = s.mapping.table.Convert(f.Column, flag); err != nil {
					set[n] = Keep{} // no row holds that
				}
			}
			k.set = append(k.set, set)
		}
	}
	return k
}

func (s *stock) of(kind proto.Kind) *stocked {
	if kind == proto.KindGroup {
		return &s.groups
	}
	return &s.users
}

// VisitLink makes a record.
func (s *stock) VisitLink(l *Link) {
	k := s.of(l.Kind)
	r := record{id: s.text(l.ID), sum: s.linkSum(l.ID, l.Name, l.Digest)}
	if l.PK != "" {
		r.pk = s.key(l.PK)
	}
	if l.State != Present {
		r.traits |= isMissing
	}
	if l.Mapping != k.hash || l.DeactivatedBy != "" {
		r.traits |= isStale
	}
	if l.ActiveWritten != nil {
		r.traits |= map[bool]traits{true: wroteActive, false: wroteInactive}[*l.ActiveWritten]
	}
	k.add(r)
}

// VisitLetter notes it at the record, if there is one.
func (s *stock) VisitLetter(kind proto.Kind, id string) {
	if r := s.of(kind).entry(s.text(id)); r != nil {
		r.traits |= isLettered
	}
}

// VisitRow adds a row to the record of its link.
func (s *stock) VisitRow(kind proto.Kind, pk string, values []any) {
	k := s.of(kind)
	r := k.row(s.key(pk))
	if r == nil || k.mapping == nil {
		return
	}
	r.traits |= hasRow | k.flagsOf(values)
	if k.mapping.isActive(Row{Values: values}) {
		r.traits |= isActive
	}
	r.sum += s.rowSum(k.plain, values)
}

// VisitMembership adds it to the record of the user, if the source manages the group: a present link owns it.
func (s *stock) VisitMembership(user, group string) {
	u := s.users.row(s.key(user))
	if u == nil {
		return
	}
	if g := s.groups.row(s.key(group)); g != nil && g.traits&isMissing == 0 {
		u.members += g.id
	} else {
		u.traits |= inOthers
	}
}

// managed returns the record of a group that the source manages, and whose row is there; else nil.
func (s *stock) managed(id string) *record {
	if g := s.groups.entry(s.text(id)); g != nil && g.traits&isMissing == 0 && g.traits&hasRow != 0 {
		return g
	}
	return nil
}

// flagsOf tells which flags a row, or an entry, has: two bits for each; 0 for one that is neither.
func (k *stocked) flagsOf(values []any) (t traits) {
	for n, i := range k.flags {
		switch {
		case n == mostFlags:
			return t
		case equal(k.set[n][0], values[i]):
			t |= firstFlag << (2 * n)
		case equal(k.set[n][1], values[i]):
			t |= firstFlag << (2*n + 1)
		}
	}
	return t
}

func (s *stock) text(t string) uint64 { return maphash.String(s.seed, t) }

// key stands for a primary key; it isn't 0. Numbers stand for themselves: rows come in their order, or nearly so, and find their records in the order of
// the index.
func (s *stock) key(pk string) uint64 {
	var n uint64
	for i := range len(pk) {
		if c := pk[i]; c < '0' || c > '9' || len(pk) > 18 {
			return s.text(pk) | 1<<63
		} else {
			n = 10*n + uint64(c-'0')
		}
	}
	return n + 1
}

func (s *stock) linkSum(id, name string, d proto.Digest) uint64 {
	b := append(s.buffer[:0], 'l')
	b = appendText(b, id)
	b = appendText(b, name)
	s.buffer = append(b, d[:]...)
	return maphash.Bytes(s.seed, s.buffer)
}

func (s *stock) rowSum(columns []int, values []any) uint64 {
	b := append(s.buffer[:0], 'r')
	for _, i := range columns {
		b = appendValue(b, values[i])
	}
	s.buffer = b
	return maphash.Bytes(s.seed, b)
}

func appendText(b []byte, t string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(t))), t...)
}

// appendValue appends bytes that are the same for two values if they are equal, and for no others.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, '0')
	case string:
		return appendText(append(b, 's'), v)
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case time.Time:
		b = binary.BigEndian.AppendUint64(append(b, 'd'), uint64(v.Unix()))
		return binary.BigEndian.AppendUint32(b, uint32(v.Nanosecond()))
	}
	return appendText(append(b, 'x'), fmt.Sprintf("%T %v", v, v))
}
