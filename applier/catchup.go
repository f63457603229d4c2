package applier

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// The modes of a checkpoint. A live target follows the stream. One that is catching up is brought to the state at the last committed
// snapshot, and what that doesn't have is swept, before it follows again: it missed events that were cut off, took another stream, or was
// released from a replay. So does a new one that comes late. One that is pinned to a snapshot, or on the way to it, is left alone.
const (
	modeLive      = "live"
	modeBehind    = "catching up" // and the sequence of the snapshot: who takes another one has moved the checkpoint
	modeReplaying = "replaying "  // and the snapshot's number
	modePinned    = "pinned "     // likewise
)

// beginning is where a target goes on in the stream.
type beginning struct {
	from       uint64
	checkpoint *Checkpoint // nil: there is none
	behind     bool        // it catches up first
	full       uint64      // where the last committed full snapshot begins; 0 if there is none
}

// start says where to go on, and checks that the checkpoint belongs to this stream.
func (a *Applier) start(ctx context.Context, cp *Checkpoint) (beginning, error) {
	first, last, err := a.stream.Bounds(ctx)
	if err != nil {
		return beginning{}, err
	}
	full, err := LastFull(ctx, a.stream)
	if err != nil {
		return beginning{}, err
	}
	b := beginning{from: max(first, full, 1), checkpoint: cp, full: full}
	if cp == nil {
		b.behind = full > 0 // it gets the state as it is, not what led to it
		return b, nil
	}
	if err := cp.Refuse(a.cfg.Target); err != nil {
		return b, err
	}
	switch {
	case cp.StreamID != a.stream.StreamID():
		if err := a.foreign(cp); err != nil {
			return b, err
		}
		b.behind = true
	case cp.CatchingUp():
		b.behind = true
	case cp.Sequence > last:
		return b, fault.New(fault.Stream, "the stream was restored from an older copy: events are missing in it; make a full snapshot into a new stream and accept that",
			"it is at sequence %d of source %s, but the stream ends at %d", cp.Sequence, a.cfg.Source, last)
	case cp.Sequence+1 < first:
		a.cfg.Logger.Warn("what follows was cut off: taking the state at the last snapshot", "target", a.cfg.Target, "source", a.cfg.Source, "at", cp.Sequence, "begins", first)
		b.behind = true
	default:
		b.from = cp.Sequence + 1
	}
	return b, nil
}

// ErrPinned is what Run ends with for a target that a replay has brought to a snapshot, or is bringing there.
var ErrPinned = errors.New("is pinned to snapshot")

// Live tells whether the target follows the stream: it isn't pinned, and isn't catching up.
func (cp *Checkpoint) Live() bool { return cp != nil && cp.Mode == modeLive }

// CatchingUp tells whether the target is on its way to the present: what is applied to it belongs to no sequence.
func (cp *Checkpoint) CatchingUp() bool { return cp != nil && strings.HasPrefix(cp.Mode, modeBehind) }

// Refuse returns the error, which is an ErrPinned, that whoever would go on from the checkpoint of a pinned target ends with; else nil.
func (cp *Checkpoint) Refuse(target string) error {
	snapshot, ok := cp.Pinned()
	if !ok {
		return nil
	}
	return fault.New(fault.Database, "ldapsync replay --release --to "+target+" brings it to the present again", "it %w %s of source %s", ErrPinned, snapshot, cp.Source)
}

// Pinned returns the number of the snapshot to which a replay has pinned the target; false if it follows the stream.
func (cp *Checkpoint) Pinned() (snapshot string, ok bool) {
	if cp == nil {
		return "", false
	}
	for _, prefix := range []string{modePinned, modeReplaying} {
		if snapshot, ok = strings.CutPrefix(cp.Mode, prefix); ok {
			return snapshot, true
		}
	}
	return "", false
}

// foreign refuses a stream that isn't the checkpoint's, unless it is accepted.
func (a *Applier) foreign(cp *Checkpoint) error {
	if !a.cfg.AcceptStream {
		return fault.New(fault.Stream,
			"was the state directory lost or moved, or are two systems of one name writing here? if the new stream is the right one, give this command --accept-stream, once",
			"it follows another stream of source %s (%s) than this one (%s)", a.cfg.Source, cp.StreamID, a.stream.StreamID())
	}
	a.cfg.Logger.Warn("taking another stream", "target", a.cfg.Target, "source", a.cfg.Source, "was", cp.StreamID, "is", a.stream.StreamID())
	return nil
}

