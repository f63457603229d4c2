package applier

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Snapshot is a point of the stream to which a target can be brought.
type Snapshot struct {
	Number uint64
	From   uint64 // where the last full snapshot begins that was committed up to To
	To     uint64 // the sequence with which the snapshot was committed
}

// Replayed is what a replay did.
type Replayed struct {
	Summary
	// Stopped is why nothing was written: more than the limits allow would be taken, and waits for a person. Of a plan: why nothing would be, as long as
	// nobody approves it; the plan shows what would be done then.
	Stopped *Held
	Held    *Held // accounts and groups that a sweep held before, and that nobody has approved: they stay; nil: none
	// Rough says of a plan that it has so many changes that it doesn't know all names that are taken and set free by them: a few of those
	// that it tells may be parked, and the other way round.
	Rough bool
}

// Replay makes the target equal to a past snapshot, and pins it there: the live applier leaves it alone until Release. Every row is compared, so
// that what was edited by hand is put right, too. Links that the snapshot doesn't have become gone. What all this takes is weighed first: beyond a limit
// nothing is written but that it waits, unless a person has approved just that. A replay that was interrupted is begun again and finds most of it done; one that
// was done before writes nothing. Entries that are erased from the history meanwhile make it start over.
func (a *Applier) Replay(ctx context.Context, at Snapshot, yes ...Approval) (Replayed, error) {
	r := replay{Applier: New(a.cfg.thorough(), a.store, a.stream), at: at, yes: yes}
	err := r.throughCuts(ctx, func() error { return r.run(ctx) })
	return Replayed{Summary: r.Summary(), Stopped: r.stopped, Held: r.held}, err
}

// thorough compares every row, and gives those that are there the names of those who are gone.
func (c Config) thorough() Config {
	c.every, c.evict = true, true
	return c
}

type replay struct {
	*Applier
	at            Snapshot
	yes           []Approval
	stopped, held *Held
}

func (r *replay) run(ctx context.Context) error {
	if err := r.reachesBack(ctx, r.at); err != nil {
		return err
	}
	state, err := r.readState(ctx, r.at.From, r.at.To)
	if err != nil {
		return err
	}
	pinned := r.pinned(r.at)
	next := pinned
	done, err := r.begin(ctx, &next, state)
	if err != nil || r.stopped != nil {
		return err
	}
	for runs, err := range r.batchesAhead(ctx, state) {
		if err == nil {
			err = r.apply(ctx, &next, runs, done)
		}
		if err != nil {
			return err
		}
	}
	if r.held, err = r.sweepLinks(ctx, &next, state, changeOf(r.at)); err != nil {
		return err
	}
	f := follower{Applier: r.Applier, checkpoint: &next} // what was swept may have set names free
	if err := f.tryLetters(ctx, true); err != nil {
		return err
	}
	if !done {
		if err := r.commit(ctx, &next, pinned, nil, false); err != nil {
			return err
		}
	}
	return r.forgetReplays(ctx, &pinned, "")
}

// reachesBack refuses a snapshot whose history was cut off.
func (a *Applier) reachesBack(ctx context.Context, at Snapshot) error {
	first, last, err := a.stream.Bounds(ctx)
	if err == nil && first > at.From && first <= last {
		err = fault.New(fault.Stream, "ldapsync snapshots list shows those that are left; history.keep says for how long",
			"snapshot %d of source %s is gone: the history before sequence %d was cut off", at.Number, a.cfg.Source, first)
	}
	return err
}

// throughCuts calls fn again where the history was cut, or entries were erased, while it read.
func (a *Applier) throughCuts(ctx context.Context, fn func() error) error {
	for cuts := 0; ; cuts++ {
		err := fn()
		if !errors.Is(err, proto.ErrCut) || cuts == mostCuts || ctx.Err() != nil {
			return err
		}
		a.cfg.Logger.Info("the history changed while it was read; starting over", "target", a.cfg.Target, "source", a.cfg.Source, "because", err)
	}
}

// pinned is the checkpoint of a target that was brought to a snapshot.
func (a *Applier) pinned(at Snapshot) Checkpoint {
	number := strconv.FormatUint(at.Number, 10)
	return Checkpoint{Source: a.cfg.Source, StreamID: a.stream.StreamID(), Sequence: at.To, Mapping: a.cfg.hash(), Mode: modePinned + number}
}

