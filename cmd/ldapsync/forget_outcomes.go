package main

import (
	"context"
	"fmt"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
)

// strangersPatience is how long a consumer may take to see outcomes for which nobody waits right now.
const strangersPatience = 2 * time.Second

// outcomesOf counts the messages of a target's outcomes that tell of a person: published ones, and those that wait.
func (f *forgetter) outcomesOf(ctx context.Context, t *config.Target, p *forgotten) (int, error) {
	waiting, err := f.stores[t.Name].OutboxOf(ctx, p.Source, p.ID)
	if err != nil || f.bus == nil {
		return len(waiting), err
	}
	trace, err := f.bus.TraceOutcomes(ctx, t.Name, p.Source, p.ID)
	return len(waiting) + len(trace.Sequences), err
}

// awaitOutcomes tells what waits to be told, and waits until everybody has seen what tells of a person: it tells of others, too. It comes before anything
// of hers is erased.
func (f *forgetter) awaitOutcomes(ctx context.Context, p *forgotten) error {
	if f.bus == nil {
		return nil
	}
	for _, held := range p.Targets {
		t := f.cfg.Target(held.Target)
		if _, err := publishOutcomes(ctx, f.bus, t, f.stores[t.Name]); err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
		_, err := f.untilSeen(ctx, t, p, func() (bus.OutcomesTrace, error) { return f.bus.TraceOutcomes(ctx, t.Name, p.Source, p.ID) })
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseOutcomes erases what a target's outcomes tell of a person. Without a stream there is nobody who could be told what waits.
func (f *forgetter) eraseOutcomes(ctx context.Context, held *forgottenTarget, p *forgotten) error {
	st := f.stores[held.Target]
	if f.bus == nil {
		held.Outcomes = 0
		if held.present {
			return nil
		}
		n, err := st.ForgetOutbox(ctx, p.Source, p.ID)
		held.Outcomes = int(n)
		return err
	}
	t := f.cfg.Target(held.Target)
	trace, err := f.untilSeen(ctx, t, p, func() (bus.OutcomesTrace, error) {
		return f.bus.EraseOutcomes(ctx, t.Name, outcomesEncoding(t), st, p.Source, p.ID)
	})
	held.Outcomes = len(trace.Sequences)
	return err
}

// untilSeen looks until there is no consumer that hasn't seen what tells of a person, or that one takes too long.
func (f *forgetter) untilSeen(ctx context.Context, t *config.Target, p *forgotten, look func() (bus.OutcomesTrace, error)) (bus.OutcomesTrace, error) {
	for begun := time.Now(); ; {
		trace, err := look()
		if err != nil {
			return trace, fmt.Errorf("target %s: %w", t.Name, err)
		}
		late := trace.Unseen
		if late == nil {
			return trace, nil
		}
		patience := strangersPatience
		if late.Connected {
			patience = consumersPatience
		}
		if time.Since(begun) > patience {
			return trace, fault.New(fault.Failed, "let its program read on; if that won't come back: ldapsync consumers drop "+late.Name()+" --outcomes "+t.Name,
				"target %s: %s is at sequence %d of the outcomes and hasn't seen all that tells of %s, %d",
				t.Name, late.Consumer, late.Sequence, printable(p.ID), trace.Sequences[len(trace.Sequences)-1])
		}
		select {
		case <-ctx.Done():
			return trace, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
