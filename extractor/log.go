package extractor

import (
	"context"
	"iter"
	"time"

	"ldapsync/proto"
)

// Log is the stream of a source as its one writer sees it.
type Log interface {
	// StreamID is the identity of the stream.
	StreamID() string
	// Bounds returns the first and the last sequence of the stream. An empty stream has first = last + 1.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Read hands out the events from sequence from up to and including to, in order; the events that were erased are left out.
	// The sequence ends with an error, or complete.
	Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error]
	// Get returns one event by its sequence. proto.ErrNotFound if it isn't there.
	Get(ctx context.Context, sequence uint64) (proto.Event, error)
	// Since hands out the events of these types that the stream stored at a time or later, in order, up to the last one of now. The
	// sequence ends with an error, or complete.
	Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error]
	// From hands out the events of these types from a sequence on, in order, up to the last one of now. The sequence ends with an error, or complete.
	From(ctx context.Context, from uint64, types ...proto.Type) iter.Seq2[proto.Event, error]
	// LastOf returns the last event of a type. proto.ErrNotFound if there is none.
	LastOf(ctx context.Context, t proto.Type) (proto.Event, error)

	// Begin starts writing behind sequence last: the first publish is refused (proto.ErrRival) if the stream has moved on since.
	Begin(last uint64)
	// Publish hands over one event; Type, ContentType, Data and an ID that no other writer ever uses are set. It is pipelined: it returns, with the sequence that the
	// event will have, before the stream has stored it. An error, here or from Flush, is final until the next Begin.
	// proto.ErrRival: another writer was there.
	Publish(ctx context.Context, e proto.Event) (sequence uint64, err error)
	// Flush waits until everything handed over is stored, and returns the last sequence.
	Flush(ctx context.Context) (last uint64, err error)
}
