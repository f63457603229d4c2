package main

import (
	"context"
	"errors"
	"slices"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// callbacks attempts once what is due for whoever left each target.
func (r *runner) callbacks(ctx context.Context) error {
	var failed error
	for _, t := range r.targets {
		if len(t.Removal.Callbacks) == 0 {
			continue
		}
		why, err := r.withheld(ctx, t)
		if err != nil {
			failed = r.failed(failed, err)
			continue
		}
		if why != "" {
			r.result.withheld(t.Name, why)
			continue
		}
		if err := r.deletable(ctx, t); err != nil {
			failed = r.failed(failed, err)
			continue
		}
		c := handling(t, r.logger)
		c.OnResult = func(callbacks.Result) { r.news[t.Name].did() }
		sum, err := callbacks.New(c, r.stores[t.Name]).RunOnce(ctx)
		r.result.handled(t.Name, sum)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = r.failed(failed, err)
		}
	}
	return failed
}

// withheld says in a clause why a target's callbacks mustn't act now: who left for it may be back already. "": they may.
func (r *runner) withheld(ctx context.Context, t *config.Target) (string, error) {
	if r.result.hasFailed(t.Name) {
		return "not everything is applied", nil
	}
	return upToDate{bus: r.bus, target: t, store: r.stores[t.Name], except: r.placed}.now(ctx)
}

func (r *runner) deletable(ctx context.Context, t *config.Target) error {
	for _, name := range t.Sources {
		log, err := r.bus.OpenLog(ctx, name)
		if errors.Is(err, proto.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := mayDelete(ctx, t, name, log); err != nil {
			return err
		}
	}
	return nil
}

// mayDelete refuses to delete accounts whose id is only the username, unless that was chosen: a renamed person would lose hers.
func mayDelete(ctx context.Context, t *config.Target, source string, log *bus.Log) error {
	if t.Removal.DeleteByUsername || !slices.Contains(t.Removal.Callbacks, config.Delete) {
		return nil
	}
	e, err := log.LastOf(ctx, proto.TypeSnapshotStarted)
	if errors.Is(err, proto.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m := new(proto.SnapshotStarted)
	if err := proto.Unmarshal(e, m); err != nil {
		return err
	}
	if m.GetQuestion().GetIdAttribute() != extractor.Username {
		return nil
	}
	return fault.New(fault.Usage, "use deactivate, set the source's id:, or set removal.delete_by_username: true",
		"target %s: nobody is deleted: source %s has no ids but usernames, and who is renamed looks like one who left", t.Name, source)
}

// leftovers reads what a target holds, what couldn't be applied and what a callback failed for, of this run and earlier ones.
func (r *runner) leftovers(ctx context.Context) error {
	for _, t := range r.targets {
		rows, err := r.stores[t.Name].HeldRows(ctx)
		if err != nil {
			return err
		}
		r.result.holding(t.Name, slices.DeleteFunc(rows, func(row applier.Held) bool {
			_, is := row.Replay()
			return is // it waits for whoever wants the replay, and keeps nothing from being done
		}))
		for _, source := range t.Sources {
			letters, err := r.stores[t.Name].Letters(ctx, django.LetterFilter{Source: source}, 0)
			if err != nil {
				return err
			}
			r.result.letters(t.Name, slices.DeleteFunc(letters, func(l django.Letter) bool {
				return l.Stage != django.StageApply && !slices.Contains(t.Removal.Callbacks, l.Stage) // nothing tries it again
			}))
		}
	}
	return nil
}
