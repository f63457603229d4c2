package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
)

// runOptions are the flags of run.
type runOptions struct {
	selection
	dryRun, full, asJSON, strict, quiet, acceptStream bool
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Synchronize once: read the directory, publish, apply, handle who left",
		Long: `Reads the directory, publishes what changed to the stream, applies it to every target, lets the callbacks handle who was removed,
and prints what happened. With --dry-run, prints what would be done instead, and changes nothing.

Exit codes: 0 done, 1 failed, 2 configuration, 3 a dry run found a difference, 4 done but something is held, retrying or (with --strict)
skipped, 5 directory, 6 database, 7 stream or state directory, 130 interrupted.`,
		Example: "  ldapsync run --dry-run\n  ldapsync run\n  ldapsync run --full --json",
		Args:    arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			a.interruptible = true
			if o.dryRun {
				return a.dryRun(c.Context(), o)
			}
			return a.run(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "print what would be done, change nothing; exit code 3 if there is something")
	f.BoolVar(&o.full, "full", false, "publish every entry, changed or not")
	f.BoolVar(&o.asJSON, "json", false, "print the summary as JSON")
	f.BoolVar(&o.strict, "strict", false, "exit code 4 also if entries were skipped")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing unless something needs attention")
	f.BoolVar(&o.acceptStream, "accept-stream", false, "go on although the stream isn't the one that the targets know (a state directory was lost)")
	return c
}

// run carries out one pass of everything selected.
func (a *app) run(ctx context.Context, o runOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	r, err := a.newRunner(ctx, cfg, o)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.migrated(ctx); err != nil {
		return err
	}
	if r.bus, err = a.openBus(ctx, cfg, patience(r.sources), r.logger); err != nil {
		return err
	}
	stop := r.telling(ctx)
	defer stop()
	var failed error
	for _, s := range r.sources {
		if err := r.source(ctx, s); err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed = r.failed(failed, err)
		}
	}
	if err := r.callbacks(ctx); err != nil {
		failed = r.failed(failed, err)
	}
	stop()
	r.outcomes(ctx)
	r.progress.end()
	if err := r.leftovers(ctx); err != nil {
		failed = r.failed(failed, err)
	}
	if failed == nil || len(r.result.Sources) > 0 {
		if err := r.report(o); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	return r.result.exit(o.strict)
}

// runner is one run at work.
type runner struct {
	*app
	options  runOptions
	cfg      *config.Config
	logger   *slog.Logger
	sources  []*config.Source
	targets  []*config.Target
	stores   map[string]store // by target
	fulls    map[string]bool  // sources of which this run published a full snapshot
	placed   []string         // sources that a replay has brought where they are meant to be
	news     map[string]news  // by target, of those whose outcomes are told meanwhile
	bus      *bus.Bus
	progress *progress
	result   *result
}

// newRunner opens the targets' databases: what is wrong with them is said before the directory is asked anything.
func (a *app) newRunner(ctx context.Context, cfg *config.Config, o runOptions) (_ *runner, err error) {
	r := &runner{app: a, options: o, cfg: cfg, logger: a.logger(slog.LevelWarn), stores: map[string]store{}, fulls: map[string]bool{},
		news: map[string]news{}, result: newResult()}
	r.progress = newProgress(a.stderr, o.quiet || o.asJSON)
	if r.sources, err = o.sourcesOf(cfg); err != nil {
		return nil, err
	}
	if r.targets, err = o.targetsOf(cfg); err != nil {
		return nil, err
	}
	r.sources = inPrecedence(r.sources, r.targets)
	for _, t := range r.targets {
		st, err := openStore(ctx, cfg, t, patience(r.sources), r.logger)
		if err != nil {
			r.close()
			return nil, err
		}
		r.stores[t.Name] = st
		for _, f := range st.Findings() {
			if f.Warning {
				r.logger.Warn(f.What, "target", t.Name, "hint", f.Hint)
			}
		}
	}
	return r, nil
}

func (r *runner) migrated(ctx context.Context) error {
	for _, t := range r.targets {
		if err := migrated(ctx, r.stores[t.Name], t); err != nil {
			return err
		}
	}
	return nil
}

// failed keeps the first error to end with, and logs those behind it.
func (r *runner) failed(first, err error) error {
	if first == nil {
		return err
	}
	r.logger.Error(oneLine(err.Error()))
	return first
}

func (r *runner) close() {
	r.progress.end()
	if r.bus != nil {
		if err := r.bus.Close(); err != nil {
			r.logger.Warn("closing the stream", "error", err)
		}
	}
	for _, st := range r.stores {
		if err := st.Close(); err != nil {
			r.logger.Warn("closing the database", "error", err)
		}
	}
}

// targetsOf returns the selected targets that a source feeds.
func (r *runner) targetsOf(source string) []*config.Target {
	var list []*config.Target
	for _, t := range r.targets {
		for _, name := range t.Sources {
			if name == source {
				list = append(list, t)
			}
		}
	}
	return list
}
