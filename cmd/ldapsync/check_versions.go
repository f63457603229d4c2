package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/fault"
)

// What is supported: PostgreSQL 13 and later, Django 3.2 to 6.1.
const (
	leastPostgres = 130000 // as server_version_num counts
	// leastAuth is the migration of django.contrib.auth that came with Django 3.1, and the last one up to 6.1.
	leastAuth = "0012_alter_user_first_name_max_length"
)

// lastAuth selects the newest migration of django.contrib.auth.
const lastAuth = `SELECT name FROM django_migrations WHERE app = 'auth' ORDER BY name DESC LIMIT 1`

// versions tells whether the database and Django's tables are of a supported age. What can't be found out is left to inspection.
func (c *checker) versions(ctx context.Context, subject string, db config.Database) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	number, auth := 0, ""
	if db.Kind == config.SQLite {
		auth = sqliteAuth(ctx, db.Path)
	} else {
		number, auth = postgresVersions(ctx, db.DSN)
	}
	if number > 0 && number < leastPostgres {
		c.problem(subject, fault.New(fault.Database, "PostgreSQL 13 and later are supported", "the server is PostgreSQL %d", number/10000))
	}
	switch {
	case auth == "":
	case auth < leastAuth:
		c.problem(subject, fault.New(fault.Database, "Django 3.2 to 6.1 are supported: upgrade the project and run manage.py migrate",
			"the tables are older than Django 3.1 (auth's last migration is %s)", auth))
	case auth > leastAuth:
		c.doubt(subject, "Django 3.2 to 6.1 are supported: look for a newer ldapsync", fmt.Sprintf("auth's last migration, %s, is newer than any known Django's", auth))
	}
}

func sqliteAuth(ctx context.Context, path string) (auth string) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	handle, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: "mode=ro"}).String())
	if err != nil {
		return ""
	}
	defer handle.Close()
	_ = handle.QueryRowContext(ctx, lastAuth).Scan(&auth)
	return auth
}

func postgresVersions(ctx context.Context, dsn string) (number int, auth string) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, ""
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	_ = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&number)
	_ = conn.QueryRow(ctx, lastAuth).Scan(&auth)
	return number, auth
}