// catchUp brings the target to the state at the last committed snapshot, sweeps what that doesn't have, and makes the target live. A stream without a
// committed snapshot is waited for. Its first commit forgets the letters: some tell of who has left.
func (a *Applier) catchUp(ctx context.Context, cp *Checkpoint) (*Checkpoint, *Held, error) {
	at, err := a.awaitSnapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	next := Checkpoint{Source: a.cfg.Source, StreamID: a.stream.StreamID(), Mapping: a.cfg.hash(), Mode: fmt.Sprintf("%s %d", modeBehind, at.to)}
	if cp != nil && cp.StreamID == next.StreamID {
		next.Sequence = cp.Sequence
	}
	if cp == nil || *cp != next {
		if err := a.commit(ctx, cp, next, nil, false); err != nil {
			return nil, nil, err
		}
	}
	empty, err := a.empty(ctx)
	if err != nil {
		return nil, nil, err
	}
	state, err := a.readState(ctx, at.from, at.to)
	if err != nil {
		return nil, nil, err
	}
	if err := a.bring(ctx, &next, state); err != nil {
		return nil, nil, err
	}
	s := a.strays(state, ChangeRelease)
	if !empty { // else all links are of what the state has: who writes others moves the checkpoint
		if err := a.countStrays(ctx, &s); err != nil {
			return nil, nil, err
		}
	}
	held, err := a.sweepStrays(ctx, &next, &s)
	if err != nil {
		return nil, nil, err
	}
	live := next
	live.Sequence, live.Mode = at.to, modeLive
	return &live, held, a.commit(ctx, &next, live, nil, false)
}

// empty tells whether the target holds nothing of the source: no links of entries that aren't gone, and no letters that may become such.
func (a *Applier) empty(ctx context.Context) (empty bool, err error) {
	err = a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) error {
			for _, kind := range kinds {
				links, err := r.LinksAfter(ctx, a.cfg.Source, kind, "", 1)
				if empty = len(links) == 0; err != nil || !empty {
					return err
				}
				letters, err := r.Letters(ctx, LetterQuery{Source: a.cfg.Source, Kind: kind, All: true, Limit: 1})
				if empty = len(letters) == 0; err != nil || !empty {
					return err
				}
			}
			return nil
		})
	})
	return empty, err
}

// readState returns the state of the stream after to, which is told from from on. A stream that was cut behind from is an error, and never a smaller
// state: what isn't in it would be swept.
func (a *Applier) readState(ctx context.Context, from, to uint64) (*proto.State, error) {
	state, err := proto.ReadState(ctx, a.stream, from, to)
	if err != nil {
		return nil, err
	}
	first, last, err := a.stream.Bounds(ctx)
	if err == nil && first > from && first <= last {
		err = fault.Passing(fault.Stream, "ldapsync snapshots list shows what is left; history.keep says for how long",
			"the history of source %s from sequence %d to %d %w", a.cfg.Source, from, first-1, proto.ErrCut)
	}
	return state, err
}

// bring applies every entry of a state, groups first. The checkpoint stays.
func (a *Applier) bring(ctx context.Context, cp *Checkpoint, state *proto.State) error {
	return a.hurry(ctx, func(update Updater) error {
		for runs, err := range a.batchesAhead(ctx, state) {
			if err == nil {
				err = a.commitBy(ctx, update, cp, *cp, runs, false)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// batchesOf hands out the entries of a state in batches of about size, groups first. Who is missing comes as she was known, then as missing.
func batchesOf(ctx context.Context, state *proto.State, size int) iter.Seq2[[]batch, error] {
	return func(yield func([]batch, error) bool) {
		for _, kind := range kinds {
			var b batches
			for e, err := range state.Entries(ctx, kind) {
				if err != nil {
					yield(nil, err)
					return
				}
				it := stated(e)
				b.add(kind, it)
				if e.Missing {
					it.kept, it.missing, it.state, it.reason = false, true, true, e.Reason
					b.add(kind, it)
				}
				if b.n < size {
					continue
				}
				if !yield(b.runs, nil) {
					return
				}
				b = batches{}
			}
			if b.n > 0 && !yield(b.runs, nil) {
				return
			}
		}
	}
}

// stretch is the part of a stream that tells the state at its end.
type stretch struct{ from, to uint64 }

// lastSnapshot returns the stretch that tells the state at the last committed snapshot; proto.ErrNotFound if there is none.
func (a *Applier) lastSnapshot(ctx context.Context) (stretch, error) {
	e, err := a.stream.LastOf(ctx, proto.TypeSnapshotCommitted)
	if err != nil {
		return stretch{}, err
	}
	return committedAt(e)
}

func committedAt(e proto.Event) (stretch, error) {
	var m proto.SnapshotCommitted
	err := proto.Unmarshal(e, &m)
	return stretch{max(m.GetFullSequence(), 1), e.Sequence}, err
}

// awaitSnapshot returns it likewise, and waits for one to be committed where there is none.
func (a *Applier) awaitSnapshot(ctx context.Context) (stretch, error) {
	at, err := a.lastSnapshot(ctx)
	if !errors.Is(err, proto.ErrNotFound) {
		return at, err
	}
	for e, err := range a.stream.Follow(ctx, 1) {
		if err != nil {
			return stretch{}, err
		}
		if e.Type == proto.TypeSnapshotCommitted {
			return committedAt(e)
		}
	}
	return stretch{}, fmt.Errorf("the stream of source %s ended", a.cfg.Source)
}

// notFoundIsNothing makes a missing snapshot none.
func notFoundIsNothing(err error) error {
	if errors.Is(err, proto.ErrNotFound) {
		return nil
	}
	return err
}
