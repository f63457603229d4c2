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

// Letters returns the dead letters and parked entries, the oldest first.
func (s *Store) Letters(ctx context.Context, f django.LetterFilter) ([]django.Letter, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	const query = `SELECT source, kind, id, stage, dn, name, parked, reason, seq, attempts, since, next_at, entry FROM ldapsync.letter` + letterFilter + `
ORDER BY since, source, kind, id, stage`
	rows, err := s.pool.Query(ctx, query, filterArgs(f)...)
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

const letterKey = ` WHERE source = $1 AND kind = $2 AND id = $3 AND stage = $4`

// DropLetter deletes a letter. Its entry is tried again only when the directory changes it. proto.ErrNotFound if it isn't there.
func (s *Store) DropLetter(ctx context.Context, k django.LetterKey) error {
	return s.changeLetter(ctx, "DELETE FROM ldapsync.letter"+letterKey, k.Source, string(k.Kind), k.ID, k.Stage)
}

// RetryLetter makes a letter due at once. Those of the applier are tried at the end of the next pass anyway. proto.ErrNotFound if it isn't there.
func (s *Store) RetryLetter(ctx context.Context, k django.LetterKey) error {
	return s.changeLetter(ctx, "UPDATE ldapsync.letter SET next_at = $5"+letterKey, k.Source, string(k.Kind), k.ID, k.Stage, s.cfg.Now())
}

func (s *Store) changeLetter(ctx context.Context, statement string, args ...any) error {
	return s.update(ctx, func(t *tx) error {
		tag, err := t.tx.Exec(ctx, statement, args...)
		if err == nil && tag.RowsAffected() == 0 {
			return proto.ErrNotFound
		}
		return err
	})
}
