package ldap

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"ldapsync/extractor"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// picker makes records of entries: it looks at each attribute once, and puts its values where the view has a slot for them.
type picker struct {
	s       *Session
	v       *view
	what    string // is read, for errors
	decoder decoder
	places  map[string]place // of names as this server writes them
	found   [][]string       // the current entry's values, by slot
	room    []extractor.Attribute
}

// place is what a server's name for an attribute means.
type place struct {
	slot   int
	name   string // without its range
	window window
	ranged bool
}

func newPicker(s *Session, v *view, what string) *picker {
	return &picker{s: s, v: v, what: what, places: map[string]place{}, found: make([][]string, len(v.slots))}
}

// maxPlaces bounds the names that are remembered.
const maxPlaces = 1000

func (p *picker) place(name string) place {
	if at, ok := p.places[name]; ok {
		return at
	}
	name = strings.Clone(name)
	at := place{slot: none}
	at.name, at.window, at.ranged = splitRange(name)
	at.slot = slices.Index(p.v.slots, ldapmatch.MatchName(at.name))
	if len(p.places) < maxPlaces {
		p.places[name] = at
	}
	return at
}

// records turns a chunk's entries into records.
func (p *picker) records(ctx context.Context, c chunk) ([]extractor.Record, error) {
	records := make([]extractor.Record, len(c.entries))
	for i, at := range c.entries {
		e, err := p.decoder.entry(c.text[at.from:at.to])
		if err != nil {
			return nil, requestFault(p.s.conn.address, p.what, p.s.conn.spoiled(err))
		}
		if err := p.gather(ctx, e); err != nil {
			return nil, err
		}
		p.record(&records[i], e.dn)
	}
	return records, nil
}

// gather puts an entry's values where they belong, with the ranges that Active Directory held back: above its limit (1,500 values) it
// answers with an empty member and a member;range=0-1499.
func (p *picker) gather(ctx context.Context, e entry) error {
	clear(p.found)
	for _, a := range e.attributes {
		if len(a.values) == 0 {
			continue
		}
		at := p.place(a.name)
		if at.slot == none || p.found[at.slot] != nil {
			continue
		}
		if at.ranged && !at.window.last {
			rest, err := p.s.remaining(ctx, e.dn, at.name, at.window.next)
			if err != nil {
				return err
			}
			a.values = slices.Concat(a.values, rest)
		}
		p.found[at.slot] = a.values
	}
	return nil
}

func (p *picker) values(slot int) []string {
	if slot == none {
		return nil
	}
	return p.found[slot]
}

// record fills r with what the view wants of an entry.
func (p *picker) record(r *extractor.Record, dn string) {
	r.DN = dn
	if !utf8.ValidString(dn) || strings.ContainsRune(dn, 0) {
		r.DN = strings.ReplaceAll(strings.ToValidUTF8(dn, "\uFFFD"), "\x00", "\uFFFD")
		r.Skip = "its DN isn't text"
	}
	r.Attributes = p.attributes()
	if p.v.id != none {
		id, problem := ldapmatch.ID(p.s.id, p.v.guid, p.found[p.v.id])
		r.ID = id
		if r.Skip == "" {
			r.Skip = problem
		}
	}
	if p.v.kind == proto.KindUser {
		r.UID, r.PrimaryGroup = first(p.values(p.v.uid)), first(p.values(p.v.primaryGroup))
		r.MemberOf = p.values(p.v.memberOf)
		return
	}
	r.GroupToken = first(p.values(p.v.groupToken))
	r.MemberUIDs = p.join(p.v.memberUIDs)
	r.Members = ldapmatch.WithoutUniqueIDs(p.join(p.v.members))
	p.separate(r)
}

// separate copies what is handed on of a group, so that a group in a batch to publish doesn't keep the text with all its members.
func (p *picker) separate(r *extractor.Record) {
	r.ID, r.DN = strings.Clone(r.ID), strings.Clone(r.DN)
	for i, a := range r.Attributes {
		values := make([]string, len(a.Values))
		for j, v := range a.Values {
			values[j] = strings.Clone(v)
		}
		r.Attributes[i].Values = values
	}
}

// attributeBlock is how many attributes get room at once.
const attributeBlock = 512

// attributes returns the attributes to hand out.
func (p *picker) attributes() []extractor.Attribute {
	if len(p.room) < len(p.v.wanted) {
		p.room = make([]extractor.Attribute, max(attributeBlock, len(p.v.wanted)))
	}
	n := 0
	for _, w := range p.v.wanted {
		if values := p.found[w.slot]; len(values) > 0 {
			p.room[n] = extractor.Attribute{Name: w.name, Values: values}
			n++
		}
	}
	if n == 0 {
		return nil
	}
	all := p.room[:n:n]
	p.room = p.room[n:]
	return all
}

// join returns the values of several attributes.
func (p *picker) join(slots []int) []string {
	var all []string
	for _, slot := range slots {
		if all == nil {
			all = p.found[slot]
		} else {
			all = append(all[:len(all):len(all)], p.found[slot]...)
		}
	}
	return all
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
