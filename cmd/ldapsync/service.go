package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/sync/errgroup"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// service is one process that runs some stages until it is stopped. The first stage that ends ends all.
type service struct {
	app     *app
	options serviceOptions
	cfg     *config.Config
	logger  *slog.Logger
	bus     *bus.Bus
	targets map[string]*opened
	stages  []func(ctx context.Context) error
	err     error // the first that add… met
}

// service opens the bus, lets add choose the stages and runs them. Being stopped is no error.
func (a *app) service(ctx context.Context, o serviceOptions, add func(*service)) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	s := &service{app: a, options: o, cfg: cfg, logger: a.logger(serviceLevel), targets: map[string]*opened{}}
	defer s.close()
	err = s.run(ctx, add)
	if ctx.Err() != nil {
		s.logger.Info("stopped")
		return nil // whatever error being stopped led to
	}
	return err
}

func (s *service) run(ctx context.Context, add func(*service)) error {
	if add(s); s.err != nil {
		return s.err
	}
	c, err := s.app.busConfig(s.cfg, 0, s.logger)
	if err != nil {
		return err
	}
	c.Share = true // a person decides about a hold while it runs
	if s.bus, err = bus.Open(ctx, c); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, stage := range s.stages {
		group.Go(func() error { return stage(ctx) })
	}
	return group.Wait()
}

func (s *service) close() {
	if s.bus != nil {
		if err := s.bus.Close(); err != nil {
			s.logger.Warn("closing the stream", "error", err)
		}
	}
	for _, o := range s.targets {
		if o.store == nil {
			continue
		}
		if err := o.store.Close(); err != nil {
			s.logger.Warn("closing the database", "error", err)
		}
	}
}

func (s *service) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *service) addExtractors() {
	sources, err := s.options.sourcesOf(s.cfg)
	if err != nil {
		s.fail(err)
		return
	}
	for _, src := range sources {
		dir, err := directory(s.cfg, src, 0, s.logger)
		if err != nil {
			s.fail(err)
			return
		}
		s.stages = append(s.stages, (&extracting{service: s, source: src, dir: dir}).run)
	}
}

func (s *service) addAppliers() {
	targets, err := s.options.targetsOf(s.cfg)
	if err != nil {
		s.fail(err)
		return
	}
	for _, t := range targets {
		s.expect(t)
		s.stages = append(s.stages, func(ctx context.Context) error { return s.applyTarget(ctx, t) })
	}
}

func (s *service) addCallbacks() {
	targets, err := s.options.targetsOf(s.cfg)
	if err != nil {
		s.fail(err)
		return
	}
	for _, t := range targets {
		if len(t.Removal.Callbacks) == 0 {
			s.logger.Info("no removal callback: nothing is done to the accounts of those who leave", "target", t.Name)
			s.stages = append(s.stages, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			continue
		}
		s.expect(t)
		s.stages = append(s.stages, func(ctx context.Context) error { return s.handleTarget(ctx, t) })
	}
}

// applyTarget applies every source of a target until ctx is done.
func (s *service) applyTarget(ctx context.Context, t *config.Target) error {
	st, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	stop, err := s.bus.Announce(ctx, roleApplier, t.Name)
	if err != nil {
		return err
	}
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range t.Sources {
		group.Go(func() error { return s.applySource(ctx, t, s.cfg.Source(name), st) })
		group.Go(func() error { return mirroring(ctx, s.bus, st, t.Name, name, s.logger) })
		group.Go(func() error { return s.verifying(ctx, t, s.cfg.Source(name), st) })
	}
	return group.Wait()
}

func (s *service) applySource(ctx context.Context, t *config.Target, src *config.Source, st store) error {
	log, err := s.bus.Log(ctx, src.Name)
	if err != nil {
		return err
	}
	if err := awaitCoverage(ctx, log, t, src, s.logger); err != nil {
		return err
	}
	c, err := application(s.cfg, t, src, st, s.logger)
	if err != nil {
		return err
	}
	c.AcceptStream = s.options.acceptStream
	waker, news := s.targets[t.Name].waker, s.targets[t.Name].news
	c.OnChange = func(kind proto.Kind, change applier.Change) {
		news.did()
		if change.Action == applier.Remove || change.Action == applier.Miss {
			waker.Wake() // no event tells of an account that no entry stands behind
		}
		s.logger.Debug("applied", "target", t.Name, "kind", kind, "action", change.Action, "dn", change.DN, "name", change.Name, "reason", change.Reason)
		if change.Action == applier.Skip || change.Action == applier.Park {
			s.logger.Warn("entry not applied", "target", t.Name, "kind", kind, "action", change.Action, "dn", change.DN, "reason", change.Reason)
		}
	}
	for {
		err := applier.New(c, st, log).Run(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, applier.ErrPinned) {
			if err != nil {
				err = fmt.Errorf("target %s: %w", t.Name, err)
			}
			return err
		}
		if err := awaitRelease(ctx, st, t.Name, src.Name, err, s.logger); err != nil {
			return err
		}
	}
}

// handleTarget runs a target's callbacks until ctx is done.
func (s *service) handleTarget(ctx context.Context, t *config.Target) error {
	st, err := s.open(ctx, t)
	if err != nil {
		return err
	}
	stop, err := s.bus.Announce(ctx, roleCallbacks, t.Name)
	if err != nil {
		return err
	}
	defer stop()
	if err := s.deletable(ctx, t); err != nil {
		return err
	}
	waker := s.targets[t.Name].waker
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range t.Sources {
		durable := "callback-" + t.Name + "-" + t.Removal.Callbacks[0]
		group.Go(func() error {
			return waker.Follow(ctx, name, st, s.bus.Wake(ctx, name, durable, proto.TypeUserRemoved, proto.TypeUserMissing))
		})
	}
	group.Go(func() error {
		c := handling(t, s.logger)
		c.Ready = func(ctx context.Context) error {
			return upToDate{bus: s.bus, target: t, store: st}.await(ctx, s.logger)
		}
		c.OnResult = func(callbacks.Result) { s.targets[t.Name].news.did() }
		return callbacks.New(c, st).Run(ctx, waker.C())
	})
	return group.Wait()
}

// persist tries until fn succeeds, ctx is done, or the error is one that retrying can't mend.
func persist(ctx context.Context, logger *slog.Logger, what string, fn func() error) error {
	pause := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(0), backoff.WithInitialInterval(time.Second), backoff.WithMaxInterval(time.Minute))
	return backoff.RetryNotify(func() error {
		err := fn()
		var f *fault.Error
		if err != nil && (ctx.Err() != nil || !errors.As(err, &f) || f.Permanent) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(pause, ctx), func(err error, wait time.Duration) {
		logger.Warn("trying again", "what", what, "error", err, "in", wait.Round(time.Millisecond))
	})
}
