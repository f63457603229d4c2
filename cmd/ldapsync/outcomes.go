package main

import (
	"context"
	"log/slog"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// The outcomes of what the stages and commands do to a target lie in its outbox, where the target wants any. Whoever did it publishes them; a command
// without a stream leaves them to the next one with, or to the service, which looks at intervals.

// What is said to have done something, beside the callbacks.
const (
	byApply  = "apply"
	byReplay = "replay"
	byVerify = "verify"
)

// outcomesInterval is how long outcomes of another process's doing wait at most.
const outcomesInterval = time.Minute

// doneBy is the name under which outcomes are written; "" where a target wants none.
func doneBy(t *config.Target, name string) string {
	if !t.Outcomes {
		return ""
	}
	return name
}

// publishOutcomes publishes what lies in a target's outbox.
func publishOutcomes(ctx context.Context, b *bus.Bus, t *config.Target, outbox bus.Outbox) (int, error) {
	return b.PublishOutcomes(ctx, t.Name, outcomesEncoding(t), outbox)
}

// outcomesEncoding is the content type of a target's outcomes.
func outcomesEncoding(t *config.Target) string {
	if t.Encoding == "json" {
		return proto.ContentTypeJSON
	}
	return proto.ContentTypeProtobuf
}

// tellOutcomes is what a command does when it is done: its work counts, whether it can be told or not.
func tellOutcomes(ctx context.Context, b *bus.Bus, t *config.Target, outbox bus.Outbox, logger *slog.Logger) {
	if !t.Outcomes || ctx.Err() != nil {
		return
	}
	if _, err := publishOutcomes(ctx, b, t, outbox); err != nil && ctx.Err() == nil {
		_, hint := fault.Of(err)
		logger.Warn("outcomes aren't published yet: the next run, or the service, does it", "target", t.Name, "error", oneLine(err.Error()), "hint", hint)
	}
}

// outcomes publishes those of a run's targets.
func (r *runner) outcomes(ctx context.Context) {
	for _, t := range r.targets {
		tellOutcomes(ctx, r.bus, t, r.stores[t.Name], r.logger)
	}
}

// telling publishes a target's outcomes until ctx is done: when something was done, and at intervals. It holds nobody back: what can't be published
// waits in the outbox, and people are warned once until it can.
func (s *service) telling(ctx context.Context, t *config.Target) error {
	st, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	done := s.targets[t.Name].done
	failing := false
	for {
		n, err := publishOutcomes(ctx, s.bus, t, st)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wake := done
		switch {
		case err != nil:
			if !failing {
				_, hint := fault.Of(err)
				s.logger.Warn("outcomes wait in the database: they can't be published", "target", t.Name, "error", oneLine(err.Error()), "hint", hint)
			}
			failing, wake = true, nil
		case failing:
			s.logger.Info("outcomes are published again", "target", t.Name, "messages", n)
			failing = false
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-time.After(outcomesInterval):
		}
	}
}

// did wakes telling.
func (o *opened) did() {
	select {
	case o.done <- struct{}{}:
	default:
	}
}
