package extractor

import (
	"context"
	"iter"
	"time"

	"ldapsync/proto"
)

// History is a source's stream as retention sees it.
type History interface {
	// Since hands out the events of these types that the stream stored at a time or later, in order.
	Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error]
	// Floor returns up to where every consumer has seen the stream, and who is the last one; "" if nobody consumes it.
	Floor(ctx context.Context) (sequence uint64, who string, err error)
	// Cut deletes all events before a sequence.
	Cut(ctx context.Context, before uint64) error
}

// Retained tells what retention did.
type Retained struct {
	// Begins is the sequence with which the history begins now: the start of a full snapshot. 0 while there is none.
	Begins uint64
	// Snapshots is how many committed snapshots went with what was cut off.
	Snapshots int
	// HeldBack names the consumer that still needs what would have been cut off; "" if none does.
	HeldBack string
	// HeldAt is how far that consumer has come.
	HeldAt uint64
}

// Retain cuts off the history before the oldest full snapshot that is to be kept, so that the state at any time of the last keep can be
// told. It cuts only in units of full snapshots, only what every consumer has seen, and never into the last one. Time is the stream's:
// that of its last committed snapshot. keep 0 keeps everything.
func Retain(ctx context.Context, h History, keep time.Duration) (Retained, error) {
	type full struct {
		begins    uint64
		committed time.Time
		before    int // committed snapshots before it
	}
	var fulls []full
	var now time.Time
	var n int
	for e, err := range h.Since(ctx, time.Time{}, proto.TypeSnapshotCommitted) {
		if err != nil {
			return Retained{}, err
		}
		var m proto.SnapshotCommitted
		if err := proto.Unmarshal(e, &m); err != nil {
			return Retained{}, err
		}
		if m.GetFull() {
			fulls = append(fulls, full{m.GetStartedSequence(), e.Time, n})
		}
		now = e.Time
		n++
	}
	if len(fulls) == 0 {
		return Retained{}, nil
	}
	r := Retained{Begins: fulls[0].begins}
	if keep <= 0 {
		return r, nil
	}
	wanted := 0 // the newest one that is as old as what is to be kept, before any that is younger: behind that a clock was put back
	for i, f := range fulls {
		if f.committed.After(now) {
			continue // by a clock that was ahead
		}
		if f.committed.After(now.Add(-keep)) {
			break
		}
		wanted = i
	}
	floor, who, err := h.Floor(ctx) // before the cut, which moves consumers on
	if err != nil {
		return r, err
	}
	at := wanted
	for at > 0 && fulls[at].begins > floor+1 {
		at--
	}
	if at < wanted {
		r.HeldBack, r.HeldAt = who, floor
	}
	if at == 0 {
		return r, nil
	}
	if err := h.Cut(ctx, fulls[at].begins); err != nil {
		return r, err
	}
	r.Begins, r.Snapshots = fulls[at].begins, fulls[at].before
	return r, nil
}
