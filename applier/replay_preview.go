package applier

import (
	"context"
	"iter"

	"ldapsync/proto"
)

// overlayUsers is how many planned users a plan of a replay keeps, so that each plans on what those before her come to: about 2 kB each.
const overlayUsers = 25_000

// PreviewReplay plans what Replay would do, in one read-only transaction; in a Brief store in many short ones. each is called for every change but
// Unchanged and Touch, and may be nil. What the limits would stop is returned, and planned nevertheless: so it will be when a person has approved it. Memory
// is bounded: see Rough. An error that is a proto.ErrCut says that the history changed while it was read, and an ErrMoved, of a Brief store, that an applier
// moved the checkpoint: what was told so far counts no more, and the caller plans again.
func (a *Applier) PreviewReplay(ctx context.Context, at Snapshot, each func(proto.Kind, Change)) (Replayed, error) {
	cp, err := a.startOfReplay(ctx)
	if err == nil {
		err = a.reachesBack(ctx, at)
	}
	if err != nil {
		return Replayed{}, err
	}
	known := cp != nil && *cp == a.pinned(at)
	return a.previewReplay(ctx, cp, changeOf(at), stretch{at.From, at.To}, known, each)
}

// PreviewRelease plans what Release would do, likewise.
func (a *Applier) PreviewRelease(ctx context.Context, each func(proto.Kind, Change)) (Replayed, error) {
	cp, err := a.startOfReplay(ctx)
	if err != nil {
		return Replayed{}, err
	}
	at, err := a.lastSnapshot(ctx)
	if err != nil {
		return Replayed{}, err
	}
	return a.previewReplay(ctx, cp, ChangeRelease, at, cp.CatchingUp(), each)
}

// startOfReplay returns the checkpoint, which may be none, and refuses one of another stream.
func (a *Applier) startOfReplay(ctx context.Context) (*Checkpoint, error) {
	cp, err := a.store.Checkpoint(ctx, a.cfg.Source)
	if err == nil && cp != nil && cp.StreamID != a.stream.StreamID() {
		err = a.foreign(cp)
	}
	return cp, err
}

// previewReplay plans to bring the target, which is at cp, to the state that a stretch tells. The letters that there are count if they tell of that state.
func (a *Applier) previewReplay(ctx context.Context, cp *Checkpoint, change string, at stretch, letters bool, each func(proto.Kind, Change)) (Replayed, error) {
	state, err := a.readState(ctx, at.from, at.to)
	if err != nil {
		return Replayed{}, err
	}
	if each == nil {
		each = func(proto.Kind, Change) {}
	}
	var done Replayed
	err = a.lookFrom(ctx, cp, func(r Reader) error {
		done = Replayed{}
		p := previewer{Applier: New(a.cfg.thorough(), a.store, a.stream), over: newOverlay(r), sum: &done.Summary, each: each, most: overlayUsers}
		if !letters {
			p.over.forgetLetters(a.cfg.Source)
		}
		return p.replay(ctx, change, state, &done)
	})
	return done, err
}

// replay plans to bring the target to a state, and weighs what that takes.
func (p *previewer) replay(ctx context.Context, change string, state *proto.State, done *Replayed) error {
	r := p.over.Reader
	rows, err := r.HeldRows(ctx)
	if err != nil {
		return err
	}
	if p.cfg.limited() {
		p.weigher = newWeigher(&p.cfg, change, rows)
	}
	if err := p.state(ctx, state); err != nil {
		return err
	}
	done.Rough = p.rough
	s := p.Applier.strays(state, change)
	if err := s.count(ctx, r); err != nil {
		return err
	}
	if done.Held = s.hold(nil, rows); done.Held == nil || done.Held.Decision == Approved {
		done.Held = nil
		if err := p.planStrays(ctx, r, &s); err != nil {
			return err
		}
	}
	if err := p.letters(ctx); err != nil || p.weigher == nil {
		return err
	}
	done.Stopped, err = p.weigher.judge(ctx, p.over, s.links, rows)
	return err
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
	return p.batches(ctx, p.batchesAhead(ctx, state))
}

// batches plans for batches of a state.
func (p *previewer) batches(ctx context.Context, all iter.Seq2[[]batch, error]) error {
	for runs, err := range all {
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
	s := p.Applier.strays(state, ChangeRelease)
	if err := s.count(ctx, r); err != nil {
		return nil, err
	}
	rows, err := r.HeldRows(ctx)
	if err != nil {
		return nil, err
	}
	if held := s.hold(p.cfg.limitOf, rows); held != nil && held.Decision != Approved {
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