// begin weighs what the replay would take, and takes the target from the live applier, which may be at work: at the checkpoint at which it was weighed. next
// is the checkpoint that the replay ends with, and becomes the one that it works with. It tells whether the target was pinned there before.
func (r *replay) begin(ctx context.Context, next *Checkpoint, state *proto.State) (done bool, err error) {
	on := *next
	on.Mode = modeReplaying + strings.TrimPrefix(next.Mode, modePinned)
	err = r.unmoved(ctx, func(cp *Checkpoint) error {
		if cp != nil && cp.StreamID != on.StreamID {
			if err := r.foreign(cp); err != nil {
				return err
			}
		}
		var err error
		if r.stopped, err = r.mayTake(ctx, cp, changeOf(r.at), state, r.yes); err != nil || r.stopped != nil {
			return err
		}
		if done = cp != nil && *cp == *next; done {
			return nil
		}
		return r.pin(ctx, cp, on)
	})
	if !done {
		*next = on
	}
	return done, err
}

// pin moves the checkpoint, and forgets the letters: they tell of entries as they were at another time.
func (r *replay) pin(ctx context.Context, from *Checkpoint, to Checkpoint) error {
	return r.retry(ctx, func() error {
		return r.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, from, to); err != nil {
				return err
			}
			return r.forgetLetters(ctx, tx)
		})
	})
}

// unmoved calls fn with the checkpoint until no other applier has moved that meanwhile.
func (a *Applier) unmoved(ctx context.Context, fn func(*Checkpoint) error) error {
	for {
		var cp *Checkpoint
		err := a.retry(ctx, func() (err error) {
			cp, err = a.store.Checkpoint(ctx, a.cfg.Source)
			return err
		})
		if err == nil {
			err = fn(cp)
		}
		if !errors.Is(err, ErrMoved) || ctx.Err() != nil {
			return err
		}
	}
}

// apply writes batches; those of a snapshot that was replayed before only if they write anything.
func (r *replay) apply(ctx context.Context, cp *Checkpoint, runs []batch, done bool) error {
	if done {
		return r.commitDiffering(ctx, cp, runs)
	}
	return r.commit(ctx, cp, *cp, runs, false)
}

// Release ends a pin: the target is brought to the last committed snapshot, swept, and follows the stream again. What this takes is weighed as a replay's is,
// and beyond a limit the target stays pinned. A live applier that waits for the release may do part of it. A history that is cut meanwhile makes it
// start over, from what is the last snapshot then.
func (a *Applier) Release(ctx context.Context, yes ...Approval) (Replayed, error) {
	r := release{Applier: New(a.cfg.thorough(), a.store, a.stream), yes: yes} // what was edited by hand meanwhile is put right, too
	err := r.throughCuts(ctx, func() error {
		return r.unmoved(ctx, func(cp *Checkpoint) error { return r.run(ctx, cp) })
	})
	return Replayed{Summary: r.Summary(), Stopped: r.stopped, Held: r.held}, err
}

type release struct {
	*Applier
	yes           []Approval
	begun         bool
	stopped, held *Held
}

func (r *release) run(ctx context.Context, cp *Checkpoint) error {
	_, pinned := cp.Pinned()
	switch {
	case cp == nil:
		return fault.New(fault.Usage, "ldapsync run applies it", "nothing of source %s was applied to it", r.cfg.Source)
	case r.begun && cp.Mode == modeLive:
		return nil // another one was quicker
	case !pinned && !cp.CatchingUp():
		return fault.New(fault.Usage, "there is nothing to release", "it isn't pinned: it follows source %s", r.cfg.Source)
	}
	if cp.StreamID != r.stream.StreamID() {
		if err := r.foreign(cp); err != nil {
			return err
		}
	}
	if pinned { // else it was weighed, or missed what was cut off: the live applier does it as well
		if err := r.weigh(ctx, cp); err != nil || r.stopped != nil {
			return err
		}
	}
	r.begun = true
	err := r.forgetReplays(ctx, cp, ChangeRelease)
	if err != nil {
		return err
	}
	f := follower{Applier: r.Applier}
	if f.checkpoint, r.held, err = r.catchUp(ctx, cp); err != nil {
		return err
	}
	return f.settle(ctx, true, f.checkpoint.Sequence)
}

// weigh weighs what the last snapshot would take from a pinned target.
func (r *release) weigh(ctx context.Context, cp *Checkpoint) error {
	at, err := r.lastSnapshot(ctx)
	if err != nil || !r.cfg.limited() {
		return notFoundIsNothing(err) // a first snapshot is waited for
	}
	state, err := r.readState(ctx, at.from, at.to)
	if err != nil {
		return err
	}
	r.stopped, err = r.mayTake(ctx, cp, ChangeRelease, state, r.yes)
	return err
}
