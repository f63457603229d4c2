package applier

import (
	"context"
	"errors"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// verifyAttempts is how often Verify starts over because a live applier moved the checkpoint meanwhile.
const verifyAttempts = 3

// Verify compares the target with what the stream says at the target's checkpoint: every row, its memberships and its link, whatever the
// link's digest says. each is called for every difference, as the change that would put it right, and may be nil; with repair these
// changes are written. The summary counts them. What was published behind the checkpoint isn't looked at: applying it is the
// live applier's business.
func (a *Applier) Verify(ctx context.Context, repair bool, each func(proto.Kind, Change)) (Summary, error) {
	cfg := a.cfg
	cfg.every = true
	cfg.OnChange = func(proto.Kind, Change) {}
	if repair && each != nil {
		cfg.OnChange = each
	}
	var err error
	for range verifyAttempts {
		v := &verifier{Applier: New(cfg, a.store, a.stream), found: &found{each: each}}
		if err = v.run(ctx, repair); err == nil {
			if repair {
				return v.Summary(), nil
			}
			return v.found.tell(), nil
		}
		if !errors.Is(err, ErrMoved) || ctx.Err() != nil {
			break
		}
	}
	return Summary{}, err
}

// found collects differences, which are told once it is certain that they were one state's.
type found struct {
	sum     Summary
	each    func(proto.Kind, Change)
	changes []kindChanges
}

func (f *found) tell() Summary {
	for _, run := range f.changes {
		for _, c := range run.changes {
			f.each(run.kind, c)
		}
	}
	return f.sum
}

type verifier struct {
	*Applier
	found *found
}

func (v *verifier) run(ctx context.Context, repair bool) error {
	cp, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err != nil {
		return err
	}
	from, err := v.begins(ctx, cp)
	if err != nil {
		return err
	}
	if repair {
		for runs, err := range stateAt(ctx, v.stream, from, cp.Sequence, v.cfg.BatchEntries) {
			if err == nil {
				err = v.commit(ctx, cp, *cp, runs, false)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := v.compare(ctx, from, cp.Sequence); err != nil {
		return err
	}
	now, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err == nil && (now == nil || *now != *cp) {
		err = ErrMoved
	}
	return err
}

// begins tells where the reading of the state at a checkpoint begins: with the last full snapshot that was complete there.
func (v *verifier) begins(ctx context.Context, cp *Checkpoint) (uint64, error) {
	if cp == nil {
		return 0, fault.New(fault.Database, "ldapsync run applies it", "nothing of source %s was applied to it yet", v.cfg.Source)
	}
	if cp.StreamID != v.stream.StreamID() {
		return 0, fault.New(fault.Stream, "run once with --accept-stream if the new stream is the right one",
			"it follows another stream of source %s (%s) than this one (%s)", v.cfg.Source, cp.StreamID, v.stream.StreamID())
	}
	first, _, err := v.stream.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	e, err := v.stream.LastOf(ctx, proto.TypeSnapshotCommitted)
	if errors.Is(err, proto.ErrNotFound) || err == nil && e.Sequence > cp.Sequence {
		return first, nil // a longer way to the same state
	}
	if err != nil {
		return 0, err
	}
	full, err := lastFull(ctx, v.stream)
	return max(first, full), err
}

// compare plans for every entry in one read-only transaction.
func (v *verifier) compare(ctx context.Context, from, to uint64) error {
	return v.store.View(ctx, func(r Reader) error {
		v.found.sum, v.found.changes = Summary{}, nil
		note := func(proto.Kind, Change) {}
		if v.found.each != nil {
			note = func(kind proto.Kind, c Change) {
				v.found.changes = append(v.found.changes, kindChanges{kind, []Change{c}})
			}
		}
		p := previewer{Applier: v.Applier, over: newOverlay(r), sum: &v.found.sum, each: note}
		for runs, err := range stateAt(ctx, v.stream, from, to, v.cfg.BatchEntries) {
			if err == nil {
				err = p.plan(ctx, runs)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
