package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// SQLite returns the DSN, sqlite:////path, of a database file that doesn't exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:///" + filepath.Join(t.TempDir(), "db.sqlite3")
}

// SQLitePath returns the path of a sqlite DSN; ok is false for other DSNs. A plain path is a path.
func SQLitePath(dsn string) (path string, ok bool) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:///"); ok {
		return path, true
	}
	return dsn, !strings.Contains(dsn, "://")
}

// Database reads and changes a test's rows, on either kind of database. It keeps no connection open between two calls.
type Database struct {
	t      testing.TB
	db     *sql.DB
	sqlite bool
}

// DB opens the database that dsn names. It is closed when the test ends.
func DB(t testing.TB, dsn string) *Database {
	t.Helper()
	d := &Database{t: t}
	var err error
	if path, ok := SQLitePath(dsn); ok {
		d.sqlite = true
		d.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	} else {
		d.db, err = sql.Open("pgx", dsn)
	}
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	d.db.SetMaxIdleConns(0)
	t.Cleanup(func() { d.db.Close() })
	return d
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

// portable turns $1 into ?1 for SQLite.
func (d *Database) portable(query string) string {
	if d.sqlite {
		return placeholder.ReplaceAllString(query, "?$1")
	}
	return query
}

// Exec runs one statement and returns how many rows it changed. Placeholders are $1, $2, … on both databases.
func (d *Database) Exec(statement string, args ...any) int64 {
	d.t.Helper()
	r, err := d.db.Exec(d.portable(statement), args...)
	if err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
	n, _ := r.RowsAffected()
	return n
}

// Rows returns the rows of a query, each value as the driver gives it ([]byte as string).
func (d *Database) Rows(query string, args ...any) [][]any {
	d.t.Helper()
	rows, err := d.query(query, args)
	if err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return rows
}

func (d *Database) query(query string, args []any) ([][]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, d.portable(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = string(b)
			}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// Text returns the rows of a query as lines, values separated by " | ", NULL as "NULL", booleans as true and false on
// PostgreSQL, times in RFC 3339, UTC.
func (d *Database) Text(query string, args ...any) string {
	d.t.Helper()
	var b strings.Builder
	for _, row := range d.Rows(query, args...) {
		for i, v := range row {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(text(v))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// Int returns the one number of a query: a count.
func (d *Database) Int(query string, args ...any) int64 {
	d.t.Helper()
	rows := d.Rows(query, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		d.t.Fatalf("%s: %d rows, want one number", query, len(rows))
	}
	n, ok := rows[0][0].(int64)
	if !ok {
		d.t.Fatalf("%s: %v is not a number", query, rows[0][0])
	}
	return n
}
