package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"ldapsync/proto"
)

// Diff is what differs between two states of a stream. It may be used by several goroutines.
type Diff struct {
	Users, Groups Tally

	log           Log
	before, after Point
	table         table
}

// Tally counts what became of the entries of one kind.
type Tally struct {
	Came    int `json:"came"`
	Went    int `json:"went"`
	Changed int `json:"changed"` // missing, or found again, among them
}

// Any tells whether anything differs.
func (t Tally) Any() bool { return t.Came+t.Went+t.Changed > 0 }

// Difference is one entry that isn't the same in two states. Before is nil for one that came, After for one that went.
type Difference struct {
	Before, After *proto.StateEntry
}

// Entry is the entry as it is now, or as it was last.
func (d Difference) Entry() *proto.StateEntry {
	if d.After != nil {
		return d.After
	}
	return d.Before
}

// The two sides of a row.
const (
	before = 0
	after  = 1
)

// Diff compares the states at two points, which may come in any order, and counts.
func (h *History) Diff(ctx context.Context, a, b Point) (*Diff, error) {
	d := &Diff{log: uncut{h.log}, before: a, after: b}
	if err := d.fold(ctx, before, a.From, a.To); err != nil {
		return nil, err
	}
	from := b.From
	if a.From == b.From && a.To <= b.To { // the same full snapshot stands behind both: what came later is all there is to read
		for n := range d.table.n {
			d.table.at(n).copied(before, after)
		}
		from = a.To + 1
	}
	if err := d.fold(ctx, after, from, b.To); err != nil {
		return nil, err
	}
	for n := range d.table.n {
		r := d.table.at(n)
		if r.group() {
			d.Groups.count(r)
		} else {
			d.Users.count(r)
		}
	}
	return d, nil
}

func (t *Tally) count(r *row) {
	switch came, went, changed := r.fate(); {
	case came:
		t.Came++
	case went:
		t.Went++
	case changed:
		t.Changed++
	}
}

