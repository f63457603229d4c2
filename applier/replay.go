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
	Held *Held // what waits for a person instead of being removed; nil: nothing
	// Rough says of a plan that it has so many changes that it doesn't know all names that are taken and set free by them: a few of those
	// that it tells may be parked, and the other way round.
	Rough bool
}

// Replay makes the target equal to a past snapshot, and pins it there: the live applier leaves it alone until Release. Every row is compared, so
// that what was edited by hand is put right, too. Links that the snapshot doesn't have become gone, under the limit. A replay that was
// interrupted is begun again and finds most of it done; one that was done before writes nothing.
func (a *Applier) Replay(ctx context.Context, at Snapshot) (Replayed, error) {
	cfg := a.cfg
	cfg.every, cfg.evict = true, true
	r := replay{Applier: New(cfg, a.store, a.stream), at: at}
	err := r.run(ctx)
	return Replayed{Summary: r.Summary(), Held: r.held}, err
}

type replay struct {
	*Applier
	at   Snapshot
	held *Held
}

func (r *replay) run(ctx context.Context) error {
	state, err := r.readState(ctx, r.at.From, r.at.To)
	if err != nil {
		return err
	}
	pinned := r.pinned(r.at)
	next := pinned
	done, err := r.pin(ctx, &next)
	if err != nil {
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
	if r.held, err = r.sweepLinks(ctx, &next, state); err != nil {
		return err
	}
	f := follower{Applier: r.Applier, checkpoint: &next} // what was swept may have set names free
	if err := f.tryLetters(ctx, true); err != nil || done {
		return err
	}
	return r.commit(ctx, &next, pinned, nil, false)
}

// pinned is the checkpoint of a target that was brought to a snapshot.
func (a *Applier) pinned(at Snapshot) Checkpoint {
	number := strconv.FormatUint(at.Number, 10)
	return Checkpoint{Source: a.cfg.Source, StreamID: a.stream.StreamID(), Sequence: at.To, Mapping: a.cfg.hash(), Mode: modePinned + number}
}

// pin takes the target from the live applier, which may be at work, and forgets the letters: they tell of entries as they were at another
// time. next is the checkpoint that the replay ends with, and becomes the one that it works with. It tells whether the target was pinned
// there before.
func (r *replay) pin(ctx context.Context, next *Checkpoint) (done bool, err error) {
	on := *next
	on.Mode = modeReplaying + strings.TrimPrefix(next.Mode, modePinned)
	err = r.untilStill(ctx, func(cp *Checkpoint) error {
		if cp != nil && cp.StreamID != on.StreamID {
			if err := r.foreign(cp); err != nil {
				return err
			}
		}
		if done = cp != nil && *cp == *next; done {
			return nil
		}
		return r.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, cp, on); err != nil {
				return err
			}
			return r.forgetLetters(ctx, tx)
		})
	})
	if !done {
		*next = on
	}
	return done, err
}

