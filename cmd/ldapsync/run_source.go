package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// source makes a pass over one source and waits until every target has applied it. A target that fails doesn't stop the others.
func (r *runner) source(ctx context.Context, s *config.Source) error {
	log, err := r.bus.Log(ctx, s.Name)
	if err != nil {
		return err
	}
	targets := r.targetsOf(s.Name)
	appliers := make([]*following, 0, len(targets))
	for _, t := range targets {
		f, err := r.follow(ctx, t, s, log)
		if err != nil {
			return err
		}
		appliers = append(appliers, f)
	}
	defer func() {
		for _, f := range appliers {
			f.cancel(errStopped)
		}
	}()
	first, end, err := log.Bounds(ctx) // before it is asked what the stream covers
	if err != nil {
		return err
	}
	covered, err := covers(ctx, log, attributesOf(r.cfg, s.Name))
	if err != nil {
		return err
	}
	var group errgroup.Group
	applying := false
	apply := func() {
		applying = true
		for _, f := range appliers {
			group.Go(f.run)
		}
	}
	how := passing{full: r.options.full || !covered}
	if first > end {
		// What an empty stream will cover isn't known before its first snapshot has begun: another process may be faster.
		how.begun = func(first uint64) {
			if first == end+1 {
				apply()
			}
		}
	} else if covered {
		apply()
	}
	last, passed := r.pass(ctx, s, log, how)
	if !applying {
		if passed != nil {
			return passed
		}
		if err := r.recheck(ctx, s, log); err != nil {
			return err
		}
		apply()
	}
	if passed != nil && ctx.Err() == nil {
		// What was published before it failed is true: it is applied all the same.
		if _, last, err = log.Bounds(ctx); err != nil {
			last = 0
		}
	}
	failed := passed
	for _, f := range appliers {
		end := func() error { return f.end(last) }
		if passed != nil && r.unbegun(ctx, f, s, log) {
			end = f.giveUp
		}
		if err := end(); err != nil && ctx.Err() == nil {
			r.result.failed(f.target, err)
			failed = r.failed(failed, fmt.Errorf("target %s: %w", f.target, err))
		}
	}
	_ = group.Wait() // their errors came from end
	for _, f := range appliers {
		if f.applier != nil {
			r.result.applied(f.target, s.Name, f.applier.Summary())
			r.mirror(ctx, f.target, s.Name)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.fulls[s.Name] {
		retain(ctx, s, log, r.logger)
	}
	return failed
}

// unbegun tells whether a target waits for the stream's first snapshot, which a failed pass hasn't committed: it takes the state at that.
func (r *runner) unbegun(ctx context.Context, f *following, s *config.Source, log *bus.Log) bool {
	if _, err := log.LastOf(ctx, proto.TypeSnapshotCommitted); !errors.Is(err, proto.ErrNotFound) {
		return false
	}
	cp, err := r.stores[f.target].Checkpoint(ctx, s.Name)
	return err == nil && cp != nil && (!cp.Live() || cp.StreamID != log.StreamID())
}

// recheck refuses to apply a stream that the pass has left without what the mapping takes: the service that made it asks for less.
func (r *runner) recheck(ctx context.Context, s *config.Source, log *bus.Log) error {
	covered, err := covers(ctx, log, attributesOf(r.cfg, s.Name))
	if err != nil || covered {
		return err
	}
	return fault.New(fault.Usage, "restart the service with this configuration",
		"source %s: the service that reads it doesn't ask for the attributes mapped here", s.Name)
}

// passing is how a pass is made.
type passing struct {
	full  bool
	begun func(first uint64) // nil, or called where this process makes it: see extractor.Options
}

// pass makes the snapshot, or has the service make it that is active for the source. It returns the sequence to wait for.
func (r *runner) pass(ctx context.Context, s *config.Source, log *bus.Log, how passing) (last uint64, err error) {
	who, active, err := r.bus.Active(ctx, roleExtractor, s.Name)
	if err != nil {
		return 0, err
	}
	if active {
		r.logger.Info("a service reads this source: waiting for its pass", "source", s.Name, "service", who)
		return r.passElsewhere(ctx, s, log, how.full)
	}
	last, err = r.passHere(ctx, s, log, how)
	if errors.Is(err, proto.ErrRival) && ctx.Err() == nil {
		// Another one began at the same moment: this one's turn comes after it.
		last, err = r.passHere(ctx, s, log, how)
	}
	return last, err
}

// passHere makes the snapshot, after any other run of this source.
func (r *runner) passHere(ctx context.Context, s *config.Source, log *bus.Log, how passing) (last uint64, err error) {
	if err := awaitOtherRuns(ctx, r.bus, s.Name); err != nil {
		return 0, err
	}
	stop, err := r.bus.Announce(ctx, roleRun, s.Name)
	if err != nil {
		return 0, err
	}
	defer stop()
	r.fulls[s.Name] = false
	dir, err := directory(r.cfg, s, s.Retry.For, r.logger)
	if err != nil {
		return 0, err
	}
	c := extraction(r.cfg, s, r.logger)
	c.MaxMessage = log.MaxPayload()
	c.OnProgress = func(p extractor.Progress) { r.progress.read(s.Name, p.Read, p.Published) }
	pending, err := r.bus.Pending(ctx, s.Name)
	if err != nil {
		return 0, err
	}
	covered, err := covers(ctx, log, attributesOf(r.cfg, s.Name)) // another run may have filled the stream
	if err != nil {
		return 0, err
	}
	options := passOptions(how.full || !covered, pending.Requests)
	options.OnBegun = how.begun
	sum, err := extractor.New(c, dir, log).Pass(ctx, options)
	if errors.Is(err, proto.ErrRival) {
		return 0, fault.Passing(fault.Stream, "let it end, then run again", "source %s: %w", s.Name, err)
	}
	if err != nil {
		return 0, blame(s.Name, err)
	}
	r.result.passed(s.Name, sum)
	r.fulls[s.Name] = sum.Full
	if err := pending.Done(ctx); err != nil {
		r.logger.Warn("requests that this pass has answered stay for the next one, too", "source", s.Name, "error", err)
	}
	return sum.Last, nil
}

// passOptions are those of a pass that answers requests: several are answered by one.
func passOptions(full bool, requests []*proto.RunRequest) extractor.Options {
	o := extractor.Options{Full: full}
	for _, r := range requests {
		o.Full = o.Full || r.GetFull()
		o.Requests = append(o.Requests, r.GetId())
		o.Verdicts = append(o.Verdicts, r.GetVerdicts()...)
		o.Forgets = append(o.Forgets, r.GetForgets()...)
	}
	return o
}

// blame says which source an error of a pass is about. What the configuration names and the directory doesn't have is the directory's.
func blame(source string, err error) error {
	if class, _ := fault.Of(err); class == fault.Failed && errors.Is(err, proto.ErrNotFound) {
		return fault.New(fault.Directory, "check the name, and that the account may read it", "source %s: %w", source, err)
	}
	return fmt.Errorf("source %s: %w", source, err)
}

// passElsewhere asks the active service for a pass and waits for it.
func (r *runner) passElsewhere(ctx context.Context, s *config.Source, log *bus.Log, full bool) (last uint64, err error) {
	answer, err := triggerAndWait(ctx, r.bus, log, s.Name, &proto.RunRequest{RequestedBy: requester(), Full: full}, max(leastPatience, s.Retry.For))
	if err != nil {
		return 0, err
	}
	r.result.passed(s.Name, answer.summary())
	return answer.sequence, nil
}

// otherRunPatience is how long a run waits for another one of the same source.
const otherRunPatience = 30 * time.Second

// awaitOtherRuns waits until no other run reads the source.
func awaitOtherRuns(ctx context.Context, b *bus.Bus, source string) error {
	for deadline := time.Now().Add(otherRunPatience); ; {
		who, active, err := b.Active(ctx, roleRun, source)
		if err != nil || !active {
			return err
		}
		if time.Now().After(deadline) {
			return fault.Passing(fault.Stream, "let it end, then run again", "source %s: %s is at work on it", source, who)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// following is the application of a source to one target while a run lasts.
type following struct {
	target  string
	applier *applier.Applier // nil: a service does it
	ctx     context.Context  // ends with the cause when Run does
	cancel  context.CancelCauseFunc
	await   func(ctx context.Context, sequence uint64) error
}

// follow prepares to apply a source to a target, or to wait for the service that does.
func (r *runner) follow(ctx context.Context, t *config.Target, s *config.Source, log *bus.Log) (*following, error) {
	f := &following{target: t.Name}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	st := r.stores[t.Name]
	who, active, err := r.bus.Active(ctx, roleApplier, t.Name)
	if err != nil {
		return nil, err
	}
	if active {
		r.logger.Info("a service applies to this target: waiting for it", "target", t.Name, "service", who)
		f.await = func(ctx context.Context, sequence uint64) error {
			return awaitPosition(ctx, position{bus: r.bus, log: log, store: st, target: t.Name, source: s.Name}, sequence)
		}
		return f, nil
	}
	st.Refresh()
	c, err := application(r.cfg, t, s, st, r.logger)
	if err != nil {
		return nil, err
	}
	c.AcceptStream, c.RetryFor = r.options.acceptStream, s.Retry.For
	c.OnProgress = func(n uint64) { r.progress.applied(t.Name, n) }
	c.OnChange = func(proto.Kind, applier.Change) { r.news[t.Name].did() }
	f.applier = applier.New(c, st, log)
	f.await = f.applier.WaitFor
	return f, nil
}

// errStopped ends an applier that has done its part.
var errStopped = errors.New("done")

// run applies until end is called or something fails.
func (f *following) run() error {
	if f.applier == nil {
		return nil
	}
	err := f.applier.Run(f.ctx)
	f.cancel(err)
	return err
}

// end waits until everything up to sequence last is applied, and stops.
func (f *following) end(last uint64) error {
	err := f.await(f.ctx, last)
	if cause := context.Cause(f.ctx); err != nil && cause != nil {
		err = cause
	}
	f.cancel(errStopped)
	return err
}

// giveUp stops without waiting, where there is nothing to wait for.
func (f *following) giveUp() error {
	err := context.Cause(f.ctx)
	f.cancel(errStopped)
	if err != nil {
		return err
	}
	return fault.Passing(fault.Stream, "", "nothing is applied before a snapshot is committed")
}
