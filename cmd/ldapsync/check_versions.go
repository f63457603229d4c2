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

// leastAuth is the migration of django.contrib.auth that came with Django 3.1, and the last one up to 6.1.
const leastAuth = "0012_alter_user_first_name_max_length"

// lastAuth selects the newest migration of django.contrib.auth.
const lastAuth = `SELECT name FROM django_migrations WHERE app = 'auth' ORDER BY name DESC LIMIT 1`

// versions tells whether Django's tables are of a supported age (3.2 to 6.1). What can't be found out is left to inspection, which also
// judges the age of the server.
func (c *checker) versions(ctx context.Context, subject string, db config.Database) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	var auth string
	if db.Kind == config.SQLite {
		auth = sqliteAuth(ctx, db.Path)
	} else {
		auth = postgresAuth(ctx, db.DSN)
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

func postgresAuth(ctx context.Context, dsn string) (auth string) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return ""
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	_ = conn.QueryRow(ctx, lastAuth).Scan(&auth)
	return auth
}
