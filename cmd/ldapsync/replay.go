package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	source, snapshot, to, as     string
	release, dryRun, yes, asJSON bool
	acceptStream                 bool
	approve                      []string // hashes of what the plan has shown to be stopped
}

func (a *app) replayCommand() *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use:   "replay --snapshot REF --to TARGET | --release --to TARGET",
		Short: "Make a database equal to a past snapshot, or bring it back to the present",
		Long: `Makes a target's database equal to a past snapshot, from the stream alone: to roll back an accident in the directory, or to fill the database of
a new application or a staging copy, which --to names by its URL; the tables of ldapsync are made in it, those of Django must be there. Every row is compared,
so that what was edited by hand is put right, too. Accounts and groups that the snapshot doesn't have count as removed.

What it would take, accounts, groups, memberships, flags, activity, values, is put to the source's limits first. Beyond one of them nothing is written: exit code 4 and a hash
say so, "ldapsync held show HASH" shows whom it is about, and the same command with --approve HASH does it, for exactly what was shown; so it does
once somebody else has approved it with "ldapsync held approve".

The target is pinned to the snapshot then: runs and services leave it alone until it is released, which brings it to the last snapshot again and lets it
follow. A replay that was interrupted goes on when it is started again; one that was done before writes nothing.

REF is what "ldapsync snapshots" takes: a number, latest, latest~2, a time. The plan is shown first.

Exit codes: 0 done, 3 a dry run found a difference, 4 a limit is met and nothing was done, or done but something is held or retrying, 6 database,
7 stream or state directory.`,
		Example: "  ldapsync replay --snapshot latest~1 --to default --dry-run\n  ldapsync replay --snapshot \"2026-11-20 08:00\" --to default\n" +
			"  ldapsync replay --snapshot latest --to sqlite:////srv/new/db.sqlite3 --as default --yes\n  ldapsync replay --release --to default",
		Args: func(c *cobra.Command, args []string) error {
			if err := arguments(0, 0, "")(c, args); err != nil {
				return err
			}
			return o.check()
		},
		RunE: func(c *cobra.Command, _ []string) error {
			a.interruptible = true
			return a.replay(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.snapshot, "snapshot", "", "the snapshot: `REF`")
	f.StringVar(&o.to, "to", "", "the `TARGET`, or the URL of a database")
	f.StringVar(&o.as, "as", "", "map as this `TARGET` does, where --to is a URL (default: the only one)")
	f.StringVar(&o.source, "source", "", "replay only this `source`, where several feed the target")
	f.BoolVar(&o.release, "release", false, "end it: bring the target to the present, and let it follow the stream again")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "print the plan, change nothing; exit code 3 if there is something to do")
	f.BoolVarP(&o.yes, "yes", "y", false, "don't ask")
	f.StringSliceVar(&o.approve, "approve", nil, "take what the limits would stop: exactly what the plan has shown under this `HASH`")
	f.BoolVar(&o.acceptStream, "accept-stream", false, "go on although the stream isn't the one that the target knows (a state directory was lost)")
	f.BoolVar(&o.asJSON, "json", false, "print the plan and what was done as JSON")
	return c
}

func (o *replayOptions) check() error {
	switch {
	case o.to == "":
		return usage("name a target, or the URL of a database", "ldapsync replay: --to is missing")
	case o.release && o.snapshot != "":
		return usage("--release brings the target to the last snapshot", "ldapsync replay: --snapshot beside --release")
	case !o.release && o.snapshot == "":
		return usage("such as latest~1; ldapsync snapshots list shows them", "ldapsync replay: --snapshot is missing")
	case o.as != "" && !o.url():
		return usage("a configured target has a mapping of its own", "ldapsync replay: --as is for a database that --to names by its URL")
	}
	return nil
}

// url tells whether --to is one: no target's name has a colon.
func (o *replayOptions) url() bool { return strings.Contains(o.to, "://") }

