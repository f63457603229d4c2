package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/internal/fault"
)

// Checkpoint returns the position reached in a source's stream; nil if there is none.
func (s *Store) Checkpoint(ctx context.Context, source string) (*applier.Checkpoint, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	c := &applier.Checkpoint{Source: source}
	err := s.pool.QueryRow(ctx, "SELECT stream_id, seq, mapping, mode FROM ldapsync.checkpoint WHERE source = $1", source).
		Scan(&c.StreamID, &c.Sequence, &c.Mapping, &c.Mode)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err)
	}
	return c, nil
}

// Position returns the sequence that the checkpoint has reached in a source's stream; 0 if there is none.
func (s *Store) Position(ctx context.Context, source string) (uint64, error) {
	c, err := s.Checkpoint(ctx, source)
	if c == nil || err != nil {
		return 0, err
	}
	return c.Sequence, nil
}

// Update runs fn in one read-write transaction and commits it if fn returns nil. fn is run again when a rival makes the transaction
// impossible, for at most RetryFor.
func (s *Store) Update(ctx context.Context, fn func(applier.Tx) error) error {
	return s.update(ctx, s.cfg.RetryFor, func(t *tx) error { return fn(t) })
}

// update is Update for the store's own transactions. It runs fn again for at most as long as retry says.
func (s *Store) update(ctx context.Context, retry time.Duration, fn func(*tx) error) error {
	return s.updateOn(ctx, s.pool, "", retry, fn)
}

// beginner is a pool or a connection.
type beginner interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// updateOn is update on a connection of one's own, with more settings for the transaction, each behind a semicolon.
func (s *Store) updateOn(ctx context.Context, db beginner, more string, retry time.Duration, fn func(*tx) error) error {
	there, err := s.Migrated(ctx)
	if err != nil {
		return err
	}
	if !there {
		return fault.New(fault.Database, "run \"ldapsync migrate\"", "database: the tables of ldapsync are missing")
	}
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(20*time.Millisecond), backoff.WithMaxInterval(time.Second),
		backoff.WithMaxElapsedTime(retry))
	attempt := func() error {
		err := s.once(ctx, db, more, fn)
		if err == nil || passesWithRivals(err) {
			return err
		}
		return backoff.Permanent(err)
	}
	err = backoff.RetryNotify(attempt, backoff.WithContext(policy, ctx), func(err error, wait time.Duration) {
		s.cfg.Logger.Info("a transaction is run again", "reason", message(err), "in", wait.Round(time.Millisecond))
	})
	return s.fault(err)
}

// planning suits batches that touch few rows of large tables whose indexes are mostly in memory: with the default of 4, random_page_cost would
// have the tables read whole.
const planning = "SET LOCAL random_page_cost = 1.1"

// once runs one transaction.
func (s *Store) once(ctx context.Context, db beginner, more string, fn func(*tx) error) error {
	// One round trip. Constraints are checked at once, so that a savepoint can undo what breaks one.
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = %d; SET CONSTRAINTS ALL IMMEDIATE; ", s.cfg.LockTimeout.Milliseconds()) + planning + more
	var t *tx
	err := pgx.BeginTxFunc(ctx, db, pgx.TxOptions{BeginQuery: begin}, func(pt pgx.Tx) error {
		t = &tx{reader: reader{store: s, db: pt, ours: true}, tx: pt}
		return fn(t)
	})
	if t == nil {
		return err
	}
	if err != nil && t.loadedUnlinked {
		s.Refresh() // what was learnt in a transaction that never happened
	}
	t.retain(err == nil)
	return err
}

// View runs fn in one read-only transaction that sees one state of the database throughout.
func (s *Store) View(ctx context.Context, fn func(applier.Reader) error) error {
	there, err := s.Migrated(ctx)
	if err != nil {
		return err
	}
	options := pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " + planning}
	return s.fault(pgx.BeginTxFunc(ctx, s.pool, options, func(pt pgx.Tx) error {
		return fn(&reader{store: s, db: pt, ours: there})
	}))
}

// tx is an applier.Tx.
type tx struct {
	reader
	tx pgx.Tx // the innermost: a savepoint, or the transaction

	memory   *memory // nil: there is none
	xid      string  // of this transaction: the memory is true after it once it is committed
	unsure   bool    // it is true only if this is committed
	foretold bool    // it has what is about to be written

	taken []newKey
	spare []newKey // what an undone savepoint took from a sequence: used first, so that one bad entry doesn't burn a batch of ids
}

// Advance moves the checkpoint. It is the first statement of the transaction: who waits here for a rival sees afterwards that it moved.
func (t *tx) Advance(ctx context.Context, prev *applier.Checkpoint, next applier.Checkpoint) error {
	const alone = `NOT EXISTS (SELECT FROM ldapsync.checkpoint WHERE source <> $1)`
	const nothing = `NOT EXISTS (SELECT FROM ldapsync.link) AND NOT EXISTS (SELECT FROM ldapsync.letter WHERE stage = 'apply')`
	const insert = `INSERT INTO ldapsync.checkpoint (source, stream_id, seq, mapping, mode) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
		RETURNING '', xmin::text, ` + alone + ` AND ` + nothing
	const update = `UPDATE ldapsync.checkpoint c SET stream_id = $2, seq = $3, mapping = $4, mode = $5, complete = c.complete AND c.stream_id = $2
		FROM (SELECT source, xmin::text AS xmin FROM ldapsync.checkpoint) AS old
		WHERE c.source = $1 AND old.source = $1 AND c.stream_id = $6 AND c.seq = $7 AND c.mapping = $8 AND c.mode = $9 RETURNING old.xmin, c.xmin::text, ` + alone
	args := []any{next.Source, next.StreamID, int64(next.Sequence), next.Mapping, next.Mode}
	statement := insert
	if prev != nil {
		statement = update
		args = append(args, prev.StreamID, int64(prev.Sequence), prev.Mapping, prev.Mode)
	}
	var last, this string // the transactions that wrote the row
	var trusted bool
	err := t.tx.QueryRow(ctx, statement, args...).Scan(&last, &this, &trusted)
	if code(err) == "40001" || errors.Is(err, pgx.ErrNoRows) {
		return applier.ErrMoved // a rival committed before, or while this waited for its row
	}
	if err != nil {
		return err
	}
	t.recall(prev, next, last, this, trusted)
	return nil
}

// Savepoint runs fn and undoes what it wrote if it returns an error.
func (t *tx) Savepoint(ctx context.Context, fn func() error) error {
	outer, taken := t.tx, len(t.taken)
	inner, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	t.use(inner)
	defer t.use(outer)
	if err := fn(); err != nil {
		if undo := inner.Rollback(ctx); undo != nil {
			return undo
		}
		t.spare = append(t.spare, t.taken[taken:]...)
		t.taken = t.taken[:taken]
		t.doubt()
		return err
	}
	return inner.Commit(ctx)
}

func (t *tx) use(inner pgx.Tx) { t.tx, t.db = inner, inner }
