package extractor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"ldapsync/proto"
)

// Reader is what is needed to learn what a stream says. A Log is one.
type Reader interface {
	Bounds(ctx context.Context) (first, last uint64, err error)
	Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error]
	Get(ctx context.Context, sequence uint64) (proto.Event, error)
	// From hands out the events of these types from a sequence on, in order, up to the last one of now. The sequence ends with an error, or complete.
	From(ctx context.Context, from uint64, types ...proto.Type) iter.Seq2[proto.Event, error]
	LastOf(ctx context.Context, t proto.Type) (proto.Event, error)
}

// Held is what waits for a person in a source's stream, as of its last committed snapshot.
type Held struct {
	Snapshot uint64    // the number of the snapshot that told it last; 0 if there is none
	Sequence uint64    // of the last part of that
	Time     time.Time // and when it was stored, by the stream's clock
	Holds    []Hold    // the open ones before the rejected ones

	log  Reader
	held holding
}

// HeldEntry is one entry of a hold.
type HeldEntry struct {
	Key    [16]byte     // see proto.EntryKey
	Digest proto.Digest // that it has in the directory; zero of one that is gone
	User   *proto.User  // as last known; nil of a group
	Group  *proto.Group // likewise
}

// ReadHeld reads what is held in a source's stream.
func ReadHeld(ctx context.Context, log Reader) (*Held, error) {
	h := &Held{log: log}
	f, err := readHeld(ctx, log)
	if err != nil {
		return nil, err
	}
	h.held = f.now
	h.Snapshot, h.Sequence, h.Time = h.held.snapshot, h.held.sequence, h.held.time
	for _, held := range h.held.holds {
		h.Holds = append(h.Holds, held.summary())
	}
	return h, nil
}

// readHeld folds what is held alone: the brackets since the last committed full snapshot.
func readHeld(ctx context.Context, log Reader) (heldFold, error) {
	var f heldFold
	e, err := log.LastOf(ctx, proto.TypeSnapshotCommitted)
	if errors.Is(err, proto.ErrNotFound) {
		return f, nil
	} else if err != nil {
		return f, err
	}
	var committed proto.SnapshotCommitted
	if err := proto.Unmarshal(e, &committed); err != nil {
		return f, err
	}
	first, _, err := log.Bounds(ctx)
	if err != nil {
		return f, err
	}
	full := committed.GetFullSequence()
	if full < first {
		return f, fmt.Errorf("stream: the last full snapshot begins at sequence %d, but the stream at %d", full, first)
	}
	// Not from a time on: what a clock that was put back has stored later is older.
	for e, err := range log.From(ctx, full,
		proto.TypeSnapshotStarted, proto.TypeSnapshotHeld, proto.TypeSnapshotCommitted, proto.TypeSnapshotAborted) {
		if err != nil {
			return f, err
		}
		if err := f.take(e); err != nil {
			return f, err
		}
	}
	return f, nil
}

// Entries hands out the entries of the hold with this hash as the stream last told of them, in the order in which it did. The sequence ends
// with an error, or complete; it is empty if there is no such hold. Each call reads the stream from its last full snapshot on.
func (h *Held) Entries(ctx context.Context, hash string) iter.Seq2[HeldEntry, error] {
	return func(yield func(HeldEntry, error) bool) {
		held, _ := h.held.named(hash)
		if held == nil {
			return
		}
		s, err := fold(ctx, h.log)
		if err != nil {
			yield(HeldEntry{}, err)
			return
		}
		entries := make([]*known, 0, held.len())
		for n := range held.len() {
			if k := s.kinds[held.kind].find(key(held.entries[16*n:])); k != nil && !k.is(flagRemoved) {
				entries = append(entries, k)
			}
		}
		for was, err := range lastKnown(ctx, h.log, held.kind, entries) {
			if err != nil {
				yield(HeldEntry{}, err)
				return
			}
			e := HeldEntry{Key: was.known.key, User: was.user, Group: was.group}
			if n := held.find(was.known.key); len(held.digests) > 0 {
				e.Digest = proto.Digest(held.digests[16*n:])
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}
