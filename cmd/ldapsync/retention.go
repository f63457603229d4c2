package main

import (
	"context"
	"log/slog"
	"math"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
)

// retain cuts off what the source's history need not keep. A failure costs room on the disk, nothing else: it is logged.
func retain(ctx context.Context, s *config.Source, log *bus.Log, logger *slog.Logger) {
	r, err := extractor.Retain(ctx, log, kept(s))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		logger.Warn("the history wasn't cut", "source", s.Name, "error", oneLine(err.Error()))
	case r.HeldBack != "":
		logger.Warn("a consumer holds the history back", "source", s.Name, "consumer", r.HeldBack, "at", r.HeldAt,
			"hint", "if it won't come back: "+dropCommand(s.Name, r.HeldBack))
	}
	if r.Snapshots > 0 {
		logger.Info("history cut", "source", s.Name, "begins", r.Begins, "snapshots", r.Snapshots)
	}
}

// dropCommand drops a consumer, as retention and the floor of a stream name it.
func dropCommand(source, consumer string) string {
	return "ldapsync consumers drop " + source + " " + bus.Position{Consumer: consumer}.Name()
}

// kept is how much of a source's history stays: what is to be kept, but never less than the limits look back at. 0 is all of it.
func kept(s *config.Source) time.Duration {
	if s.History.Keep <= 0 {
		return 0
	}
	return max(s.History.Keep, s.Limits.Window)
}

// mirrorEvery is how often a service notes on the bus how far its targets are.
const mirrorEvery = 15 * time.Second

// unmirrored is where a target was last that nothing was noted of.
const unmirrored = math.MaxUint64

// mirror notes on the bus how far a target has applied a source, for retention and lag, unless that is where it was last. It asks the
// database, which alone knows. One that catches up with a new stream is at 0 there: what it reads mustn't be cut.
func mirror(ctx context.Context, b *bus.Bus, st positioned, target, source string, last uint64) (sequence uint64, err error) {
	cp, err := st.Checkpoint(ctx, source)
	if err != nil || cp == nil || cp.Sequence == last {
		return last, err
	}
	if err := b.Mirror(ctx, source, target, cp.StreamID, cp.Sequence); err != nil {
		return last, err
	}
	return cp.Sequence, nil
}

// mirror notes where a run has left a target.
func (r *runner) mirror(ctx context.Context, target, source string) {
	if _, err := mirror(ctx, r.bus, r.stores[target], target, source, unmirrored); err != nil && ctx.Err() == nil {
		r.logger.Warn("the position isn't noted on the bus: the history may be cut too early for this target, or too late", "target", target, "source", source,
			"error", oneLine(err.Error()))
	}
}

// mirroring keeps doing so until ctx is done. People are told once where it can't: nothing waits for the target then.
func mirroring(ctx context.Context, b *bus.Bus, st positioned, target, source string, logger *slog.Logger) error {
	tick := time.NewTicker(mirrorEvery)
	defer tick.Stop()
	last, told := uint64(unmirrored), false
	for {
		var err error
		last, err = mirror(ctx, b, st, target, source, last)
		switch class, hint := fault.Of(err); {
		case err == nil:
			told = false
		case class == fault.Stream && ctx.Err() == nil && !told: // a database that is away leaves what was noted
			logger.Warn("the position isn't noted on the bus: history may be cut, and people be forgotten, before this target has seen them go", "target", target,
				"source", source, "error", oneLine(err.Error()), "hint", hint)
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
