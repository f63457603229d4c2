package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	selection
	repair, asJSON, all bool
}

// told is how many differences are told.
func (o *verifyOptions) told() int {
	switch {
	case o.all:
		return 0
	case o.asJSON:
		return plannedMost
	}
	return most
}

func (a *app) verifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify [TARGET...]",
		Short: "Compare databases with the stream, row by row, and repair what differs",
		Long: `Compares the users, groups and memberships of targets (of all, by default) with what the stream says at the point that each has reached, row by
row: what was edited by hand, is missing, or is there too much. The directory isn't asked. Every difference is told as the change that would put it right;
--repair makes these changes. Accounts and groups that sync made or adopted and whose entries the stream doesn't have count as removed then; more of them than
the limits allow wait for a person. What else a repair takes, memberships and flags that were given by hand among it, no limit counts. Entries that couldn't be
applied ("ldapsync deadletters list") are no differences, nor is what stays because a person rejected its removal; accounts that sync neither made nor adopted
are none of its business.

The service compares each target once a day and warns of differences (targets.….verify: 24h).

Exit codes: 0 no difference, or all repaired; 3 there are some; 4 repaired but for what the limits hold; 6 database, 7 stream.`,
		Example: "  ldapsync verify\n  ldapsync verify default --repair\n  ldapsync verify --all --json",
		Args:    arguments(0, 1000, ""),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			o.targets = append(o.targets, args...)
			return a.verify(c.Context(), o)
		},
	}
	o.sourceFlag(c)
	f := c.Flags()
	f.BoolVar(&o.repair, "repair", false, "put right what differs")
	f.BoolVar(&o.all, "all", false, fmt.Sprintf("name every difference, not the first %d (with --json: %d)", most, plannedMost))
	f.BoolVar(&o.asJSON, "json", false, "as JSON")
	return c
}

// verified is what was found in a target for one source, as --json prints it.
type verified struct {
	Target      string    `json:"target"`
	Source      string    `json:"source"`
	Sequence    uint64    `json:"sequence"` // of the stream, up to which the target is compared
	Users       int       `json:"users"`    // that the stream has
	Groups      int       `json:"groups"`
	Differences int       `json:"differences"`
	Changes     []planned `json:"changes"`  // the first of them, as what would put them right, or did
	Repaired    bool      `json:"repaired"` // nothing differs any more
	Held        holds     `json:"held"`     // what a repair left to a person, or a person rejected: the latter is no difference
	Seconds     float64   `json:"seconds"`

	totals map[string]int
}

func (a *app) verify(ctx context.Context, o verifyOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	targets, err := o.targetsOf(cfg)
	if err != nil {
		return err
	}
	sources, err := o.sourcesOf(cfg)
	if err != nil {
		return err
	}
	if !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return fault.New(fault.Stream, "ldapsync run makes one", "there is no stream to compare with")
	}
	logger := a.logger(slog.LevelWarn)
	b, err := a.openBus(ctx, cfg, patience(sources), logger)
	if err != nil {
		return err
	}
	defer b.Close()
	views := []*verified{}
	for _, t := range targets {
		list, err := a.verifyTarget(ctx, cfg, t, sources, b, o)
		if err != nil {
			return fmt.Errorf("target %s: %w", t.Name, err)
		}
		views = append(views, list...)
	}
	if o.asJSON {
		if err := writeJSON(a.stdout, views); err != nil {
			return err
		}
	}
	return verdictOn(views)
}

// verdictOn is the exit code.
func verdictOn(views []*verified) error {
	code := codeDone
	for _, v := range views {
		switch {
		case len(v.Held.open()) > 0 && code == codeDone:
			code = codeLeftovers
		case len(v.Held.open()) == 0 && v.Differences > 0 && !v.Repaired:
			code = codeDifference
		}
	}
	if code == codeDone {
		return nil
	}
	return exit(code)
}

func (a *app) verifyTarget(ctx context.Context, cfg *config.Config, t *config.Target, sources []*config.Source, b *bus.Bus, o verifyOptions) ([]*verified, error) {
	logger := a.logger(slog.LevelWarn)
	st, err := openStore(ctx, cfg, t, patience(sources), logger)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var list []*verified
	for _, s := range sources {
		if !feeds(s, t) {
			continue
		}
		v := &verifying{cfg: cfg, target: t, source: s, store: st, bus: b, logger: logger}
		found, err := v.run(ctx, o)
		if err != nil {
			return nil, err
		}
		if o.repair {
			tellOutcomes(ctx, b, t, st, logger)
		}
		list = append(list, found)
		if o.asJSON {
			continue
		}
		w := &lines{w: a.stdout}
		found.print(w, len(t.Sources) > 1)
		if w.err != nil {
			return nil, w.err
		}
	}
	return list, nil
}

