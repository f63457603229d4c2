package applier

import (
	"context"
	"strconv"

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
}

// Replay makes the target equal to a past snapshot, and pins it there: the live applier leaves it alone until Release. Every row is compared, so
// that what was edited by hand is put right, too. Links that the snapshot doesn't have become gone, under the limit. A replay that was
// interrupted is begun again and finds most of it done; one that was done before writes nothing.
func (a *Applier) Replay(ctx context.Context, at Snapshot) (Replayed, error) {
	cfg := a.cfg
	cfg.every = true
	r := replay{Applier: New(cfg, a.store, a.stream), at: at}
	err := r.run(ctx)
	return Replayed{r.Summary(), r.held}, err
}

type replay struct {
	*Applier
	at   Snapshot
	held *Held
}

func (r *replay) run(ctx context.Context) error {
	cp, err := r.store.Checkpoint(ctx, r.cfg.Source)
	if err != nil {
		return err
	}
	if cp != nil && cp.StreamID != r.stream.StreamID() {
		if err := r.foreign(cp); err != nil {
			return err
		}
	}
	state, err := proto.ReadState(ctx, r.stream, r.at.From, r.at.To)
	if err != nil {
		return err
	}
	number := strconv.FormatUint(r.at.Number, 10)
	next := Checkpoint{Source: r.cfg.Source, StreamID: r.stream.StreamID(), Sequence: r.at.To, Mapping: r.cfg.hash(), Mode: modePinned + number}
	done := cp != nil && *cp == next
	if !done {
		next.Mode = modeReplaying + number
		if err := r.pin(ctx, cp, next); err != nil {
			return err
		}
	}
	for runs, err := range batchesOf(ctx, state, r.cfg.BatchEntries) {
		if err == nil {
			err = r.apply(ctx, &next, runs, done)
		}
		if err != nil {
			return err
		}
	}
	f := follower{Applier: r.Applier, checkpoint: &next}
	if err := f.tryLetters(ctx, true); err != nil {
		return err
	}
	if r.held, err = r.sweepLinks(ctx, &next, state); err != nil || done {
		return err
	}
	pinned := next
	pinned.Mode = modePinned + number
	return r.commit(ctx, &next, pinned, nil, false)
}

// pin takes the target from the live applier, and forgets the letters: they tell of entries as they were at another time.
func (r *replay) pin(ctx context.Context, prev *Checkpoint, next Checkpoint) error {
	return r.retry(ctx, func() error {
		return r.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, prev, next); err != nil {
				return err
			}
			return r.forgetLetters(ctx, tx)
		})
	})
}

// apply writes batches; those of a snapshot that was replayed before only if they write anything.
func (r *replay) apply(ctx context.Context, cp *Checkpoint, runs []batch, done bool) error {
	if done {
		writes := false
		err := r.retry(ctx, func() error {
			return r.store.View(ctx, func(reader Reader) (err error) {
				for _, run := range runs {
					if s := r.cfg.settings(run.kind); s.mapping != nil && !writes && err == nil {
						writes, err = wouldWrite(ctx, reader, s, run.items)
					}
				}
				return err
			})
		})
		if err != nil || !writes {
			return err
		}
	}
	return r.commit(ctx, cp, *cp, runs, false)
}

// PreviewReplay plans what Replay would do, in one read-only transaction. each is called for every change but Unchanged and Touch, and
// may be nil. What the limit would hold is returned; then none of the removals that it tells of would happen.
func (a *Applier) PreviewReplay(ctx context.Context, at Snapshot, each func(proto.Kind, Change)) (Replayed, error) {
	cfg := a.cfg
	cfg.every = true
	var done Replayed
	state, err := proto.ReadState(ctx, a.stream, at.From, at.To)
	if err != nil {
		return done, err
	}
	if each == nil {
		each = func(proto.Kind, Change) {}
	}
	err = a.store.View(ctx, func(r Reader) error {
		done = Replayed{}
		p := previewer{Applier: New(cfg, a.store, a.stream), over: newOverlay(r), sum: &done.Summary, each: each}
		if err := p.state(ctx, state); err != nil {
			return err
		}
		done.Held, err = p.strays(ctx, r, state)
		return err
	})
	return done, err
}

// catchUp plans for a target that catches up; see Applier.catchUp.
func (p *previewer) catchUp(ctx context.Context) error {
	at, err := p.lastSnapshot(ctx)
	if err != nil {
		return notFoundIsNothing(err)
	}
	state, err := proto.ReadState(ctx, p.stream, at.from, at.to)
	if err != nil {
		return err
	}
	if err := p.state(ctx, state); err != nil {
		return err
	}
	if _, err := p.strays(ctx, p.over.Reader, state); err != nil {
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
	for runs, err := range batchesOf(ctx, state, p.cfg.BatchEntries) {
		if err == nil {
			err = p.plan(ctx, runs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strays plans the sweep. It returns what would be held.
func (p *previewer) strays(ctx context.Context, r Reader, state *proto.State) (*Held, error) {
	s := strays{source: p.cfg.Source, state: state}
	if err := s.count(ctx, r); err != nil {
		return nil, err
	}
	if reason := s.exceeds(p.cfg.Limit); reason != "" {
		return &Held{Source: p.cfg.Source, Change: ChangeSweep, Hash: hashHeld(ChangeSweep, s.keys), Count: len(s.keys) / 16,
			Of: s.links[proto.KindUser], Reason: reason, Entries: s.keys}, nil
	}
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		settings := p.cfg.settings(kind)
		if s.astray[kind] == 0 || settings.mapping == nil {
			continue
		}
		for after, more := "", true; more; more = after != "" {
			items, last, err := s.page(ctx, r, kind, after)
			if err == nil {
				err = p.planBatch(ctx, settings, items, false)
			}
			if err != nil {
				return nil, err
			}
			after = last
		}
	}
	return nil, nil
}

// Release ends a pin: the target is brought to the last committed snapshot, swept, and follows the stream again.
func (a *Applier) Release(ctx context.Context) (Replayed, error) {
	cp, err := a.store.Checkpoint(ctx, a.cfg.Source)
	if err != nil {
		return Replayed{}, err
	}
	if cp == nil {
		return Replayed{}, fault.New(fault.Usage, "ldapsync run applies it", "nothing of source %s was applied to it", a.cfg.Source)
	}
	if _, is := pinned(cp.Mode); !is {
		return Replayed{}, fault.New(fault.Usage, "there is nothing to release", "it isn't pinned: it follows source %s", a.cfg.Source)
	}
	r := New(a.cfg, a.store, a.stream)
	_, held, err := r.catchUp(ctx, cp)
	return Replayed{r.Summary(), held}, err
}
