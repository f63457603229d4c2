package postgres

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"ldapsync/applier"
)

var _ applier.Hurrier = (*Store)(nil)

// Hurry runs fn, whose transactions don't wait until they are on disk. PostgreSQL writes its log in the order of the commits: a crash of the server
// takes the last of them and nothing between, and whoever commits something in the usual way afterwards has all of them on disk by then. A crash
// also ends all sessions. So nothing is lost where the session that this begins with is the one that it ends with; that the connection is the same isn't
// enough, as a pooler may lead it to another one. Where it would keep the pool's last connection from everybody else for as long as fn takes, there
// is no hurry.
func (s *Store) Hurry(ctx context.Context, fn func(update applier.Updater) error) error {
	defer s.hurries.Add(-1)
	if s.hurries.Add(1) >= s.pool.Stat().MaxConns() {
		return fn(s.Update)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.unsure(ctx, err)
	}
	defer conn.Release()
	mark := rand.Text()
	if _, err := conn.Exec(ctx, "SELECT set_config('ldapsync.session', $1, false)", mark); err != nil {
		return s.unsure(ctx, err)
	}
	err = fn(func(ctx context.Context, change func(applier.Tx) error) error {
		const hasty = "; SET LOCAL synchronous_commit = off"
		err := s.updateOn(ctx, conn, hasty, s.cfg.RetryFor, func(t *tx) error { return change(t) })
		if err != nil && conn.Conn().IsClosed() {
			return s.unsure(ctx, err)
		}
		return err
	})
	if err != nil {
		s.memory.Store(nil) // nothing waits for the disk now, and who writes behind a crash may get the number of a transaction that it took
		return err
	}
	same, err := settle(ctx, conn, mark)
	if err == nil && !same {
		err = errors.New("the session is another one")
	}
	return s.unsure(ctx, err)
}

// unsure is what an error of the hurry itself leads to. What is remembered may be lost.
func (s *Store) unsure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s.Refresh()
	if ctx.Err() != nil {
		return err
	}
	return &applier.UnsureError{Err: s.fault(err)}
}

// settle waits until everything that was committed is on disk, if this is the session that was marked. So it is once a later transaction is; and
// PostgreSQL waits only for one that has written something into its log.
func settle(ctx context.Context, conn *pgxpool.Conn, mark string) (same bool, err error) {
	const last = "SELECT pg_logical_emit_message(true, 'ldapsync', ''::text) WHERE current_setting('ldapsync.session', true) = $1"
	tag, err := conn.Exec(ctx, last, mark)
	return tag.RowsAffected() == 1, err
}
