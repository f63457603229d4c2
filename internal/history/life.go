package history

import (
	"context"
	"iter"
	"slices"
	"time"

	"ldapsync/proto"
)

// Happening is something that happened to an entry.
type Happening struct {
	What     What
	Snapshot uint64 // in which it was published; 0 where that isn't known any more
	Sequence uint64
	Time     time.Time // by the stream's clock
	Reason   string    // of Missing and Removed, for people
	Approved string    // the hash of the hold that a person approved, if it was held before
	Difference
}

// What happened.
type What string

// What can happen to an entry.
const (
	Known    What = "known" // the history begins with it
	Came     What = "came"
	Changed  What = "changed" // also renamed, or moved: see Changes
	Missing  What = "missing" // it wasn't found; removed when the source's grace is over
	Found    What = "found"   // again, after it was missing
	Removed  What = "removed"
	Returned What = "returned" // after it was removed
)

// Life tells what happened to one entry, from the beginning of the history on. What a full snapshot only repeats isn't a happening. It reads
// every event of the kind.
func (h *History) Life(ctx context.Context, kind proto.Kind, id string) iter.Seq2[Happening, error] {
	types := []proto.Type{proto.TypeUserUpserted, proto.TypeUserMissing, proto.TypeUserRemoved}
	if kind == proto.KindGroup {
		types = []proto.Type{proto.TypeGroupUpserted, proto.TypeGroupRemoved}
	}
	return func(yield func(Happening, error) bool) {
		l := life{history: h, id: id}
		for e, err := range h.log.Since(ctx, time.Time{}, types...) {
			var happening *Happening
			if err == nil {
				happening, err = l.take(e)
			}
			if err != nil {
				yield(Happening{}, err)
				return
			}
			if happening != nil && !yield(*happening, nil) {
				return
			}
		}
		if err := h.stands(ctx); err != nil {
			yield(Happening{}, err)
		}
	}
}

// life follows one entry.
type life struct {
	history *History
	id      string
	scanner proto.Scanner
	last    *proto.StateEntry // as last known
	gone    bool
}

// take returns what an event says that is new; nil if it says nothing.
func (l *life) take(e proto.Event) (*Happening, error) {
	entries, err := l.scanner.Scan(e)
	if err != nil || !slices.ContainsFunc(entries, func(x proto.Encoded) bool { return string(x.ID) == l.id }) {
		return nil, err
	}
	return l.told(e)
}

// told takes an event that carries the entry.
func (l *life) told(e proto.Event) (*Happening, error) {
	ix, err := proto.ReadIndex(e)
	if err != nil {
		return nil, err
	}
	place := -1
	for i, id := range ix.IDs {
		if id == l.id {
			place = i
		}
	}
	if ix.Removed || ix.Missing {
		return l.lost(e, ix.Missing)
	}
	entries, err := pick(e, ix, func(i int) bool { return i == place })
	if err != nil {
		return nil, err
	}
	return l.seen(e, entries[0]), nil
}

func (l *life) happening(e proto.Event, what What) *Happening {
	h := &Happening{What: what, Sequence: e.Sequence, Time: e.Time}
	if s := l.history.At(e.Sequence); s != nil {
		h.Snapshot = s.Number
	}
	return h
}

// seen takes the entry as it was published.
func (l *life) seen(e proto.Event, entry *proto.StateEntry) *Happening {
	h := l.happening(e, Changed)
	h.Difference = Difference{Before: l.last, After: entry}
	switch {
	case l.last == nil:
		h.What = Came
		if oldest := l.history.Snapshots; l.history.Cut() && len(oldest) > 0 && h.Snapshot == oldest[0].Number {
			h.What = Known
		}
	case l.gone:
		h.What = Returned
	case l.last.Missing && !entry.Missing:
		h.What = Found
	case !l.last.Missing && entry.Missing:
		h.What = Missing
	case len(h.Changes()) == 0:
		h = nil
	}
	l.last, l.gone = entry, false
	return h
}

// lost takes a removal, or that it is missing.
func (l *life) lost(e proto.Event, missing bool) (*Happening, error) {
	entry, approved, err := single(e)
	if err != nil {
		return nil, err
	}
	h := l.happening(e, Removed)
	h.Reason, h.Approved = entry.Reason, approved
	before := l.last
	if before == nil {
		before = entry // as last known: the history begins later
	}
	switch {
	case missing && l.last != nil && l.last.Missing && !l.gone:
		return nil, nil // a full snapshot repeats it
	case missing:
		h.What, h.Difference = Missing, Difference{Before: before, After: entry}
		l.last, l.gone = entry, false
	case l.gone:
		return nil, nil
	default:
		h.Difference = Difference{Before: before}
		l.last, l.gone = before, true
	}
	return h, nil
}