// fold takes the last word on each entry for one side.
func (d *Diff) fold(ctx context.Context, side int, from, to uint64) error {
	for e, err := range d.log.Read(ctx, max(from, 1), to) {
		if err == nil && e.Type.Entry() {
			err = d.note(side, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Diff) note(side int, e proto.Event) error {
	ix, err := proto.ReadIndex(e)
	if err != nil {
		return err
	}
	digests := ix.Digests
	if !ix.Removed && (ix.Missing || ix.DigestVersion != proto.DigestVersion) {
		if digests, err = recomputed(e, ix); err != nil {
			return err
		}
	}
	kind := ix.Kind()
	for i, id := range ix.IDs {
		r := d.table.put(keyOf(kind, id))
		r.mark[side] = e.Sequence
		if ix.Group {
			r.mark[side] |= flagGroup
		}
		if ix.Removed {
			continue
		}
		r.mark[side] |= flagThere
		if ix.Missing || len(ix.Retained) > 0 && ix.Retained[i] == proto.Retained_RETAINED_MISSING {
			r.mark[side] |= flagMissing
		}
		r.digest[side] = short(digests[i])
	}
	return nil
}

// recomputed returns the digests of an event's entries where it doesn't carry those of this version.
func recomputed(e proto.Event, ix proto.Index) ([]proto.Digest, error) {
	digests := make([]proto.Digest, len(ix.IDs))
	entries, err := pick(e, ix, func(int) bool { return true })
	for i, entry := range entries {
		if entry.Kind == proto.KindGroup {
			digests[i] = proto.DigestGroup(entry.Group)
		} else {
			digests[i] = proto.DigestUser(entry.User)
		}
	}
	return digests, err
}

// pick decodes those entries of an event whose places are wanted.
func pick(e proto.Event, ix proto.Index, wanted func(i int) bool) ([]*proto.StateEntry, error) {
	if ix.Missing || ix.Removed {
		if !wanted(0) {
			return nil, nil
		}
		entry, _, err := single(e)
		return []*proto.StateEntry{entry}, err
	}
	var places []int
	at := -1
	want := func(string) bool {
		at++
		if !wanted(at) {
			return false
		}
		places = append(places, at)
		return true
	}
	var entries []*proto.StateEntry
	if ix.Group {
		groups, err := proto.PickGroups(e, want)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			entries = append(entries, &proto.StateEntry{Kind: proto.KindGroup, Group: g})
		}
	} else {
		users, err := proto.PickUsers(e, want)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			entries = append(entries, &proto.StateEntry{Kind: proto.KindUser, User: u})
		}
	}
	for n, i := range places {
		entries[n].Digest, entries[n].Sequence = ix.Digests[i], e.Sequence
		if len(ix.Retained) > 0 {
			entries[n].Retained = ix.Retained[i]
			entries[n].Missing = ix.Retained[i] == proto.Retained_RETAINED_MISSING
		}
	}
	return entries, nil
}

// single decodes an event that carries one entry: removed or missing, as last known. approved is the hash of the hold that a person approved.
func single(e proto.Event) (entry *proto.StateEntry, approved string, err error) {
	entry = &proto.StateEntry{Kind: proto.KindUser, Sequence: e.Sequence}
	switch e.Type {
	case proto.TypeUserMissing:
		var m proto.UserMissing
		err = proto.Unmarshal(e, &m)
		entry.User, entry.Reason, entry.Missing, entry.Since, approved = m.GetUser(), m.GetReason(), true, e.Time, m.GetApproved()
		if m.GetSince() != nil {
			entry.Since = m.GetSince().AsTime()
		}
	case proto.TypeUserRemoved:
		var m proto.UserRemoved
		err = proto.Unmarshal(e, &m)
		entry.User, entry.Reason, approved = m.GetUser(), m.GetReason(), m.GetApproved()
	case proto.TypeGroupRemoved:
		var m proto.GroupRemoved
		err = proto.Unmarshal(e, &m)
		entry.Kind, entry.Group, entry.Reason, approved = proto.KindGroup, m.GetGroup(), m.GetReason(), m.GetApproved()
	default:
		err = fmt.Errorf("%s, sequence %d: carries no single entry", e.Type, e.Sequence)
	}
	if entry.Kind == proto.KindGroup {
		entry.Digest = proto.DigestGroup(entry.Group)
	} else {
		entry.Digest = proto.DigestUser(entry.User)
	}
	return entry, approved, err
}

// Differences hands out what differs: first who came or changed, in the order of the events that say so, then who went. The sequence
// ends with an error, or complete. It keeps a few of the stream's messages, and no entries.
func (d *Diff) Differences(ctx context.Context) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		l := lookup{log: d.log}
		from := d.after.From
		if d.before.From <= d.after.From && d.before.To <= d.after.To {
			from = max(from, d.before.To+1) // what the state after took from before isn't different
		}
		left := d.Users.Came + d.Users.Changed + d.Groups.Came + d.Groups.Changed
		take := func(entries []*proto.StateEntry) ([]Difference, error) { return d.pairs(ctx, &l, entries) }
		more, err := d.hand(ctx, after, from, left, take, yield)
		if more && err == nil {
			left = d.Users.Went + d.Groups.Went
			_, err = d.hand(ctx, before, d.before.From, left, gone, yield)
		}
		if err != nil {
			yield(Difference{}, err)
		}
	}
}

func gone(entries []*proto.StateEntry) ([]Difference, error) {
	list := make([]Difference, len(entries))
	for i, e := range entries {
		list[i].Before = e
	}
	return list, nil
}

// hand hands out the differing entries on which the events of one side have the last word there, left in all. false: the receiver had enough.
func (d *Diff) hand(ctx context.Context, side int, from uint64, left int, take func([]*proto.StateEntry) ([]Difference, error), yield func(Difference, error) bool) (bool, error) {
	to := d.after.To
	if side == before {
		to = d.before.To
	}
	if left == 0 {
		return true, nil
	}
	for e, err := range d.log.Read(ctx, max(from, 1), to) {
		if err != nil {
			return false, err
		}
		if !e.Type.Entry() {
			continue
		}
		entries, err := d.differing(side, e)
		if err != nil {
			return false, err
		}
		list, err := take(entries)
		if err != nil {
			return false, err
		}
		for _, one := range list {
			if !yield(one, nil) {
				return false, nil
			}
		}
		if left -= len(list); left == 0 {
			return true, nil
		}
	}
	return false, lost("%d entries are no longer in the stream", left)
}

