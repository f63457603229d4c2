package applier

import (
	"context"
	"iter"

	"ldapsync/proto"
)

// Stream is the stream of a source as its readers see it.
type Stream interface {
	// StreamID is the identity of the stream.
	StreamID() string
	// Bounds returns the first and the last sequence of the stream. An empty stream has first = last + 1.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Read hands out the events from sequence from up to and including to, in order; the events that were erased are left out.
	// The sequence ends with an error, or complete.
	Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error]
	// Follow hands out every event from sequence from on, and waits for more, until ctx is done or an error ends it. Event.Pending is
	// set. It survives a lost connection: nothing is left out and nothing handed out twice.
	Follow(ctx context.Context, from uint64) iter.Seq2[proto.Event, error]
	// LastOf returns the last event of a type. proto.ErrNotFound if there is none.
	LastOf(ctx context.Context, t proto.Type) (proto.Event, error)
}