// untilStill calls fn with the checkpoint until no other applier has moved that meanwhile.
func (a *Applier) untilStill(ctx context.Context, fn func(*Checkpoint) error) error {
	for {
		err := a.retry(ctx, func() error {
			cp, err := a.store.Checkpoint(ctx, a.cfg.Source)
			if err != nil {
				return err
			}
			return fn(cp)
		})
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

// overlayUsers is how many planned users a plan of a replay keeps, so that each plans on what those before her come to.
const overlayUsers = 100_000

// PreviewReplay plans what Replay would do, in one read-only transaction. each is called for every change but Unchanged and Touch, and
// may be nil. What the limit would hold is returned; then none of the removals that it tells of would happen. Memory is bounded: see Rough.
func (a *Applier) PreviewReplay(ctx context.Context, at Snapshot, each func(proto.Kind, Change)) (Replayed, error) {
	cfg := a.cfg
	cfg.every, cfg.evict = true, true
	var done Replayed
	cp, err := a.store.Checkpoint(ctx, a.cfg.Source)
	if err == nil && cp != nil && cp.StreamID != a.stream.StreamID() {
		err = a.foreign(cp)
	}
	if err != nil {
		return done, err
	}
	state, err := a.readState(ctx, at.From, at.To)
	if err != nil {
		return done, err
	}
	if each == nil {
		each = func(proto.Kind, Change) {}
	}
	pinned := cp != nil && *cp == a.pinned(at)
	err = a.store.View(ctx, func(r Reader) error {
		done = Replayed{}
		p := previewer{Applier: New(cfg, a.store, a.stream), over: newOverlay(r), sum: &done.Summary, each: each, most: overlayUsers}
		if !pinned {
			p.over.forgetLetters(a.cfg.Source)
		}
		if err := p.state(ctx, state); err != nil {
			return err
		}
		done.Rough = p.rough
		if done.Held, err = p.strays(ctx, r, state); err != nil {
			return err
		}
		return p.letters(ctx)
	})
	return done, err
}

// catchUp plans for a target that catches up; see Applier.catchUp.
func (p *previewer) catchUp(ctx context.Context) error {
	at, err := p.lastSnapshot(ctx)
	if err != nil {
		return notFoundIsNothing(err)
	}
	state, err := p.readState(ctx, at.from, at.to)
	if err != nil {
		return err
	}
	p.over.forgetLetters(p.cfg.Source)
	if err := p.state(ctx, state); err != nil {
		return err
	}
	held, err := p.strays(ctx, p.over.Reader, state)
	if err != nil {
		return err
	}
	if held != nil && held.Decision == Undecided {
		p.sum.Held = append(p.sum.Held, *held)
	}
	if err := p.letters(ctx); err != nil {
		return err
	}
	_, last, err := p.stream.Bounds(ctx)
	if err != nil {
		return err
	}
	for e, err := range p.stream.Read(ctx, at.to+1, last) {
		if err == nil {
			err = p.event(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *previewer) state(ctx context.Context, state *proto.State) error {
	for runs, err := range p.batchesAhead(ctx, state) {
		switch {
		case err != nil:
		case p.view != nil:
			err = p.view(ctx, func() error { return p.plan(ctx, runs) })
		default:
			err = p.plan(ctx, runs)
		}
		if err != nil {
			return err
		}
		if p.most > 0 && len(p.over.links[proto.KindUser]) > p.most {
			p.over.forgetUsers()
			p.rough = true
		}
	}
	return nil
}

// strays plans the sweep. It returns what would be held.
func (p *previewer) strays(ctx context.Context, r Reader, state *proto.State) (*Held, error) {
	s := p.Applier.strays(state)
	if err := s.count(ctx, r); err != nil {
		return nil, err
	}
	rows, err := r.HeldRows(ctx)
	if err != nil {
		return nil, err
	}
	if held := s.hold(p.cfg.Limit, rows); held != nil && held.Decision != Approved {
		return held, nil
	}
	return nil, p.planStrays(ctx, r, &s)
}

// planStrays plans to take every stray.
func (p *previewer) planStrays(ctx context.Context, r Reader, s *strays) error {
	for _, kind := range s.kinds {
		settings := p.cfg.settings(kind)
		if s.astray[kind] == 0 {
			continue
		}
		for after, more := "", true; more; more = after != "" {
			items, last, err := s.page(ctx, r, kind, after)
			if err == nil {
				err = p.planBatch(ctx, settings, items, false)
			}
			if err != nil {
				return err
			}
			after = last
		}
	}
	return nil
}

// Release ends a pin: the target is brought to the last committed snapshot, swept, and follows the stream again. A live applier that waits for
// the release may do part of it.
func (a *Applier) Release(ctx context.Context) (Replayed, error) {
	cfg := a.cfg
	cfg.every, cfg.evict = true, true // what was edited by hand meanwhile is put right, too
	r := New(cfg, a.store, a.stream)
	begun := false
	var held *Held
	err := r.untilStill(ctx, func(cp *Checkpoint) (err error) {
		_, is := cp.Pinned()
		switch {
		case cp == nil:
			return fault.New(fault.Usage, "ldapsync run applies it", "nothing of source %s was applied to it", a.cfg.Source)
		case begun && cp.Mode == modeLive:
			return nil // another one was quicker
		case !is && !cp.CatchingUp():
			return fault.New(fault.Usage, "there is nothing to release", "it isn't pinned: it follows source %s", a.cfg.Source)
		}
		begun = true
		f := follower{Applier: r}
		if f.checkpoint, held, err = r.catchUp(ctx, cp); err != nil {
			return err
		}
		return f.settle(ctx, true, f.checkpoint.Sequence)
	})
	return Replayed{Summary: r.Summary(), Held: held}, err
}