// differing decodes the differing entries on which an event has the last word on one side.
func (d *Diff) differing(side int, e proto.Event) ([]*proto.StateEntry, error) {
	ix, err := proto.ReadIndex(e)
	if err != nil || ix.Removed {
		return nil, err
	}
	kind, last := ix.Kind(), map[string]int{}
	for i, id := range ix.IDs {
		r := d.table.find(keyOf(kind, id))
		if r == nil || r.carried(side) != e.Sequence|flagThere {
			continue
		}
		if came, went, changed := r.fate(); side == before && went || side == after && (came || changed) {
			last[id] = i
		}
	}
	if len(last) == 0 {
		return nil, nil
	}
	return pick(e, ix, func(i int) bool {
		at, ok := last[ix.IDs[i]]
		return ok && at == i
	})
}

// pairs puts what each entry was before beside it.
func (d *Diff) pairs(ctx context.Context, l *lookup, entries []*proto.StateEntry) ([]Difference, error) {
	list := make([]Difference, len(entries))
	wanted := map[uint64]map[string]int{} // by sequence and id, the place
	for i, e := range entries {
		list[i].After = e
		if r := d.table.find(keyOf(e.Kind, e.ID())); r.there(before) {
			if wanted[r.sequence(before)] == nil {
				wanted[r.sequence(before)] = map[string]int{}
			}
			wanted[r.sequence(before)][e.ID()] = i
		}
	}
	for sequence, ids := range wanted {
		found, err := l.entries(ctx, sequence, func(id string) bool { _, ok := ids[id]; return ok })
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			list[ids[e.ID()]].Before = e
		}
		for id, i := range ids {
			if list[i].Before == nil {
				return nil, lost("sequence %d doesn't carry %s %s any more", sequence, entries[i].Kind, id)
			}
		}
	}
	return list, nil
}

// Group returns a group as the state after has it, else as the state before does; proto.ErrNotFound if neither has it.
func (d *Diff) Group(ctx context.Context, id string) (*proto.Group, error) {
	r := d.table.find(keyOf(proto.KindGroup, id))
	for _, side := range []int{after, before} {
		if r == nil || !r.there(side) {
			continue
		}
		l := lookup{log: d.log}
		found, err := l.entries(ctx, r.sequence(side), func(found string) bool { return found == id })
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return found[len(found)-1].Group, nil
	}
	return nil, fmt.Errorf("group %s: %w", id, proto.ErrNotFound)
}

// lookup gets events by their sequence, and keeps the last few: what changed together was often published together.
type lookup struct {
	log  Log
	kept []proto.Event // the one used last is last
}

const keptEvents = 32

func (l *lookup) event(ctx context.Context, sequence uint64) (proto.Event, error) {
	i := slices.IndexFunc(l.kept, func(e proto.Event) bool { return e.Sequence == sequence })
	if i >= 0 {
		e := l.kept[i]
		l.kept = append(slices.Delete(l.kept, i, i+1), e)
		return e, nil
	}
	e, err := l.log.Get(ctx, sequence)
	if errors.Is(err, proto.ErrNotFound) {
		err = lost("sequence %d is gone", sequence)
	}
	if err != nil {
		return e, err
	}
	if len(l.kept) == keptEvents {
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	l.kept = append(l.kept, e)
	return e, nil
}

// entries returns those entries of an event that are wanted; of an id that it carries twice, the last one last.
func (l *lookup) entries(ctx context.Context, sequence uint64, wanted func(id string) bool) ([]*proto.StateEntry, error) {
	e, err := l.event(ctx, sequence)
	if err != nil {
		return nil, err
	}
	ix, err := proto.ReadIndex(e)
	if err != nil {
		return nil, err
	}
	return pick(e, ix, func(i int) bool { return wanted(ix.IDs[i]) })
}
