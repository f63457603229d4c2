package extractor

import (
	"context"
	"iter"
	"slices"
	"time"

	"ldapsync/proto"
)

// MemoryLog is a stream in memory, with one writer and a clock that a test moves.
type MemoryLog struct {
	Events []proto.Event
	Gets   int       // how often single events were fetched
	Now    time.Time // when what is published next is stored
}

// StreamID implements Log.
func (l *MemoryLog) StreamID() string { return "memory" }

// Bounds implements Log.
func (l *MemoryLog) Bounds(context.Context) (first, last uint64, err error) {
	return 1, uint64(len(l.Events)), nil
}

// Get implements Log.
func (l *MemoryLog) Get(_ context.Context, sequence uint64) (proto.Event, error) {
	l.Gets++
	if sequence == 0 || sequence > uint64(len(l.Events)) {
		return proto.Event{}, proto.ErrNotFound
	}
	return l.Events[sequence-1], nil
}

// LastOf implements Log.
func (l *MemoryLog) LastOf(_ context.Context, t proto.Type) (proto.Event, error) {
	for _, e := range slices.Backward(l.Events) {
		if e.Type == t {
			return e, nil
		}
	}
	return proto.Event{}, proto.ErrNotFound
}

// Read implements Log.
func (l *MemoryLog) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return l.those(func(e proto.Event) bool { return e.Sequence >= from && e.Sequence <= to })
}

// Since implements Log.
func (l *MemoryLog) Since(_ context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return l.those(func(e proto.Event) bool { return !e.Time.Before(from) && slices.Contains(types, e.Type) })
}

// From implements Reader.
func (l *MemoryLog) From(_ context.Context, from uint64, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return l.those(func(e proto.Event) bool { return e.Sequence >= from && slices.Contains(types, e.Type) })
}

func (l *MemoryLog) those(wanted func(proto.Event) bool) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range l.Events {
			if wanted(e) && !yield(e, nil) {
				return
			}
		}
	}
}

// Begin implements Log.
func (l *MemoryLog) Begin(uint64) {}

// Publish implements Log.
func (l *MemoryLog) Publish(_ context.Context, e proto.Event) (uint64, error) {
	e.Sequence, e.Time = uint64(len(l.Events)+1), l.Now
	l.Events = append(l.Events, e)
	return e.Sequence, nil
}

// Flush implements Log.
func (l *MemoryLog) Flush(context.Context) (uint64, error) { return uint64(len(l.Events)), nil }
