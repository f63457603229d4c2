package main

import (
	"context"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
)

// callbacks attempts once what is due for whoever left each target.
func (r *runner) callbacks(ctx context.Context) error {
	var failed error
	for _, t := range r.targets {
		if len(t.Removal.Callbacks) == 0 {
			continue
		}
		c := callbacks.Config{Target: t.Name, Callbacks: t.Removal.Callbacks, Logger: r.logger}
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

// leftovers reads what couldn't be applied and what a callback failed for, of this run and earlier ones.
func (r *runner) leftovers(ctx context.Context) error {
	for _, t := range r.targets {
		for _, source := range t.Sources {
			letters, err := r.stores[t.Name].Letters(ctx, django.LetterFilter{Source: source}, 0)
			if err != nil {
				return err
			}
			r.result.letters(t.Name, letters)
		}
	}
	return nil
}
