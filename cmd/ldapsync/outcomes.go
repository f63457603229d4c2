package main

import (
	"context"
	"log/slog"
	"sync"
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

// How long outcomes wait at most where others have just been told: they are told together. A first load is told in a few turns.
const (
	servicePause = time.Second
	runPause     = 5 * time.Second
)

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

// news holds a token when something was done that isn't told yet.
type news chan struct{}

func newNews() news { return make(news, 1) }

// did wakes whoever tells.
func (n news) did() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// telling publishes the outcomes of a target while they come to be.
type telling struct {
	bus    *bus.Bus
	target *config.Target
	outbox bus.Outbox
	news   news
	pause  time.Duration // between two tellings
	logger *slog.Logger
}

// run publishes until ctx is done: when something was done, and at intervals. It holds nobody back: what can't be published waits in the outbox, and
// people are warned once until it can.
func (t telling) run(ctx context.Context) error {
	failing := false
	for {
		n, err := publishOutcomes(ctx, t.bus, t.target, t.outbox)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wake := t.news
		switch {
		case err != nil:
			if !failing {
				_, hint := fault.Of(err)
				t.logger.Warn("outcomes wait in the database: they can't be published", "target", t.target.Name, "error", oneLine(err.Error()), "hint", hint)
			}
			failing, wake = true, nil
		case failing:
			t.logger.Info("outcomes are published again", "target", t.target.Name, "messages", n)
			failing = false
		}
		if n > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(t.pause):
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-time.After(outcomesInterval):
		}
	}
}

// telling tells a target's outcomes until ctx is done.
func (s *service) telling(ctx context.Context, t *config.Target) error {
	st, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	return telling{s.bus, t, st, s.targets[t.Name].news, servicePause, s.logger}.run(ctx)
}

// telling tells the outcomes of a run's targets while it lasts, which may be long after a target has got all that is for it. What is left when stop
// returns is for outcomes, and so is telling people that it can't be published.
func (r *runner) telling(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, t := range r.targets {
		if t.Outcomes {
			r.news[t.Name] = newNews()
			one := telling{r.bus, t, r.stores[t.Name], r.news[t.Name], runPause, slog.New(slog.DiscardHandler)}
			group.Go(func() { _ = one.run(ctx) })
		}
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// outcomes publishes those of a run's targets that telling has left.
func (r *runner) outcomes(ctx context.Context) {
	for _, t := range r.targets {
		tellOutcomes(ctx, r.bus, t, r.stores[t.Name], r.logger)
	}
}
