package history

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Log is the stream of a source as its history is read from it.
type Log interface {
	proto.Reader
	// Bounds returns the first and the last sequence of the stream. An empty stream has first = last + 1.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Get returns one event by its sequence. proto.ErrNotFound if it isn't there.
	Get(ctx context.Context, sequence uint64) (proto.Event, error)
	// Since hands out the events of these types that the stream stored at a time or later, in order, up to the last one of now.
	Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error]
}

// History is what a stream held when it was opened.
type History struct {
	// Snapshots, in the order of their sequences: the oldest first.
	Snapshots []Snapshot

	log         Log
	first, last uint64
}

// opens is how often a history is read anew that is cut meanwhile.
const opens = 5

// Open reads the brackets of all snapshots of a stream, and no entries. A history that is cut meanwhile is read again.
func Open(ctx context.Context, log Log) (*History, error) {
	for n := 1; ; n++ {
		h, err := open(ctx, log)
		if !errors.Is(err, proto.ErrCut) || n == opens || ctx.Err() != nil {
			return h, err
		}
	}
}

func open(ctx context.Context, log Log) (*History, error) {
	h := &History{log: log}
	var err error
	if h.first, h.last, err = log.Bounds(ctx); err != nil {
		return nil, err
	}
	b := brackets{history: h}
	for e, err := range log.Since(ctx, time.Time{}, bracketTypes...) {
		if err == nil && e.Sequence <= h.last {
			err = b.take(e)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := h.stands(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// stands tells, by an ErrCut, that the history no longer reaches back as far as when it was opened.
func (h *History) stands(ctx context.Context) error { return uncut{h.log}.check(ctx, h.first) }

// Last is the sequence of the last event there was.
func (h *History) Last() uint64 { return h.last }

// Cut tells whether the history no longer reaches back to the first event.
func (h *History) Cut() bool { return h.first > 1 }

// Latest returns the last snapshot that was committed; nil if none was.
func (h *History) Latest() *Snapshot { return h.committedBefore(len(h.Snapshots)) }

// committedBefore returns the last committed snapshot before a place in the list; nil if there is none.
func (h *History) committedBefore(place int) *Snapshot {
	for i := place - 1; i >= 0; i-- {
		if h.Snapshots[i].Status == Committed {
			return &h.Snapshots[i]
		}
	}
	return nil
}

// Told returns the snapshot whose Held says what waited when s ended: s, or the last one before it that says so; nil if none does.
func (h *History) Told(s *Snapshot) *Snapshot {
	for i := h.place(s); i >= 0; i-- {
		if h.Snapshots[i].HoldsTold {
			return &h.Snapshots[i]
		}
	}
	return nil
}

// place is where a snapshot stands in the list.
func (h *History) place(s *Snapshot) int {
	i, _ := slices.BinarySearchFunc(h.Snapshots, s.First, func(s Snapshot, first uint64) int { return cmp.Compare(s.First, first) })
	return i
}

// At returns the snapshot in which an event was published; nil if that isn't known any more.
func (h *History) At(sequence uint64) *Snapshot {
	i, found := slices.BinarySearchFunc(h.Snapshots, sequence, func(s Snapshot, q uint64) int { return cmp.Compare(s.First, q) })
	if !found {
		i--
	}
	if i < 0 || h.Snapshots[i].Last != 0 && h.Snapshots[i].Last < sequence {
		return nil
	}
	return &h.Snapshots[i]
}

// Point is a point in a stream: the state after the event To. Whoever reads from From on knows that state.
type Point struct{ From, To uint64 }

// Point is where a snapshot ends: for one that wasn't committed, after the additions that it published nevertheless.
func (h *History) Point(s *Snapshot) Point {
	p := Point{From: s.FullSequence, To: cmp.Or(s.Last, h.last)}
	if s.Status != Committed {
		p.From = 1
		if before := h.committedBefore(h.place(s)); before != nil {
			p.From = before.FullSequence
		}
	}
	return p
}

// Before is where a snapshot begins; false if the history before it was cut off, and what was there isn't known any more.
func (h *History) Before(s *Snapshot) (Point, bool) {
	p := Point{From: 1, To: s.First - 1}
	if before := h.committedBefore(h.place(s)); before != nil {
		p.From = before.FullSequence
	}
	return p, p.From >= h.first
}

// Now is the end of what there was when the history was opened: what an open or aborted snapshot published counts.
func (h *History) Now() Point {
	p := Point{From: 1, To: h.last}
	if s := h.Latest(); s != nil {
		p.From = s.FullSequence
	}
	return p
}

// Removed hands out who was removed and is wanted (nil: all), users, as last known, in order; who came back is among them.
func (h *History) Removed(ctx context.Context, wanted func(proto.Encoded) bool) iter.Seq2[proto.StateEntry, error] {
	return func(yield func(proto.StateEntry, error) bool) {
		var scanner proto.Scanner
		for e, err := range h.log.Since(ctx, time.Time{}, proto.TypeUserRemoved) {
			var entry *proto.StateEntry
			if err == nil {
				entry, err = removed(&scanner, e, wanted)
			}
			if err != nil {
				yield(proto.StateEntry{}, err)
				return
			}
			if entry != nil && !yield(*entry, nil) {
				return
			}
		}
		if err := h.stands(ctx); err != nil {
			yield(proto.StateEntry{}, err)
		}
	}
}

// removed decodes who was removed by an event; nil if she isn't wanted.
func removed(scanner *proto.Scanner, e proto.Event, wanted func(proto.Encoded) bool) (*proto.StateEntry, error) {
	if wanted != nil {
		entries, err := scanner.Scan(e)
		if err != nil || !wanted(entries[0]) {
			return nil, err
		}
	}
	entry, _, err := single(e)
	return entry, err
}

// State returns what the directory looked like at a point.
func (h *History) State(ctx context.Context, p Point) (*proto.State, error) {
	r := uncut{h.log}
	if err := r.check(ctx, p.From); err != nil {
		return nil, err
	}
	return proto.ReadState(ctx, r, p.From, p.To)
}

// hintLeft is what to do about a history that was cut.
const hintLeft = "ldapsync snapshots list shows what is left; history.keep says for how long"

// lost says that events are no longer there which were when the history was opened.
func lost(format string, args ...any) error {
	return fault.Passing(fault.Stream, hintLeft, format+": the history %w", append(args, proto.ErrCut)...)
}

// uncut is a log whose Read ends with an error where the stream was cut off behind its beginning: what a cut takes away is
// otherwise like what was erased, and left out in silence.
type uncut struct{ Log }

// Read reads as the log does.
func (u uncut) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		if to == 0 || from > to {
			return
		}
		for e, err := range u.Log.Read(ctx, from, to) {
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := u.check(ctx, from); err != nil {
			yield(proto.Event{}, err)
		}
	}
}

func (u uncut) check(ctx context.Context, from uint64) error {
	first, last, err := u.Bounds(ctx)
	if err == nil && from < first && first <= last {
		err = fault.Passing(fault.Stream, hintLeft, "the history from sequence %d to %d %w", from, first-1, proto.ErrCut)
	}
	return err
}