func feeds(s *config.Source, t *config.Target) bool {
	for _, name := range t.Sources {
		if name == s.Name {
			return true
		}
	}
	return false
}

// verifying is the comparison of a target with one source's stream.
type verifying struct {
	cfg    *config.Config
	target *config.Target
	source *config.Source
	store  store
	bus    *bus.Bus
	logger *slog.Logger
}

// run compares, and repairs and compares again if that is wanted.
func (v *verifying) run(ctx context.Context, o verifyOptions) (*verified, error) {
	begun := time.Now()
	log, err := v.bus.OpenLog(ctx, v.source.Name)
	if errors.Is(err, proto.ErrNotFound) {
		return nil, fault.New(fault.Stream, "ldapsync run makes one", "source %s has no stream to compare with", v.source.Name)
	}
	if err != nil {
		return nil, err
	}
	covered, err := covers(ctx, log, attributesFor(v.target, v.source))
	if err == nil && !covered {
		err = fault.New(fault.Usage, "ldapsync run reads them", "the mapping takes attributes that the stream of source %s doesn't have yet", v.source.Name)
	}
	if err != nil {
		return nil, err
	}
	c, err := application(v.cfg, v.target, v.source, v.store, v.logger)
	if err != nil {
		return nil, err
	}
	c.RetryFor, c.Outcomes = v.source.Retry.For, doneBy(v.target, byVerify)
	found := &verified{Target: v.target.Name, Source: v.source.Name, Changes: []planned{}, Held: holds{}, totals: map[string]int{}}
	d := &describer{target: v.target, store: v.store, config: c, groups: map[string]string{}}
	var changes []func() // described once no transaction is open any more
	each := func(kind proto.Kind, change applier.Change) {
		if n := o.told(); n == 0 || len(changes) < n {
			changes = append(changes, func() { found.Changes = append(found.Changes, d.describe(ctx, kind, change)) })
		}
	}
	by := applier.New(c, v.store, log)
	done, err := by.Verify(ctx, applier.VerifyOptions{Repair: o.repair, Most: o.told()}, each)
	if err != nil {
		return nil, err
	}
	for _, describe := range changes {
		describe()
	}
	found.take(done)
	if o.repair && found.Differences > 0 {
		left, err := by.Verify(ctx, applier.VerifyOptions{Most: 1}, nil)
		if err != nil {
			return nil, err
		}
		found.Repaired = left.Differences() == 0
	}
	if done.Held != nil {
		found.Held = append(found.Held, newRowView(v.target.Name, *done.Held))
		if done.Held.Decision != applier.Rejected {
			found.Differences += done.Held.Count
		}
	}
	found.Seconds = time.Since(begun).Seconds()
	return found, nil
}

func (v *verified) take(done applier.Verified) {
	v.Sequence, v.Users, v.Groups, v.Differences = done.Sequence, done.Users, done.Groups, done.Differences()
	for _, n := range []applier.Counts{done.Summary.Users, done.Summary.Groups} {
		for action, count := range map[applier.Action]int{applier.Create: n.Created, applier.Adopt: n.Adopted, applier.Relink: n.Relinked, applier.Update: n.Updated,
			applier.Miss: n.Missing, applier.Remove: n.Removed} {
			v.totals[string(action)] += count
		}
	}
}

// print prints the differences, and a line that says what they come to.
func (v *verified) print(w *lines, several bool) {
	for _, c := range v.Changes {
		w.line("%s", c.String())
	}
	listed := v.Differences - len(v.Changes)
	for _, h := range v.Held.open() {
		listed -= h.Count
	}
	if listed > 0 {
		w.line("… and %d more: --all names them", listed)
	}
	what := "target " + v.Target
	if several {
		what += ", source " + v.Source
	}
	of := fmt.Sprintf("%s and %s", plural(v.Users, "user", "users"), plural(v.Groups, "group", "groups"))
	took := duration(time.Duration(v.Seconds * float64(time.Second)))
	switch {
	case v.Differences == 0:
		w.line("%s: no difference in %s (sequence %d, %s)", what, of, v.Sequence, took)
	case v.Repaired && len(v.Held.open()) == 0:
		w.line("%s: repaired: %s; now no difference in %s (sequence %d, %s)", what, totals(v.totals), of, v.Sequence, took)
	default:
		w.line("%s: %s in %s: %s (sequence %d, %s)", what, plural(v.Differences, "difference", "differences"), of, totals(v.totals), v.Sequence, took)
	}
	v.Held.print(w)
}
