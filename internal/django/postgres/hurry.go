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
// enough, as a pooler may lead it to another one.
func (s *Store) Hurry(ctx context.Context, fn func(update applier.Updater) error) error {
	if _, err := s.Migrated(ctx); err != nil {
		return err
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.fault(err)
	}
	defer conn.Release()
	sure := func(err error) error {
		if err == nil || ctx.Err() != nil || !conn.Conn().IsClosed() {
			return err
		}
		return s.unsure(err)
	}
	mark := rand.Text()
	if _, err := conn.Exec(ctx, "SELECT set_config('ldapsync.session', $1, false)", mark); err != nil {
		return sure(s.fault(err))
	}
	err = fn(func(ctx context.Context, change func(applier.Tx) error) error {
		const hasty = "; SET LOCAL synchronous_commit = off"
		return sure(s.updateOn(ctx, conn, hasty, s.cfg.RetryFor, func(t *tx) error { return change(t) }))
	})
	if err != nil {
		return err
	}
	same, err := settle(ctx, conn, mark)
	if err == nil && !same {
		return s.unsure(errors.New("the session is another one"))
	}
	return sure(s.fault(err))
}

// unsure forgets what is remembered: it may be lost.
func (s *Store) unsure(because error) error {
	s.Refresh()
	return &applier.UnsureError{Err: because}
}

// settle waits until everything that was committed is on disk, if this is the session that was marked. So it is once a later transaction is; and
// PostgreSQL waits only for one that has written something into its log.
func settle(ctx context.Context, conn *pgxpool.Conn, mark string) (same bool, err error) {
	const last = "SELECT pg_logical_emit_message(true, 'ldapsync', '') WHERE current_setting('ldapsync.session', true) = $1"
	tag, err := conn.Exec(ctx, last, mark)
	return tag.RowsAffected() == 1, err
}
