package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

const letterFilter = ` WHERE ($1 = '' OR source = $1) AND ($2 = '' OR kind = $2) AND ($3 = '' OR id = $3) AND ($4 = '' OR stage = $4)`

func filterArgs(f django.LetterFilter) []any {
	return []any{f.Source, string(f.Kind), f.ID, f.Stage}
}

// Letters returns the dead letters and parked entries, the oldest first; with limit above 0 at most as many.
func (s *Store) Letters(ctx context.Context, f django.LetterFilter, limit int) ([]django.Letter, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	const query = `SELECT source, kind, id, stage, dn, name, parked, reason, seq, attempts, since, next_at, entry FROM ldapsync.letter` + letterFilter + `
ORDER BY since, source, kind, id, stage LIMIT nullif($5, 0)`
	rows, err := s.pool.Query(ctx, query, append(filterArgs(f), limit)...)
	if err != nil {
		return nil, s.fault(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (django.Letter, error) {
		var l django.Letter
		var kind string
		var sequence int64
		var next *time.Time
		err := row.Scan(&l.Source, &kind, &l.ID, &l.Stage, &l.DN, &l.Name, &l.Parked, &l.Reason, &sequence, &l.Attempts, &l.Since, &next, &l.Entry)
		l.Kind, l.Sequence, l.Since = proto.Kind(kind), uint64(sequence), l.Since.UTC()
		if next != nil {
			l.NextAt = next.UTC()
		}
		return l, err
	})
	return list, s.fault(err)
}

// DropLetters deletes the letters that f selects, and returns how many. Their entries are tried again only when the directory changes them.
func (s *Store) DropLetters(ctx context.Context, f django.LetterFilter) (int, error) {
	return s.changeLetters(ctx, "DELETE FROM ldapsync.letter"+letterFilter, filterArgs(f)...)
}

// RetryLetters makes the letters that f selects due at once, and returns how many. Those of the applier are tried at the end of the next pass
// anyway.
func (s *Store) RetryLetters(ctx context.Context, f django.LetterFilter) (int, error) {
	return s.changeLetters(ctx, "UPDATE ldapsync.letter SET next_at = $5, reason = "+dueAgain+letterFilter, append(filterArgs(f), s.cfg.Now())...)
}

// dueAgain takes away the beginning by which the applier knows a letter that it needn't try at each pass.
const dueAgain = `CASE WHEN stage = 'apply' AND reason NOT LIKE 'due again: %' THEN 'due again: ' || reason ELSE reason END`

func (s *Store) changeLetters(ctx context.Context, statement string, args ...any) (int, error) {
	n := 0
	err := s.update(ctx, s.cfg.RetryFor, func(t *tx) error {
		tag, err := t.tx.Exec(ctx, statement, args...)
		n = int(tag.RowsAffected())
		return err
	})
	return n, err
}
