package postgres

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
	"ldapsync/internal/fault"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations are the files in order; the version of the first is 1.
func migrations() []string {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		panic(err) // they are part of the program
	}
	files := make([]string, len(entries))
	for i, e := range entries {
		text, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		files[i] = string(text) + recordVersion(i+1)
	}
	return files
}

func recordVersion(version int) string {
	return fmt.Sprintf("\nINSERT INTO ldapsync.migration (version) VALUES (%d);\n", version)
}

// Migrations returns the SQL that makes all tables of ours in an empty schema, for people who run it themselves.
func Migrations() string {
	return "BEGIN;\n\n" + strings.Join(migrations(), "\n") + "\nCOMMIT;\n"
}

// Migrations returns the SQL that makes all tables of ours in an empty schema, for people who run it themselves.
func (s *Store) Migrations() string { return Migrations() }

// Migrated tells whether the tables of ours are there, in the version that this program knows; a fault if they have another one, as django.Ready has it.
func (s *Store) Migrated(ctx context.Context) (bool, error) {
	if s.migrated.Load() {
		return true, nil
	}
	version, err := schemaVersion(ctx, s.pool)
	if err != nil {
		return false, s.fault(err)
	}
	ready, err := django.Ready(version, len(migrations()))
	s.migrated.Store(ready)
	return ready, err
}

// Migrate makes what is missing of our tables, in one transaction. Two that run at once don't meet.
func (s *Store) Migrate(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('ldapsync.migration'))"); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		for _, file := range migrations()[min(version, len(migrations())):] {
			if _, err := tx.Exec(ctx, file); err != nil {
				return err
			}
		}
		return nil
	})
	if code(err) == "42501" {
		return fault.New(fault.Database, "have the database's owner run the output of \"ldapsync migrate --print\", then grant this role its rights",
			"migrate: %s", message(err))
	}
	if err != nil {
		return s.fault(err)
	}
	_, err = s.Migrated(ctx)
	return err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// schemaVersion returns 0 where there are no tables of ours.
func schemaVersion(ctx context.Context, db querier) (version int, err error) {
	var there bool
	const find = `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'ldapsync' AND c.relname = 'migration')`
	if err = db.QueryRow(ctx, find).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = db.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM ldapsync.migration").Scan(&version)
	return version, err
}
