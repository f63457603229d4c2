package main

import (
	"context"
	"errors"
	"time"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// dryRun prints what run would do. It writes nothing: no state directory, no stream, no table, no row.
func (a *app) dryRun(ctx context.Context, o runOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	r, err := a.newRunner(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer r.close()
	if cfg.NATS.URL.IsSet() || bus.HasStore(cfg.State) {
		if r.bus, err = a.openBus(ctx, cfg, patience(r.sources), r.logger); err != nil {
			return err
		}
	}
	p := &planner{runner: r, plan: plan{Changes: []planned{}, Held: holds{}, Totals: map[string]int{}}}
	for _, s := range r.sources {
		if err := p.source(ctx, s); err != nil {
			return err
		}
	}
	var refused error // as run would refuse
	for _, t := range r.targets {
		if err := p.deletable(ctx, t); err != nil {
			refused = r.failed(refused, err)
			continue
		}
		if err := p.due(ctx, t); err != nil {
			return err
		}
	}
	r.progress.end()
	if err := p.print(o); refused == nil {
		return err
	}
	return refused
}

// planner collects the plan.
type planner struct {
	*runner
	plan plan
}

// deletable refuses what run would refuse. Without a stream nobody can be due.
func (p *planner) deletable(ctx context.Context, t *config.Target) error {
	if p.bus == nil {
		return nil
	}
	return p.runner.deletable(ctx, t)
}

// source plans for one source: its one listing feeds the plans of all targets.
func (p *planner) source(ctx context.Context, s *config.Source) error {
	var log *bus.Log
	var err error
	covered := true
	if p.bus != nil {
		if log, err = p.bus.OpenLog(ctx, s.Name); err != nil && !errors.Is(err, proto.ErrNotFound) {
			return err
		}
		pending, err := p.bus.Pending(ctx, s.Name)
		if err != nil {
			return err
		}
		for _, r := range pending.Requests {
			p.plan.Waiting += len(r.GetVerdicts())
		}
	}
	if log != nil {
		if covered, err = covers(ctx, log, attributesOf(p.cfg, s.Name)); err != nil {
			return err
		}
	}
	dir, err := directory(p.cfg, s, s.Retry.For, p.logger)
	if err != nil {
		return err
	}
	c := extraction(p.cfg, s, p.logger)
	c.SpoolDir = "" // the state directory may not be there
	c.OnProgress = func(n extractor.Progress) { p.progress.read(s.Name, n.Read, n.Published) }
	var events extractor.Log // nil, not a nil *bus.Log
	if log != nil {
		events, c.MaxMessage = log, log.MaxPayload()
	}
	// All of it is read before a database is: a transaction that stays open while a slow directory is listed keeps PostgreSQL from cleaning up.
	var listed []proto.Event
	sum, err := extractor.New(c, dir, events).Preview(ctx, p.options.full || !covered, func(e proto.Event) error {
		listed = append(listed, e)
		return nil
	})
	if err != nil {
		return blame(s.Name, err)
	}
	p.result.passed(s.Name, sum)
	for _, t := range p.targetsOf(s.Name) {
		if err := p.preview(ctx, t, s, log, listed, covered); err != nil {
			return err
		}
	}
	return nil
}

// preview plans for one target what the listed events come to: those of a full snapshot where the stream doesn't cover what is mapped.
func (p *planner) preview(ctx context.Context, t *config.Target, s *config.Source, log *bus.Log, listed []proto.Event, covered bool) error {
	st := p.stores[t.Name]
	c, err := application(p.cfg, t, s, st, p.logger)
	if err != nil {
		return err
	}
	c.AcceptStream, c.RetryFor, c.Uncovered = p.options.acceptStream, s.Retry.For, !covered
	var stream applier.Stream
	if log != nil {
		stream = log
	}
	d := &describer{target: t, several: len(p.targets) > 1, store: st, config: c, groups: map[string]string{}}
	feed := func(apply func(proto.Event) error) error {
		for _, e := range listed {
			if err := apply(e); err != nil {
				return err
			}
		}
		return nil
	}
	list, sum, err := d.planned(ctx, applier.New(c, st, stream), feed)
	for _, change := range list {
		p.plan.add(change)
	}
	p.result.applied(t.Name, s.Name, sum)
	for _, row := range sum.Held {
		p.plan.Held = append(p.plan.Held, newRowView(t.Name, row))
	}
	return err
}

// plansMost is how often a plan is begun because a live applier moves the target while it is made.
const plansMost = 3

// planned makes a plan for what an applier hasn't applied yet and for what feed hands out.
func (d *describer) planned(ctx context.Context, a *applier.Applier, feed func(func(proto.Event) error) error) (list []planned, sum applier.Summary, err error) {
	for range plansMost {
		list = nil
		sum, err = a.Preview(ctx, feed, func(kind proto.Kind, change applier.Change) { list = append(list, d.describe(ctx, kind, change)) })
		if !errors.Is(err, applier.ErrMoved) {
			return list, sum, err
		}
	}
	return nil, sum, fault.Passing(fault.Database, "try again when no pass is at work", "target %s: %d times %w", d.target.Name, plansMost, err)
}

// due plans what the callbacks would do for those who are gone already.
func (p *planner) due(ctx context.Context, t *config.Target) error {
	st := p.stores[t.Name]
	ready, err := st.Migrated(ctx)
	if err != nil || !ready {
		return err
	}
	const page = 500
	for _, callback := range t.Removal.Callbacks {
		q := handling(t, p.logger).Query(callback, time.Now())
		q.Limit = page
		for {
			accounts, err := st.Due(ctx, q)
			if err != nil {
				return err
			}
			for _, account := range accounts {
				p.plan.add(planned{Target: t.Name, Action: callback, Kind: proto.KindUser, ID: account.ID, DN: account.DN, Name: account.Username, Reason: account.Reason,
					several: len(p.targets) > 1})
				q.Behind = account.Key
			}
			if len(accounts) < page {
				break
			}
		}
	}
	return nil
}
