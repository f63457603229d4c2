package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"strings"
	"time"

	"modernc.org/sqlite" // also registers the driver "sqlite"
)

// cacheKiB is how much of the file the writing connection keeps at most. SQLite's own 2 MiB don't hold what a batch changes: it would write to the
// file, and wait for the disk, in the middle of a transaction.
const cacheKiB = 32 << 10

// dsn is the URI of an existing database file: mode=rw never creates one. The journal mode stays as the file has it.
func dsn(path string, busy time.Duration, write bool) string {
	q := url.Values{"mode": {"rw"}}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()))
	q.Add("_pragma", "foreign_keys(1)")
	if write {
		q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", cacheKiB))
	} else {
		q.Add("_pragma", "query_only(1)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// maxStatements bounds the cache of prepared statements; their number grows only with the shapes of updates.
const maxStatements = 256

// conn is one connection to the database. It isn't safe for concurrent use.
type conn struct {
	*sql.Conn
	prepared map[string]*sql.Stmt // nil: statements aren't kept
}

// statement returns query as a prepared statement that lives as long as the connection.
func (c *conn) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	if len(c.prepared) >= maxStatements {
		for q, s := range c.prepared {
			_ = s.Close()
			delete(c.prepared, q)
		}
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, wrap(err)
	}
	c.prepared[query] = s
	return s, nil
}

// run executes a prepared statement and returns the number of rows it changed and the rowid of the last one inserted.
func (c *conn) run(ctx context.Context, query string, args ...any) (changed, rowid int64, err error) {
	var result sql.Result
	if c.prepared == nil {
		result, err = c.ExecContext(ctx, query, args...)
	} else {
		var s *sql.Stmt
		if s, err = c.statement(ctx, query); err != nil {
			return 0, 0, err
		}
		result, err = s.ExecContext(ctx, args...)
	}
	if err != nil {
		return 0, 0, wrap(err)
	}
	if changed, err = result.RowsAffected(); err == nil {
		rowid, err = result.LastInsertId()
	}
	return changed, rowid, wrap(err)
}

// exec is run for statements of which only the success counts.
func (c *conn) exec(ctx context.Context, query string, args ...any) error {
	_, _, err := c.run(ctx, query, args...)
	return err
}

// each runs a query and calls fn for each row.
func (c *conn) each(ctx context.Context, fn func(scan func(...any) error) error, query string, args ...any) error {
	var rows *sql.Rows
	var err error
	if c.prepared == nil {
		rows, err = c.QueryContext(ctx, query, args...)
	} else {
		var s *sql.Stmt
		if s, err = c.statement(ctx, query); err != nil {
			return err
		}
		rows, err = s.QueryContext(ctx, args...)
	}
	if err != nil {
		return wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return wrap(rows.Err())
}

// one runs a query that gives at most one row, and tells whether it did.
func (c *conn) one(ctx context.Context, dest []any, query string, args ...any) (found bool, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	}, query, args...)
	return found, err
}

// unresolved tells whether a row of this transaction refers to a row that isn't there: Django's foreign keys are deferred, and
// COMMIT would fail.
func (c *conn) unresolved() (bool, error) {
	var current int
	err := c.Raw(func(dc any) error {
		var err error
		current, _, err = dc.(sqlite.DBStatus).Status(sqlite.DBStatusDeferredFKs, false)
		return err
	})
	return current != 0, wrap(err)
}

// rollback ends the transaction without its effects. It reports false if the connection is no longer usable.
func (c *conn) rollback(ctx context.Context) bool {
	err := c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	return err == nil || strings.Contains(err.Error(), "no transaction is active") // some errors end it by themselves
}

// discard closes the connection for good.
func (c *conn) discard() {
	_ = c.Raw(func(any) error { return driver.ErrBadConn })
	_ = c.Close()
}

// writable returns the connection for writing, with the right to use it: release gives it back. There is one for each Store,
// whoever writes.
func (s *Store) writable(ctx context.Context) (c *conn, release func(usable bool), err error) {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if s.writer == nil {
		one, err := s.write.Conn(ctx)
		if err != nil {
			<-s.writing
			return nil, nil, wrap(err)
		}
		s.writer = &conn{Conn: one, prepared: map[string]*sql.Stmt{}}
	}
	return s.writer, func(usable bool) {
		if !usable {
			s.writer.discard()
			s.writer = nil
		}
		<-s.writing
	}, nil
}

// update runs fn in one transaction that holds the database's write lock from its first statement on.
func (s *Store) update(ctx context.Context, fn func(*conn) error) (err error) {
	c, release, err := s.writable(ctx)
	if err != nil {
		return err
	}
	usable, committed, names := true, false, s.names.mark()
	defer func() {
		if !committed {
			usable = c.rollback(ctx)
			s.names.rewind(names)
		}
		release(usable)
	}()
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	if err := c.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return err
	}
	committed = true
	return nil
}

// view runs fn in one read-only transaction, on a connection of its own.
func (s *Store) view(ctx context.Context, fn func(*conn) error) error {
	one, err := s.read.Conn(ctx)
	if err != nil {
		return wrap(err)
	}
	c, usable := &conn{Conn: one}, true
	defer func() {
		if usable = c.rollback(ctx); !usable {
			c.discard()
			return
		}
		_ = c.Close()
	}()
	if err := c.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	return fn(c)
}