func (a *app) replay(ctx context.Context, o replayOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	r, err := a.newReplayer(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.look(ctx); err != nil {
		return err
	}
	if o.dryRun {
		return r.printPlan()
	}
	if !o.asJSON {
		if err := r.printPlan(); err != nil && !errors.As(err, new(exit)) {
			return err
		}
	}
	if err := r.mayStart(ctx); err != nil {
		return err
	}
	if err := a.confirm(r.yes, "Do it?"); err != nil {
		return err
	}
	return r.carryOut(ctx)
}

// look finds the streams and the snapshot in each, and plans. It starts over where these change meanwhile: nothing was shown yet.
func (r *replayer) look(ctx context.Context) error {
	defer r.progress.end()
	if err := r.openStreams(ctx); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := r.resolve(ctx)
		if err == nil {
			err = r.planAll(ctx)
		}
		moved := errors.Is(err, applier.ErrMoved)
		switch {
		case !moved && !errors.Is(err, proto.ErrCut) || ctx.Err() != nil:
			return err
		case n == looks && moved:
			return fault.Passing(fault.Database, "try again when no pass is at work", "%d times %w", looks, err)
		case n == looks:
			return err
		}
		r.logger.Info("what was read changed meanwhile; looking again", "because", err)
	}
}

// replayer is a replay at work: a run of one target.
type replayer struct {
	*runner
	replayOptions
	target *config.Target
	store  store
	steps  []*replayStep
	plan   replayPlan

	stops     []applier.Held // what the limits would stop, by the plan
	approvals []applier.Approval
}

// replayStep is the part of a replay that one source has.
type replayStep struct {
	source   *config.Source
	log      *bus.Log
	applier  *applier.Applier
	config   applier.Config
	snapshot *history.Snapshot
	point    applier.Snapshot
	state    stateSize
}

func (a *app) newReplayer(ctx context.Context, cfg *config.Config, o replayOptions) (*replayer, error) {
	r := &replayer{replayOptions: o, runner: &runner{app: a, cfg: cfg, logger: a.logger(slog.LevelWarn), stores: map[string]store{}, result: newResult()}}
	r.progress = newProgress(a.stderr, o.asJSON)
	var err error
	if r.target, err = o.target(cfg); err != nil {
		return nil, err
	}
	r.targets = []*config.Target{r.target}
	for _, name := range r.target.Sources {
		if o.source == "" || name == o.source {
			r.sources = append(r.sources, cfg.Source(name))
		}
	}
	if len(r.sources) == 0 {
		return nil, usage("fed by: "+strings.Join(r.target.Sources, ", "), "--source: %q doesn't feed target %s", o.source, r.target.Name)
	}
	if r.store, err = openStore(ctx, cfg, r.target, patience(r.sources), r.logger); err != nil {
		return nil, err
	}
	r.stores[r.target.Name] = r.store
	return r, nil
}

// target returns the target, or for a URL one like the target whose mapping it takes.
func (o *replayOptions) target(cfg *config.Config) (*config.Target, error) {
	if !o.url() {
		list, err := (&selection{targets: []string{o.to}}).targetsOf(cfg)
		if err != nil {
			return nil, usage("a target that is configured, or a URL such as postgres://user:password@host/name", "--to: there is no target %q", o.to)
		}
		return list[0], nil
	}
	database, err := config.ParseDatabase(o.to)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	var chosen selection
	if o.as != "" {
		chosen.targets = []string{o.as}
	}
	list, err := chosen.targetsOf(cfg)
	if err != nil {
		return nil, err
	}
	if len(list) > 1 {
		return nil, usage("one of "+names(len(list), func(i int) string { return list[i].Name }), "--as is missing: whose mapping is to be taken?")
	}
	t := *list[0]
	t.Name, t.Database, t.Outcomes = database.Shown, config.NewSecret(o.to), false
	return &t, nil
}

// noSnapshot is what a replay of a source without any ends with.
func noSnapshot() error {
	return fault.New(fault.Failed, "ldapsync run makes one", "no snapshot was committed yet")
}

// openStreams opens the bus, and makes sure of our tables.
func (r *replayer) openStreams(ctx context.Context) error {
	if !r.cfg.NATS.URL.IsSet() && !bus.HasStore(r.cfg.State) {
		return noSnapshot()
	}
	var err error
	if r.bus, err = r.openBus(ctx, r.cfg, patience(r.sources), r.logger); err != nil {
		return err
	}
	return r.ownTables(ctx)
}

