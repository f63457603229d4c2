package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ldapsync/internal/django"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one step of our own tables. Its version is its place, from 1 on.
type migration struct {
	name, sql string
}

// steps returns all migrations in order. The names of their files order them.
func steps() []migration {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	all := make([]migration, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		all[i] = migration{strings.TrimSuffix(strings.TrimPrefix(name, "migrations/"), ".sql"), string(text)}
	}
	return all
}

// applied is the statement that records a migration.
func applied(version int) string {
	return fmt.Sprintf("INSERT INTO ldapsync_migration (version, applied_at) VALUES (%d, strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now'));\n",
		version)
}

// Migrations returns the SQL that makes ldapsync's tables in an empty place, for people who run it themselves.
func (s *Store) Migrations() string { return Migrations() }

// Migrations returns the SQL that makes ldapsync's tables in an empty place, for people who run it themselves.
func Migrations() string {
	var b strings.Builder
	b.WriteString("BEGIN IMMEDIATE;\n")
	for i, m := range steps() {
		fmt.Fprintf(&b, "\n-- %s\n\n%s\n%s", m.name, m.sql, applied(i+1))
	}
	b.WriteString("\nCOMMIT;\n")
	return b.String()
}

// Migrate brings ldapsync's tables to this version, in one transaction. Django's tables aren't touched. It may be called any
// number of times.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.update(ctx, func(c *conn) error {
		version, err := version(ctx, c)
		if err != nil {
			return err
		}
		all := steps()
		if _, err := django.Ready(version, len(all)); err != nil && !errors.Is(err, django.ErrOutdated) {
			return err
		}
		for i := version; i < len(all); i++ {
			// Not prepared: a migration is many statements.
			if _, err := c.ExecContext(ctx, all[i].sql+applied(i+1)); err != nil {
				return fmt.Errorf("migration %s: %w", all[i].name, wrap(err))
			}
		}
		return nil
	})
	if err == nil {
		s.migrated.Store(true)
	}
	return err
}

// Migrated tells whether ldapsync's tables are there, in this version; a fault if they have another one, as django.Ready has it.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	if s.migrated.Load() {
		return true, nil
	}
	var done bool
	err := s.view(ctx, func(c *conn) error {
		var err error
		done, err = s.ready(ctx, c)
		return err
	})
	return done, err
}

// ready is Migrated, within a transaction.
func (s *Store) ready(ctx context.Context, c *conn) (bool, error) {
	if s.migrated.Load() {
		return true, nil
	}
	version, err := version(ctx, c)
	if err != nil {
		return false, err
	}
	done, err := django.Ready(version, len(steps()))
	if done {
		s.migrated.Store(true)
	}
	return done, err
}

// version is the number of migrations that are applied.
func version(ctx context.Context, c *conn) (int, error) {
	there, err := c.one(ctx, []any{new(int)}, `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ldapsync_migration'`)
	if err != nil || !there {
		return 0, err
	}
	var version int
	_, err = c.one(ctx, []any{&version}, `SELECT coalesce(max(version), 0) FROM ldapsync_migration`)
	return version, err
}
