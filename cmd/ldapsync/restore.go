package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/callbacks"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	selection
	snapshot       uint64
	by             string
	dryRun, asJSON bool
}

func (a *app) restoreCommand() *cobra.Command {
	var o restoreOptions
	c := &cobra.Command{
		Use:   "restore USER... | --snapshot N",
		Short: "Make accounts active again that sync deactivated",
		Long: `Makes accounts active again that sync deactivated because their entries were gone or missing: those named, or all whose entries a snapshot found
missing or gone: with a grace, both the snapshot in which it began and the one in which it was over have them. They stay active while the same absence
lasts; who returns to the directory and leaves it again is deactivated again. Whom a person deactivated isn't touched, and what was deleted can't be
brought back.`,
		Example: "  ldapsync restore ada\n  ldapsync restore --snapshot 1207 --dry-run\n  ldapsync restore --snapshot 1207",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && o.snapshot == 0:
				return usage("ldapsync restore USER..., or ldapsync restore --snapshot N", "ldapsync restore: nobody is named")
			case len(args) > 0 && o.snapshot > 0:
				return usage("use one of the two", "ldapsync restore: usernames beside --snapshot")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			if o.by = oneLine(o.by); o.by == "" {
				o.by = a.person()
			}
			return a.restore(c.Context(), args, o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.Uint64Var(&o.snapshot, "snapshot", 0, "all whom this snapshot (its `number`) found missing or gone")
	f.StringVar(&o.by, "by", "", "who restores them (`name`; default: $SUDO_USER, $USER)")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "print whom it would restore, change nothing")
	f.BoolVar(&o.asJSON, "json", false, "as JSON")
	return c
}

// restoredView is one account, as --json prints it.
type restoredView struct {
	Target   string `json:"target"`
	Source   string `json:"source,omitempty"`
	Name     string `json:"name"`
	DN       string `json:"dn,omitempty"`
	Restored bool   `json:"restored"`
	Reason   string `json:"reason,omitempty"` // why not

	key   callbacks.Key
	asked []string // the names, of those given, that it was found by: the account's, or the one that the directory knew it by
}

// span is the part of a source's stream that a snapshot is.
type span struct {
	source   string
	from, to uint64
}

func (a *app) restore(ctx context.Context, names []string, o restoreOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	targets, err := o.targetsOf(cfg)
	if err != nil {
		return err
	}
	spans := make([]span, 0, 1)
	if o.snapshot > 0 {
		spans, err = a.spans(ctx, cfg, o)
	} else {
		for _, source := range o.sources {
			spans = append(spans, span{source: source})
		}
		if len(spans) == 0 {
			spans = append(spans, span{}) // of all sources
		}
	}
	if err != nil {
		return err
	}
	views := []restoredView{}
	for _, t := range targets {
		list, err := a.restoreIn(ctx, cfg, t, names, spans, o)
		views = append(views, list...)
		if err != nil {
			if len(views) > 0 {
				_ = a.printRestored(views, o)
			}
			return err
		}
	}
	return a.tellRestored(views, names, o)
}

// spans finds the snapshot in the streams of the selected sources.
func (a *app) spans(ctx context.Context, cfg *config.Config, o restoreOptions) ([]span, error) {
	sources, err := o.sourcesOf(cfg)
	if err != nil {
		return nil, err
	}
	if len(sources) > 1 {
		return nil, usage("add --source NAME: each source numbers its own", "--snapshot: which of several sources it is of isn't clear")
	}
	s := sources[0].Name
	missing := fault.New(fault.Failed, "the summary of each run names its snapshot", "source %s: there is no snapshot %d in its stream", s, o.snapshot)
	if !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return nil, missing
	}
	b, err := a.openBus(ctx, cfg, patience(sources), a.logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	defer b.Close()
	log, err := b.OpenLog(ctx, s)
	if errors.Is(err, proto.ErrNotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	found := span{source: s}
	for e, err := range log.Since(ctx, time.Time{}, proto.TypeSnapshotStarted, proto.TypeSnapshotCommitted, proto.TypeSnapshotAborted) {
		if err != nil {
			return nil, err
		}
		if err := found.take(e, o.snapshot); err != nil {
			return nil, err
		}
	}
	if found.from == 0 {
		return nil, missing
	}
	if found.to == 0 {
		return nil, fault.New(fault.Failed, "let it end", "source %s: snapshot %d isn't over", s, o.snapshot)
	}
	return []span{found}, nil
}

// take looks at one bracket.
func (s *span) take(e proto.Event, snapshot uint64) error {
	var number uint64
	switch e.Type {
	case proto.TypeSnapshotStarted:
		m := new(proto.SnapshotStarted)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		if m.GetSnapshot() == snapshot {
			s.from = e.Sequence
		}
		return nil
	case proto.TypeSnapshotCommitted:
		m := new(proto.SnapshotCommitted)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		number = m.GetSnapshot()
	case proto.TypeSnapshotAborted:
		m := new(proto.SnapshotAborted)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		number = m.GetSnapshot()
	}
	if number == snapshot {
		s.to = e.Sequence
	}
	return nil
}

// restoreIn restores accounts of one target, or only finds them.
func (a *app) restoreIn(ctx context.Context, cfg *config.Config, t *config.Target, names []string, spans []span, o restoreOptions) ([]restoredView, error) {
	st, err := openStore(ctx, cfg, t, 30*time.Second, a.logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	defer st.Close()
	if err := migrated(ctx, st, t); err != nil {
		return nil, err
	}
	found, asked, err := seek(ctx, st, names, spans)
	if err != nil {
		return nil, err
	}
	if o.snapshot > 0 {
		found = slices.DeleteFunc(found, func(f callbacks.Absentee) bool { return f.DeactivatedBy != deactivatedBySync })
	}
	views, err := restoreAll(ctx, st, t.Name, found, o)
	for i, v := range views {
		views[i].asked = asked[v.key]
	}
	return views, err
}

// seek finds the accounts of these names, each once and with the names that it was found by; without names, all that the spans have.
func seek(ctx context.Context, st callbacks.Restorer, names []string, spans []span) (found []callbacks.Absentee, asked map[callbacks.Key][]string, err error) {
	queries := [][]string{nil}
	if len(names) > 0 {
		queries = slices.Collect(slices.Chunk(names, 1))
	}
	asked = map[callbacks.Key][]string{}
	for _, s := range spans {
		for _, query := range queries {
			list, err := st.Find(ctx, callbacks.FindQuery{Usernames: query, Source: s.source, FromSequence: s.from, ToSequence: s.to})
			if err != nil {
				return nil, nil, err
			}
			for _, f := range list {
				if _, again := asked[f.Key]; !again {
					found = append(found, f)
				}
				asked[f.Key] = append(asked[f.Key], query...)
			}
		}
	}
	return found, asked, nil
}

// deactivatedBySync is Absentee.DeactivatedBy of those whom the callback deactivated.
const deactivatedBySync = "sync"

func restoreAll(ctx context.Context, st callbacks.Restorer, target string, found []callbacks.Absentee, o restoreOptions) ([]restoredView, error) {
	var views []restoredView
	for chunk := range slices.Chunk(found, callbacks.MaxBatch) {
		accounts := make([]callbacks.Account, len(chunk))
		for i, f := range chunk {
			accounts[i] = f.Account
		}
		if o.dryRun {
			for _, f := range chunk {
				v := newRestoredView(target, f.Account)
				v.Reason = callbacks.CantRestore(f.DeactivatedBy)
				v.Restored = v.Reason == ""
				views = append(views, v)
			}
			continue
		}
		results, err := st.Restore(ctx, accounts, o.by)
		if err != nil {
			return views, err
		}
		for _, r := range results {
			v := newRestoredView(target, r.Account)
			if v.Restored = r.Outcome == callbacks.Restored; !v.Restored {
				v.Reason = whyNot(r)
			}
			views = append(views, v)
		}
	}
	return views, nil
}

func newRestoredView(target string, a callbacks.Account) restoredView {
	return restoredView{Target: target, Source: a.Source, Name: a.Username, DN: a.DN, key: a.Key}
}

// whyNot says why an account wasn't restored.
func whyNot(r callbacks.Result) string {
	switch {
	case r.Reason != "":
		return r.Reason
	case r.Outcome == callbacks.Vanished:
		return "the account was deleted"
	case r.Outcome == callbacks.Returned:
		return "something else became of it just now"
	}
	return string(r.Outcome)
}

// tellRestored prints what happened, and fails if somebody who was named isn't restored in any target.
func (a *app) tellRestored(views []restoredView, names []string, o restoreOptions) error {
	if err := a.printRestored(views, o); err != nil {
		return err
	}
	for _, name := range names {
		restored, seen := false, false
		for _, v := range views {
			if slices.Contains(v.asked, name) {
				seen, restored = true, restored || v.Restored
			}
		}
		if !seen {
			return fault.New(fault.Failed, "ldapsync orphans lists the accounts whose entry is missing or gone", "%s: no account of that name whose entry is missing or gone", printable(name))
		}
		if !restored {
			return exit(codeFailed)
		}
	}
	return nil
}

func (a *app) printRestored(views []restoredView, o restoreOptions) error {
	if o.asJSON {
		return writeJSON(a.stdout, views)
	}
	w := &lines{w: a.stdout}
	done := "active again"
	if o.dryRun {
		done = "would be active again"
	}
	n := 0
	for i, v := range views {
		what := done
		if v.Restored {
			n++
		} else {
			what = "not restored: " + printable(v.Reason)
		}
		if i < most || !v.Restored {
			w.line("%s: %s (%s): %s", v.Target, printable(v.Name), printable(v.DN), what)
		}
	}
	if o.snapshot > 0 {
		w.line("%s %s", plural(n, "account", "accounts"), done)
	}
	return w.err
}
