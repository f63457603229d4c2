package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"ldapsync/applier"
)

var _ applier.Hurrier = (*Store)(nil)

// Hurry runs fn, whose transactions don't wait until they are on disk. PostgreSQL writes its log in the order of the commits: a crash of the server
// takes the last of them and nothing between, and whoever commits something in the usual way afterwards has all of them on disk by then. A crash
// also ends all connections; so they share one, and as long as that lives nothing is lost.
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
		s.Refresh() // what is remembered may be lost
		return &applier.UnsureError{Err: err}
	}
	err = fn(func(ctx context.Context, change func(applier.Tx) error) error {
		const hasty = "; SET LOCAL synchronous_commit = off"
		return sure(s.updateOn(ctx, conn, hasty, s.cfg.RetryFor, func(t *tx) error { return change(t) }))
	})
	if err != nil {
		return err
	}
	return sure(s.fault(settle(ctx, conn)))
}

// settle waits until everything that was committed is on disk. So it is once a later transaction is; and PostgreSQL waits only for one that has written
// something into its log.
func settle(ctx context.Context, conn *pgxpool.Conn) error {
	_, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(true, 'ldapsync', '')")
	return err
}
