package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	"ldapsync/internal/django/postgres"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/fault"
	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// store is a target's database, whichever it is.
type store interface {
	applier.Store
	callbacks.Accounts
	callbacks.Restorer
	HeldRows(ctx context.Context) ([]applier.Held, error)
	DecideHeld(ctx context.Context, hash string, d applier.Decision, by, why string) (bool, error)
	Orphans(ctx context.Context) iter.Seq2[django.Orphan, error]
	Profiles(ctx context.Context, source string, kind proto.Kind, ids []string) ([]django.Profile, error)
	Forget(ctx context.Context, source, id string) (django.Forgotten, error)
	Users() *django.Table
	Groups() *django.Table
	Findings() []django.Finding
	Refresh()
	Migrations() string
	Migrate(ctx context.Context) error
	Migrated(ctx context.Context) (bool, error)
	Letters(ctx context.Context, f django.LetterFilter, limit int) ([]django.Letter, error)
	DropLetters(ctx context.Context, f django.LetterFilter) (int, error)
	RetryLetters(ctx context.Context, f django.LetterFilter) (int, error)
	Stats(ctx context.Context) ([]django.Stats, error)
	bus.Outbox
	OutboxOf(ctx context.Context, source, id string) ([]proto.Unpublished, error)
	ForgetOutbox(ctx context.Context, source, id string) (int64, error)
	Close() error
}

// database reads where a target's database is.
func database(t *config.Target) (config.Database, error) {
	if !t.Database.IsSet() {
		return config.Database{}, fault.New(fault.Usage, "set database: (or DATABASE_URL), such as postgres://user:password@host/name or sqlite:////path",
			"targets.%s: no database is configured", t.Name)
	}
	text, err := t.Database.Value()
	if err != nil {
		return config.Database{}, err
	}
	db, err := config.ParseDatabase(text)
	if err != nil {
		class, hint := fault.Of(err)
		return db, fault.New(class, hint, "targets.%s.database: %w", t.Name, err)
	}
	return db, nil
}

// openStore opens a target's database. retryFor bounds how long a server that doesn't answer is tried.
func openStore(ctx context.Context, cfg *config.Config, t *config.Target, retryFor time.Duration, logger *slog.Logger) (store, error) {
	db, err := database(t)
	if err != nil {
		return nil, err
	}
	if db.Kind == config.SQLite {
		return sqlite.Open(ctx, sqlite.Config{Path: db.Path, Settings: djangoSettings(cfg, t)})
	}
	return postgres.Open(ctx, postgres.Config{DSN: db.DSN, Settings: djangoSettings(cfg, t), RetryFor: retryFor, Logger: logger})
}

// inspectStore lists what stands in the way of a target's synchronization.
func inspectStore(ctx context.Context, cfg *config.Config, t *config.Target, retryFor time.Duration) ([]django.Finding, error) {
	db, err := database(t)
	if err != nil {
		return nil, err
	}
	if db.Kind == config.SQLite {
		return sqlite.Inspect(ctx, sqlite.Config{Path: db.Path, Settings: djangoSettings(cfg, t)})
	}
	return postgres.Inspect(ctx, postgres.Config{DSN: db.DSN, Settings: djangoSettings(cfg, t), RetryFor: retryFor})
}

// reads tells which kinds the sources of a target read, and which flags they derive.
type reads struct{ users, groups, staff, superuser bool }

func readsOf(cfg *config.Config, names []string) reads {
	var r reads
	for _, name := range names {
		s := cfg.Source(name)
		r.users = r.users || s.Users.Filter != ""
		r.groups = r.groups || s.Groups.Filter != ""
		r.staff = r.staff || s.Flags.Staff != nil
		r.superuser = r.superuser || s.Flags.Superuser != nil
	}
	return r
}

// djangoSettings says which tables and columns a target's mapping is about.
func djangoSettings(cfg *config.Config, t *config.Target) django.Settings {
	r := readsOf(cfg, t.Sources)
	s := django.Settings{
		Users: django.Users{
			Table: t.Users.Table, UsernameField: t.Users.UsernameField, Active: t.Users.Columns.Active,
			Staff: t.Users.Columns.Staff, Superuser: t.Users.Columns.Superuser, Defaults: t.Users.Defaults, Skip: !r.users,
		},
		Groups:     django.Groups{Membership: t.Groups.Membership, Delete: t.Groups.OnRemoved == "delete", Skip: !r.groups},
		References: t.Removal.Delete.References,
		Outcomes:   t.Outcomes,
	}
	for _, a := range t.Users.Attributes {
		if a.Column != t.Users.UsernameField {
			s.Users.Columns = append(s.Users.Columns, a.Column)
		}
	}
	if r.staff {
		s.Users.Columns = append(s.Users.Columns, t.Users.Columns.StaffOrDefault())
	}
	if r.superuser {
		s.Users.Columns = append(s.Users.Columns, t.Users.Columns.SuperuserOrDefault())
	}
	for _, a := range t.Groups.Attributes {
		if a.Column != "name" {
			s.Groups.Columns = append(s.Groups.Columns, a.Column)
		}
	}
	return s
}

