package extractor

import (
	"context"
	"iter"
	"time"

	"ldapsync/proto"
)

// Reader is what ReadHeld needs of a stream. A Log is one.
type Reader interface {
	Bounds(ctx context.Context) (first, last uint64, err error)
	Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error]
	Get(ctx context.Context, sequence uint64) (proto.Event, error)
	Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error]
	LastOf(ctx context.Context, t proto.Type) (proto.Event, error)
}

// Held is what waits for a person in a source's stream, as of its last committed snapshot.
type Held struct {
	Snapshot uint64    // the number of the snapshot that told it last; 0 if none ever held anything
	Sequence uint64    // of the last part of that
	Time     time.Time // and when it was stored, by the stream's clock
	Holds    []Hold    // the open ones before the rejected ones

	log Reader
}

// HeldEntry is one entry of a hold.
type HeldEntry struct {
	Key    [16]byte     // see proto.EntryKey
	Digest proto.Digest // that she has in the directory; zero of one that is gone
	User   *proto.User  // as last known; nil of a group
	Group  *proto.Group // likewise
}

// ReadHeld reads what is held in a source's stream.
func ReadHeld(ctx context.Context, log Reader) (*Held, error) {
	return &Held{log: log}, nil
}

// Entries hands out the entries of one of the holds, resolved to what the stream last said of them, in the order of the stream.
func (h *Held) Entries(ctx context.Context, hold Hold) iter.Seq2[HeldEntry, error] {
	return func(yield func(HeldEntry, error) bool) {}
}