// resolve finds the snapshot in each stream.
func (r *replayer) resolve(ctx context.Context) error {
	r.steps = nil
	if len(r.sources) > 1 && !r.release && strings.Trim(r.snapshot, "0123456789") == "" {
		return usage("add --source, or name a time", "--snapshot %s: each source of target %s has snapshots of its own", r.snapshot, r.target.Name)
	}
	for _, s := range r.sources {
		log, err := r.bus.OpenLog(ctx, s.Name)
		if errors.Is(err, proto.ErrNotFound) {
			return noSnapshot()
		}
		if err != nil {
			return err
		}
		if r.release {
			if cp, err := r.store.Checkpoint(ctx, s.Name); err != nil {
				return err
			} else if cp.Live() && len(r.sources) > 1 {
				continue // another source's is pinned, or none: that is said below
			}
		}
		step, err := r.step(ctx, s, log)
		if err != nil {
			return blame(s.Name, err)
		}
		r.steps = append(r.steps, step)
	}
	if len(r.steps) == 0 {
		return usage("there is nothing to release", "target %s isn't pinned", r.target.Name)
	}
	return nil
}

// ownTables makes our tables in a database that isn't configured, and wants them in a target's.
func (r *replayer) ownTables(ctx context.Context) error {
	ready, err := r.store.Migrated(ctx)
	switch {
	case err != nil || ready || r.dryRun:
		return err
	case !r.url():
		return unmigrated(r.target)
	}
	return nil // once it was agreed to
}

func (r *replayer) step(ctx context.Context, s *config.Source, log *bus.Log) (*replayStep, error) {
	h, err := history.Open(ctx, log)
	if err != nil {
		return nil, err
	}
	ref := r.snapshot
	if r.release {
		ref = "latest"
	}
	snapshot, err := h.Committed(ref, time.Now())
	if err != nil {
		return nil, err
	}
	if err := r.covered(s, snapshot); err != nil {
		return nil, err
	}
	p := h.Point(snapshot)
	state, err := h.State(ctx, p)
	if err != nil {
		return nil, err
	}
	step := &replayStep{source: s, log: log, snapshot: snapshot, point: applier.Snapshot{Number: snapshot.Number, From: max(p.From, 1), To: p.To},
		state: stateSize{state.Len(proto.KindUser), state.Len(proto.KindGroup)}}
	if step.config, err = application(r.cfg, r.target, s, r.store, r.logger); err != nil {
		return nil, err
	}
	step.config.AcceptStream = r.acceptStream
	step.config.RetryFor, step.config.Outcomes = s.Retry.For, doneBy(r.target, byReplay)
	step.config.OnProgress = func(n uint64) { r.progress.applied(r.target.Name, n) }
	step.applier = applier.New(step.config, r.store, log)
	return step, nil
}

// covered refuses a snapshot whose entries lack what the mapping takes: its columns would be cleared for everybody.
func (r *replayer) covered(s *config.Source, snapshot *history.Snapshot) error {
	if snapshot.Question == nil {
		return nil
	}
	asked := snapshot.Question.GetAttributes()
	for _, name := range attributesFor(r.target, s) {
		if !slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, name) }) {
			return fault.New(fault.Usage, "replay a later snapshot, or one with the mapping of then (--as)",
				"snapshot %d doesn't have the attribute %s, which is mapped now: the directory wasn't asked for it", snapshot.Number, name)
		}
	}
	return nil
}

// carryOut does what was planned, runs the callbacks once, and reports.
func (r *replayer) carryOut(ctx context.Context) error {
	if r.url() {
		if ready, err := r.store.Migrated(ctx); err != nil {
			return err
		} else if !ready {
			if err := r.store.Migrate(ctx); err != nil {
				return err
			}
		}
	}
	for _, step := range r.steps {
		done, err := r.do(ctx, step)
		r.result.replayed(r.target.Name, step.source.Name, done)
		if !r.url() {
			r.mirror(ctx, r.target.Name, step.source.Name)
		}
		if err != nil {
			r.progress.end()
			r.logger.Warn("the target stays pinned half-way: the same command goes on, replay --release brings it to the present", "target", r.target.Name)
			return fmt.Errorf("target %s: %w", r.target.Name, err)
		}
		if done.Stopped != nil { // what it would take has changed since the plan
			r.progress.end()
			return r.stop([]applier.Held{*done.Stopped})
		}
		r.placed = append(r.placed, step.source.Name)
	}
	failed := r.callbacks(ctx)
	r.outcomes(ctx)
	r.progress.end()
	if err := r.leftovers(ctx); err != nil {
		failed = r.failed(failed, err)
	}
	if err := r.printDone(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return r.result.exit(false)
}

// do replays or releases one source's part.
func (r *replayer) do(ctx context.Context, step *replayStep) (applier.Replayed, error) {
	if r.release {
		return step.applier.Release(ctx, r.approvals...)
	}
	return step.applier.Replay(ctx, step.point, r.approvals...)
}