// handling is the configuration of a target's callbacks.
func handling(t *config.Target, logger *slog.Logger) callbacks.Config {
	return callbacks.Config{Target: t.Name, Callbacks: t.Removal.Callbacks, Missing: t.Removal.Missing, DeleteAfter: t.Removal.Delete.After, Logger: logger}
}

// application is the configuration of the applier of one source to one target, without what a command adds.
func application(cfg *config.Config, t *config.Target, s *config.Source, st store, logger *slog.Logger) (applier.Config, error) {
	c := applier.Config{
		Target: t.Name, Source: s.Name,
		Memberships:  t.Groups.Membership,
		DeleteGroups: t.Groups.OnRemoved == "delete",
		Adopt:        applier.Adoption{Existing: t.Adopt.Existing, Privileged: t.Adopt.Privileged},
		Scope:        applier.Scope(t.Removal.Scope), Sources: t.Sources, Exclude: t.Removal.Exclude, Limit: limit.Limit(s.Limits.Users),
		Limits: applier.Limits{
			Groups: limit.Limit(s.Limits.Groups), Memberships: limit.Limit(s.Limits.Memberships), GroupMemberships: limit.Limit(s.Limits.GroupMemberships),
			Staff: limit.Limit(s.Limits.Staff), Superusers: limit.Limit(s.Limits.Superusers), Deactivated: limit.Limit(s.Limits.Deactivated),
			Attributes: limit.Limit(s.Limits.Attributes),
		},
		Outcomes: doneBy(t, byApply),
		Logger:   logger,
	}
	if _, ok := st.(*postgres.Store); ok {
		c.BatchEntries = 3000 // more take memory, and no less time
	}
	var err error
	if s.Users.Filter != "" {
		list := fields(t.Users.Attributes)
		all := readsOf(cfg, t.Sources)
		if all.staff {
			list = append(list, applier.Field{Column: t.Users.Columns.StaffOrDefault(), Flag: "staff"})
		}
		if all.superuser {
			list = append(list, applier.Field{Column: t.Users.Columns.SuperuserOrDefault(), Flag: "superuser"})
		}
		if c.Users, err = applier.NewMapping(st.Users(), list); err != nil {
			return c, fault.New(fault.Usage, "ldapsync check lists the columns", "targets.%s.users.attributes: %w", t.Name, err)
		}
	}
	if s.Groups.Filter != "" {
		if c.Groups, err = applier.NewMapping(st.Groups(), fields(t.Groups.Attributes)); err != nil {
			return c, fault.New(fault.Usage, "ldapsync check lists the columns", "targets.%s.groups.attributes: %w", t.Name, err)
		}
	}
	return c, nil
}

func fields(attributes config.Attributes) []applier.Field {
	list := make([]applier.Field, len(attributes))
	for i, a := range attributes {
		list[i] = applier.Field{Column: a.Column, From: append([]string{a.Name}, a.Or...), Trim: a.Trim, Lower: a.Lower, Upper: a.Upper}
		if a.Default != nil {
			list[i].Default = *a.Default
		}
		if a.Bool != nil {
			list[i].Bool = &applier.Bool{Equals: a.Bool.Equals, Bit: a.Bool.Bit, NotBit: a.Bool.NotBit}
		}
	}
	return list
}

// migrated is an error where a target's database lacks our tables, or has those of another version.
func migrated(ctx context.Context, st store, t *config.Target) error {
	ready, err := st.Migrated(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("target %s: %w", t.Name, err)
	case !ready:
		return unmigrated(t)
	}
	return nil
}

// unmigrated is what a target without our tables is refused with.
func unmigrated(t *config.Target) error {
	return fault.New(fault.Database, "ldapsync migrate", "target %s: ldapsync's own tables aren't in its database yet", t.Name)
}
