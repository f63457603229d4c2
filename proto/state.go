package proto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Reader reads a stretch of a source's stream.
type Reader interface {
	// Read hands out the events from sequence from up to and including to, in order; the events that were erased are left out.
	// The sequence ends with an error, or complete.
	Read(ctx context.Context, from, to uint64) iter.Seq2[Event, error]
}

// ErrCut is wrapped by errors that say that a history lacks what it had when it was looked at before. Look again.
var ErrCut = errors.New("was cut off, or entries were erased, meanwhile")

// State is what a source's stream says of every entry after its first S sequences: which entries there are, and which event says the
// last word on each. It is the one operation behind new targets, changed mappings, sweeps, verification and replay. 24 bytes an entry and
// 5 to 10 for the index; the entries themselves aren't held. It never changes, and may be used by several goroutines.
//
// An upserted entry is there, a removed one isn't, and one that is published again after its removal is there again. A missing user
// is there, as she was last known, and marked.
type State struct {
	reader   Reader
	from, to uint64
	table    stateTable
	live     map[Kind]int
	twice    map[uint64]bool // events that carry an entry more than once; nobody should publish such
}

// ReadState reads the index of every event from from to to, and returns the state after to. from is where the last full snapshot that was
// committed up to to begins (see SnapshotCommitted.full_sequence); an earlier sequence gives the same state.
func ReadState(ctx context.Context, r Reader, from, to uint64) (*State, error) {
	s := &State{reader: r, from: max(from, 1), to: to, live: map[Kind]int{}, twice: map[uint64]bool{}}
	for e, err := range r.Read(ctx, s.from, s.to) {
		if err == nil && e.Type.Entry() {
			err = s.note(e)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// note takes the last word on the entries of an event.
func (s *State) note(e Event) error {
	ix, err := ReadIndex(e)
	if err != nil {
		return err
	}
	kind := ix.Kind()
	for _, id := range ix.IDs {
		row := s.table.put(stateKeyOf(kind, id))
		switch was := row.live(); {
		case ix.Removed && was:
			s.live[kind]--
		case !ix.Removed && !was:
			s.live[kind]++
		}
		if row.mark == e.Sequence {
			s.twice[e.Sequence] = true
		}
		row.mark = e.Sequence
		if ix.Removed {
			row.mark |= stateRemoved
		}
	}
	return nil
}

// Kind is the kind of the entries that the event carries.
func (ix *Index) Kind() Kind {
	if ix.Group {
		return KindGroup
	}
	return KindUser
}

// Sequence is S: the state is that after this sequence.
func (s *State) Sequence() uint64 { return s.to }

// Len counts the entries of a kind that are there, the missing ones among them.
func (s *State) Len(kind Kind) int { return s.live[kind] }

// Contains tells whether an entry is there, missing or not.
func (s *State) Contains(kind Kind, id string) bool {
	_, ok := s.Find(kind, id)
	return ok
}

// Find returns the sequence of the event that carries an entry as it is; false if it isn't there.
func (s *State) Find(kind Kind, id string) (sequence uint64, ok bool) {
	row := s.table.find(stateKeyOf(kind, id))
	if row == nil || !row.live() {
		return 0, false
	}
	return row.mark, true
}

// StateEntry is one entry of a state.
type StateEntry struct {
	Kind  Kind
	User  *User  // nil for a group
	Group *Group // nil for a user

	Digest   Digest
	Sequence uint64 // of the event that carries it

	Retained Retained  // why a full snapshot carries it though its listing didn't; see there
	Missing  bool      // it is no longer in the directory, and its grace isn't over
	Since    time.Time // when it was found missing, where the event says so
	Reason   string    // for people: what was looked for and not found
}

// ID is the entry's id.
func (e *StateEntry) ID() string {
	if e.Kind == KindGroup {
		return e.Group.GetId()
	}
	return e.User.GetId()
}

// DN is the entry's DN.
func (e *StateEntry) DN() string {
	if e.Kind == KindGroup {
		return e.Group.GetDn()
	}
	return e.User.GetDn()
}

// Attributes are the entry's attributes.
func (e *StateEntry) Attributes() []*Attribute {
	if e.Kind == KindGroup {
		return e.Group.GetAttributes()
	}
	return e.User.GetAttributes()
}

// Entries reads the events once more and hands out each entry that is there once, in the order of the events that carry them: a
// user may come before one of her groups. With kinds, only those. The sequence ends with an error, which is an ErrCut if entries are no longer there, or complete. An
// entry belongs to the receiver.
func (s *State) Entries(ctx context.Context, kinds ...Kind) iter.Seq2[StateEntry, error] {
	if len(kinds) == 0 {
		kinds = []Kind{KindUser, KindGroup}
	}
	return func(yield func(StateEntry, error) bool) {
		left := 0
		for _, kind := range []Kind{KindUser, KindGroup} {
			if slices.Contains(kinds, kind) {
				left += s.live[kind]
			}
		}
		if left == 0 {
			return
		}
		for e, err := range s.reader.Read(ctx, s.from, s.to) {
			var entries []StateEntry
			if err == nil && e.Type.Entry() && slices.Contains(kinds, e.Type.Kind()) {
				entries, err = s.carried(e)
			}
			if err != nil {
				yield(StateEntry{}, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
			if left -= len(entries); left == 0 {
				return // what follows carries none of them: groups come first in a full snapshot
			}
		}
		if left != 0 {
			yield(StateEntry{}, fmt.Errorf("%d entries of the state at sequence %d are no longer in the stream: it %w", left, s.to, ErrCut))
		}
	}
}

// Kind is the kind of the entries that events of this type carry.
func (t Type) Kind() Kind {
	if strings.HasPrefix(string(t), "group.") {
		return KindGroup
	}
	return KindUser
}

// carried decodes the entries on which an event has the last word.
func (s *State) carried(e Event) ([]StateEntry, error) {
	ix, err := ReadIndex(e)
	if err != nil || ix.Removed {
		return nil, err
	}
	kind, picked := ix.Kind(), make([]int, 0, len(ix.IDs))
	for i, id := range ix.IDs {
		if row := s.table.find(stateKeyOf(kind, id)); row != nil && row.mark == e.Sequence {
			picked = append(picked, i)
		}
	}
	if s.twice[e.Sequence] {
		picked = lastOfEach(picked, ix.IDs)
	}
	if len(picked) == 0 {
		return nil, nil
	}
	return decodeEntries(e, ix, picked)
}

// ReadEntries decodes those entries of an upserted or missing event whose ids are wanted, in their order; of an id that comes twice, the last one. An event
// that removes an entry has none.
func ReadEntries(e Event, wanted func(id string) bool) ([]StateEntry, error) {
	ix, err := ReadIndex(e)
	if err != nil || ix.Removed {
		return nil, err
	}
	var picked []int
	for i, id := range ix.IDs {
		if wanted(id) {
			picked = append(picked, i)
		}
	}
	if len(picked) == 0 {
		return nil, nil
	}
	return decodeEntries(e, ix, lastOfEach(picked, ix.IDs))
}

// lastOfEach leaves out the numbers of ids that come again behind them.
func lastOfEach(picked []int, ids []string) []int {
	last := map[string]int{}
	for _, i := range picked {
		last[ids[i]] = i
	}
	kept := picked[:0]
	for _, i := range picked {
		if last[ids[i]] == i {
			kept = append(kept, i)
		}
	}
	return kept
}

// decodeEntries decodes the picked entries of an upserted or missing event.
func decodeEntries(e Event, ix Index, picked []int) ([]StateEntry, error) {
	if ix.Missing {
		var m UserMissing
		if err := Unmarshal(e, &m); err != nil {
			return nil, err
		}
		u := m.GetUser()
		return []StateEntry{{Kind: KindUser, User: u, Digest: DigestUser(u), Sequence: e.Sequence, Missing: true, Since: ix.Since, Reason: m.GetReason()}}, nil
	}
	n, next := -1, 0
	wanted := func(string) bool {
		n++
		if next == len(picked) || picked[next] != n {
			return false
		}
		next++
		return true
	}
	var users []*User
	var groups []*Group
	var err error
	if ix.Group {
		groups, err = PickGroups(e, wanted)
	} else {
		users, err = PickUsers(e, wanted)
	}
	if err != nil {
		return nil, err
	}
	entries := make([]StateEntry, len(picked))
	for n, i := range picked {
		entry := StateEntry{Kind: ix.Kind(), Digest: ix.Digests[i], Sequence: e.Sequence}
		if ix.Group {
			entry.Group = groups[n]
		} else {
			entry.User = users[n]
		}
		if len(ix.Retained) > 0 {
			entry.Retained = ix.Retained[i]
			entry.Missing = entry.Retained == Retained_RETAINED_MISSING
		}
		entries[n] = entry
	}
	return entries, nil
}
