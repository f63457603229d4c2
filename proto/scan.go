package proto

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Encoded is an entry as it lies in an event, not decoded.
type Encoded struct {
	ID []byte // as the event's index has it

	body  []byte // the User or Group in protobuf
	entry entry  // of an event in JSON: it had to be decoded; else nil
}

// entry is what users and groups have in common.
type entry interface {
	GetId() string
	GetDn() string
	GetAttributes() []*Attribute
}

// Mentions tells whether text is the entry's id, its DN or a text value of one of its attributes, if case doesn't count: as strings.EqualFold
// compares. Where the entry can't be read, or text is empty, it may be: then the answer is yes.
func (x Encoded) Mentions(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if x.entry != nil {
		return mentions(x.entry, string(text))
	}
	found := false
	err := fields(x.body, func(field protowire.Number, wire protowire.Type, value []byte) error {
		if found || wire != protowire.BytesType {
			return nil
		}
		switch v, _ := protowire.ConsumeBytes(value); field {
		case 1, 2:
			found = bytes.EqualFold(v, text)
		case 3:
			return fields(v, func(field protowire.Number, wire protowire.Type, value []byte) error {
				if field == 2 && wire == protowire.BytesType {
					v, _ := protowire.ConsumeBytes(value)
					found = found || bytes.EqualFold(v, text)
				}
				return nil
			})
		}
		return nil
	})
	return found || err != nil
}

// mentions is Mentions of what is decoded.
func mentions(e entry, text string) bool {
	if strings.EqualFold(e.GetId(), text) || strings.EqualFold(e.GetDn(), text) {
		return true
	}
	for _, a := range e.GetAttributes() {
		for _, v := range a.GetValues() {
			if strings.EqualFold(v, text) {
				return true
			}
		}
	}
	return false
}

// Scanner looks for entries in events. It decodes nothing and allocates nothing, unless an event is in JSON. Its zero value is ready; it
// isn't for several goroutines at once.
type Scanner struct {
	entries []Encoded
	bodies  [][]byte
}

// Scan returns the entries that an entry event carries, in their order; they may be used until the next call. If an id comes twice, its last
// entry counts. It is an error if ids, digests and entries don't fit together, as with ReadIndex; what is in the entries isn't looked at.
func (s *Scanner) Scan(e Event) ([]Encoded, error) {
	s.entries, s.bodies = s.entries[:0], s.bodies[:0]
	if e.ContentType != ContentTypeProtobuf {
		err := s.decoded(e)
		return s.entries, err
	}
	var err error
	switch e.Type {
	case TypeUserUpserted, TypeGroupUpserted:
		err = s.batch(e.Data)
	case TypeUserMissing, TypeUserRemoved, TypeGroupRemoved:
		err = s.single(e.Data)
	default:
		err = errNoEntries
	}
	if err != nil {
		return nil, fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, err)
	}
	return s.entries, nil
}

var errNoEntries = errors.New("carries no entries")

// batch reads fields 3, 4 and 15 of UserUpserted or GroupUpserted.
func (s *Scanner) batch(b []byte) error {
	digests := 0
	err := fields(b, func(field protowire.Number, wire protowire.Type, value []byte) error {
		if wire != protowire.BytesType {
			return nil
		}
		switch v, _ := protowire.ConsumeBytes(value); field {
		case 3:
			s.entries = append(s.entries, Encoded{ID: v})
		case 4:
			digests = len(v)
		case 15:
			s.bodies = append(s.bodies, v)
		}
		return nil
	})
	if err == nil && (len(s.bodies) != len(s.entries) || digests != 16*len(s.entries)) {
		err = unequal(len(s.entries), digests, len(s.bodies))
	}
	if err != nil {
		return err
	}
	for i, body := range s.bodies {
		s.entries[i].body = body
	}
	return nil
}

// single reads field 3 of UserMissing, UserRemoved or GroupRemoved: the entry, whose id is its field 1.
func (s *Scanner) single(b []byte) error {
	var x Encoded
	err := fields(b, func(field protowire.Number, wire protowire.Type, value []byte) error {
		if field == 3 && wire == protowire.BytesType {
			x.body, _ = protowire.ConsumeBytes(value)
		}
		return nil
	})
	if err == nil {
		err = fields(x.body, func(field protowire.Number, wire protowire.Type, value []byte) error {
			if field == 1 && wire == protowire.BytesType {
				x.ID, _ = protowire.ConsumeBytes(value)
			}
			return nil
		})
	}
	s.entries = append(s.entries, x)
	return err
}

// decoded reads an event that isn't in protobuf.
func (s *Scanner) decoded(e Event) error {
	var err error
	switch e.Type {
	case TypeUserUpserted:
		m := new(UserUpserted)
		if err = Unmarshal(e, m); err == nil {
			err = scanned(s, e, m.GetIds(), m.GetDigests(), m.GetUsers())
		}
	case TypeGroupUpserted:
		m := new(GroupUpserted)
		if err = Unmarshal(e, m); err == nil {
			err = scanned(s, e, m.GetIds(), m.GetDigests(), m.GetGroups())
		}
	case TypeUserMissing:
		m := new(UserMissing)
		err = Unmarshal(e, m)
		s.found(m.GetUser().GetId(), m.GetUser())
	case TypeUserRemoved:
		m := new(UserRemoved)
		err = Unmarshal(e, m)
		s.found(m.GetUser().GetId(), m.GetUser())
	case TypeGroupRemoved:
		m := new(GroupRemoved)
		err = Unmarshal(e, m)
		s.found(m.GetGroup().GetId(), m.GetGroup())
	default:
		err = fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, errNoEntries)
	}
	return err
}

func (s *Scanner) found(id string, x entry) {
	s.entries = append(s.entries, Encoded{ID: []byte(id), entry: x})
}

func scanned[E entry](s *Scanner, e Event, ids []string, digests []byte, entries []E) error {
	if len(ids) != len(entries) || len(digests) != 16*len(ids) {
		return fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, unequal(len(ids), len(digests), len(entries)))
	}
	for i, id := range ids {
		s.found(id, entries[i])
	}
	return nil
}

func unequal(ids, digests, entries int) error {
	return fmt.Errorf("%d ids and %d bytes of digests for %d entries", ids, digests, entries)
}
