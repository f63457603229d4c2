package applier

import (
	"fmt"

	"ldapsync/proto"
)

// item is the last word on one entry, of an event or of a letter.
type item struct {
	id      string
	entry   entry // nil if it is removed and wasn't known
	digest  proto.Digest
	seq     uint64
	removed bool
	missing bool // it isn't in the directory, and its grace isn't over
	old     bool // as last known, in a full snapshot: what it lacks may not have been asked for
	dated   bool // from before the last full snapshot, or of a letter: likewise, where its link has another mapping
	state   bool // it is told by a state, not by an event: who is missing may have returned and gone missing unseen
	kept    bool // as last known: it is missing, and a full snapshot carries it for those who don't know it
	reason  string
	letter  bool   // it comes from a letter
	known   string // DN of a removed entry that isn't known, as its link has it

	mapped *mapped // nil: not yet
}

// absent tells that the item says nothing about the row, only that the entry isn't there.
func (it item) absent() bool { return it.removed || it.missing }

func (it item) dn() string {
	if it.entry == nil {
		return it.known
	}
	return it.entry.GetDn()
}

// batch is what follows each other in the stream and is of one kind: the last word on each entry, in the order of the first.
type batch struct {
	kind  proto.Kind
	items []item
	plan  *foreplan // nil: none was made ahead
	next  outlook   // of what is planned while this one is written; nil: nothing is
}

// batches takes the events apart: runs of one kind, in which each entry occurs once.
type batches struct {
	runs  []batch
	place map[string]int // of an id in the last run
	n     int
	bytes int // of the events, encoded
}

func (b *batches) add(kind proto.Kind, it item) {
	if len(b.runs) == 0 || b.runs[len(b.runs)-1].kind != kind {
		b.begin(kind)
	}
	run := &b.runs[len(b.runs)-1]
	b.n++
	if i, ok := b.place[it.id]; ok {
		// A target that doesn't know a missing entry gets it first, as a full snapshot carries it.
		if !it.missing || run.items[i].absent() {
			run.items[i] = it
			return
		}
		run = b.begin(kind)
	}
	b.place[it.id] = len(run.items)
	run.items = append(run.items, it)
}

func (b *batches) begin(kind proto.Kind) *batch {
	b.runs = append(b.runs, batch{kind: kind})
	b.place = map[string]int{}
	return &b.runs[len(b.runs)-1]
}

// date marks what was published before a sequence.
func date(runs []batch, before uint64) {
	for _, run := range runs {
		for i := range run.items {
			run.items[i].dated = run.items[i].dated || run.items[i].seq < before
		}
	}
}

// batchBytes bounds a batch of large entries.
const batchBytes = 16 << 20

// full tells whether a batch has come together.
func (b *batches) full(entries int) bool { return b.n >= entries || b.bytes >= batchBytes }

// event adds the entries of one event.
func (b *batches) event(e proto.Event) error {
	b.bytes += len(e.Data)
	switch e.Type {
	case proto.TypeUserUpserted:
		var m proto.UserUpserted
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		for i, u := range m.GetUsers() {
			d, err := digest(e, m.GetDigests(), i)
			if err != nil {
				return err
			}
			r := retained(m.GetRetained(), i)
			b.add(proto.KindUser, item{id: u.GetId(), entry: u, digest: d, seq: e.Sequence, old: r != 0, kept: r == proto.Retained_RETAINED_MISSING})
		}
	case proto.TypeGroupUpserted:
		var m proto.GroupUpserted
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		for i, g := range m.GetGroups() {
			d, err := digest(e, m.GetDigests(), i)
			if err != nil {
				return err
			}
			b.add(proto.KindGroup, item{id: g.GetId(), entry: g, digest: d, seq: e.Sequence, old: retained(m.GetRetained(), i) != 0})
		}
	case proto.TypeUserMissing:
		var m proto.UserMissing
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		b.add(proto.KindUser, item{id: m.GetUser().GetId(), entry: m.GetUser(), seq: e.Sequence, missing: true, reason: m.GetReason()})
	case proto.TypeUserRemoved:
		var m proto.UserRemoved
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		b.add(proto.KindUser, item{id: m.GetUser().GetId(), entry: m.GetUser(), seq: e.Sequence, removed: true, reason: m.GetReason()})
	case proto.TypeGroupRemoved:
		var m proto.GroupRemoved
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		b.add(proto.KindGroup, item{id: m.GetGroup().GetId(), entry: m.GetGroup(), seq: e.Sequence, removed: true, reason: m.GetReason()})
	}
	return nil
}

// retained is element i, if there are any.
func retained(all []proto.Retained, i int) proto.Retained {
	if i < len(all) {
		return all[i]
	}
	return 0
}

func digest(e proto.Event, packed []byte, i int) (proto.Digest, error) {
	if len(packed) < 16*(i+1) {
		return proto.Digest{}, fmt.Errorf("%s, sequence %d: a digest is missing", e.Type, e.Sequence)
	}
	return proto.Digest(packed[16*i:]), nil
}

// fromLetter makes an item of a letter.
func fromLetter(l Letter) (item, error) {
	e := proto.Event{Type: "letter", ContentType: proto.ContentTypeProtobuf, Data: l.Entry, Sequence: l.Sequence}
	if l.Kind == proto.KindGroup {
		var g proto.Group
		err := proto.Unmarshal(e, &g)
		return item{id: l.ID, entry: &g, digest: proto.DigestGroup(&g), seq: l.Sequence, letter: true, dated: true}, err
	}
	var u proto.User
	err := proto.Unmarshal(e, &u)
	return item{id: l.ID, entry: &u, digest: proto.DigestUser(&u), seq: l.Sequence, letter: true, dated: true}, err
}

// toLetter makes a letter of an item that can't be applied.
func (it item) toLetter(source string, kind proto.Kind, reason string) (*Letter, error) {
	m, ok := it.entry.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("entry %s: neither a user nor a group", it.id)
	}
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	return &Letter{Source: source, Kind: kind, ID: it.id, DN: it.dn(), Reason: reason, Sequence: it.seq, Entry: data}, err
}
