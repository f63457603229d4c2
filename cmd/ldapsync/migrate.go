package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/django"
	"ldapsync/internal/django/postgres"
	"ldapsync/internal/django/sqlite"
)

func (a *app) migrateCommand() *cobra.Command {
	var sel selection
	var show bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Make ldapsync's own tables in the targets' databases",
		Long: `Makes ldapsync's own tables beside Django's: schema ldapsync on PostgreSQL, prefix ldapsync_ on SQLite. Django's tables aren't
changed. Safe to repeat. With --print, prints the SQL instead, for people whose DBA runs it.`,
		Args: arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			a.interruptible = true
			if show {
				return a.printMigrations(sel)
			}
			return a.migrate(c.Context(), sel)
		},
	}
	sel.targetFlag(c)
	c.Flags().BoolVar(&show, "print", false, "print the SQL, change nothing")
	return c
}

func (a *app) migrate(ctx context.Context, sel selection) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	targets, err := sel.targetsOf(cfg)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := a.migrateTarget(ctx, cfg, t); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) migrateTarget(ctx context.Context, cfg *config.Config, t *config.Target) error {
	st, err := openStore(ctx, cfg, t, 30*time.Second, a.logger(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer st.Close()
	ready, err := st.Migrated(ctx)
	outdated := errors.Is(err, django.ErrOutdated)
	if err != nil && !outdated {
		return err
	}
	done := "up to date"
	if !ready {
		if err := st.Migrate(ctx); err != nil {
			return err
		}
		if done = "made"; outdated {
			done = "brought up to date"
		}
	}
	_, err = fmt.Fprintf(a.stdout, "target %s: ldapsync's tables are %s\n", t.Name, done)
	return err
}

// printMigrations needs no database to be there: only which kind each target has.
func (a *app) printMigrations(sel selection) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	targets, err := sel.targetsOf(cfg)
	if err != nil {
		return err
	}
	printed := map[string]bool{}
	for _, t := range targets {
		db, err := database(t)
		if err != nil {
			return err
		}
		if printed[db.Kind] {
			continue
		}
		printed[db.Kind] = true
		sql := postgres.Migrations()
		if db.Kind == config.SQLite {
			sql = sqlite.Migrations()
		}
		if _, err := fmt.Fprintln(a.stdout, sql); err != nil {
			return err
		}
	}
	return nil
}
