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
	state, err := v.stateOf(ctx, cp)
	if err != nil {
		return err
	}
	if repair {
		if err := v.bring(ctx, cp, state); err != nil {
			return err
		}
		_, err := v.sweepLinks(ctx, cp, state)
		return err
	}
	if err := v.compare(ctx, state); err != nil {
		return err
	}
	now, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err == nil && (now == nil || *now != *cp) {
		err = ErrMoved
	}
	return err
}

// compare plans for every entry in one read-only transaction.
func (v *verifier) compare(ctx context.Context, state *proto.State) error {
	return v.store.View(ctx, func(r Reader) error {
		v.found.sum, v.found.changes = Summary{}, nil
		note := func(proto.Kind, Change) {}
		if v.found.each != nil {
			note = func(kind proto.Kind, c Change) {
				v.found.changes = append(v.found.changes, kindChanges{kind, []Change{c}})
			}
		}
		p := previewer{Applier: v.Applier, over: newOverlay(r), sum: &v.found.sum, each: note}
		if err := p.state(ctx, state); err != nil {
			return err
		}
		_, err := p.strays(ctx, r, state)
		return err
	})
}

// stateOf returns the state that the stream has at a checkpoint.
func (a *Applier) stateOf(ctx context.Context, cp *Checkpoint) (*proto.State, error) {
	if cp == nil {
		return nil, fault.New(fault.Database, "ldapsync run applies it", "nothing of source %s was applied to it yet", a.cfg.Source)
	}
	if cp.StreamID != a.stream.StreamID() {
		return nil, fault.New(fault.Stream, "run once with --accept-stream if the new stream is the right one",
			"it follows another stream of source %s (%s) than this one (%s)", a.cfg.Source, cp.StreamID, a.stream.StreamID())
	}
	from, _, err := a.stream.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	if from > cp.Sequence {
		return nil, fault.New(fault.Stream, "ldapsync run brings it to the present first",
			"it is at sequence %d of source %s, but the stream begins at %d", cp.Sequence, a.cfg.Source, from)
	}
	if at, err := a.lastSnapshot(ctx); err == nil && at.to <= cp.Sequence {
		from = max(from, at.from) // else the longer way leads to the same state
	} else if notFoundIsNothing(err) != nil {
		return nil, err
	}
	return a.readState(ctx, max(from, 1), cp.Sequence)
}
