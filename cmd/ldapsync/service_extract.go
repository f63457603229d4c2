package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// extracting reads one source as a service. Its passes never overlap: one goroutine makes them all.
type extracting struct {
	*service
	source *config.Source
	dir    extractor.Directory
	ex     *extractor.Extractor
	log    *bus.Log
	passes int // that succeeded
}

// asked is what was asked for at once: one pass answers it.
type asked struct {
	requests []*proto.RunRequest
	answered chan<- error // nil: the pass succeeded
}

func (x *extracting) run(ctx context.Context) error {
	log, err := x.bus.Log(ctx, x.source.Name)
	if err != nil {
		return err
	}
	c := extraction(x.cfg, x.source, x.logger)
	c.MaxMessage = log.MaxPayload()
	x.ex, x.log = extractor.New(c, x.dir, log), log
	requests, err := x.bus.Requests(ctx, x.source.Name)
	if err != nil {
		return err
	}
	stop, err := x.bus.Announce(ctx, roleExtractor, x.source.Name)
	if err != nil {
		return err
	}
	defer stop()
	questions := make(chan asked)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return x.listen(ctx, requests, questions) })
	group.Go(func() error { return x.work(ctx, questions) })
	return group.Wait()
}

// listen hands on requests, and acknowledges them once a pass has answered them.
func (x *extracting) listen(ctx context.Context, requests *bus.Requests, questions chan<- asked) error {
	for {
		list, ack, err := requests.Next(ctx)
		if err != nil {
			return err
		}
		answered := make(chan error, 1)
		select {
		case questions <- asked{list, answered}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-answered:
			if err == nil {
				err = ack(ctx)
			}
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				x.logger.Warn("the requests stay until a pass succeeds", "source", x.source.Name)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// work makes passes: at start and at the interval, unless that is 0, and when asked.
func (x *extracting) work(ctx context.Context, questions <-chan asked) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	if x.source.Interval == 0 {
		timer.Stop()
	}
	for {
		var q asked
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case q = <-questions:
		}
		begun := time.Now()
		err := x.pass(ctx, q.requests)
		if q.answered != nil {
			q.answered <- err
		}
		if err := x.judge(ctx, err); err != nil {
			return err
		}
		if x.source.Interval > 0 {
			timer.Reset(max(0, x.source.Interval-time.Since(begun)))
		}
	}
}

func (x *extracting) pass(ctx context.Context, requests []*proto.RunRequest) error {
	if err := awaitOtherRuns(ctx, x.bus, x.source.Name); err != nil {
		return err
	}
	covered, err := covers(ctx, x.log, attributesOf(x.cfg, x.source.Name))
	if err != nil {
		return err
	}
	sum, err := x.ex.Pass(ctx, passOptions(!covered, requests))
	if err != nil {
		return blame(x.source.Name, err)
	}
	x.passes++
	u, g := sum.Users, sum.Groups
	x.logger.Info("snapshot committed", "source", x.source.Name, "snapshot", sum.Snapshot, "full", sum.Full, "server", sum.Server,
		"users", u.Read, "groups", g.Read, "added", u.Added+g.Added, "changed", u.Changed+g.Changed, "removed", u.Removed+g.Removed,
		"missing", sum.Missing, "skipped", u.Skipped+g.Skipped, "held", u.Held+g.Held, "took", sum.Elapsed.Round(time.Millisecond))
	for _, d := range sum.Decided {
		x.logger.Info("decided", "source", x.source.Name, "what", newDecidedView(x.source.Name, d).line())
	}
	for _, f := range sum.Forgot {
		x.logger.Info("erasure", "source", x.source.Name, "what", newForgotView(f).line())
	}
	for _, h := range sum.Held {
		if v := newHoldView(x.source.Name, h); !v.Rejected {
			x.logger.Warn("held until a person decides", "source", x.source.Name, "what", v.what(), "reason", v.Reason, "hint", "ldapsync held show "+v.short())
		}
	}
	for _, skip := range sum.Skipped {
		x.logger.Warn("entry skipped", "source", x.source.Name, "dn", skip.DN, "reason", skip.Reason)
	}
	if sum.Full {
		retain(ctx, x.source, x.log, x.logger)
	}
	return nil
}

// judge says whether a failed pass ends the service: only what retrying can't mend, and only before a first pass has succeeded. What
// breaks later (a password that is changed, a certificate that runs out) may be mended while the service goes on.
func (x *extracting) judge(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.IsPermanent(err) && x.passes == 0:
		return err
	case errors.Is(err, proto.ErrRival):
		x.logger.Warn("another extractor publishes to this stream; this pass is given up", "source", x.source.Name)
		return nil
	}
	_, hint := fault.Of(err)
	x.logger.Error("the pass failed; nobody was removed by it", "source", x.source.Name, "error", oneLine(err.Error()), "hint", hint)
	return nil
}
