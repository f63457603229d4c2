package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/callbacks"
)

// handled is the condition under which a gone link needs a callback no more. Who was deleted has no gone link.
func handled(callback string) string {
	if callback == callbacks.Delete {
		return "false"
	}
	return "k.deactivated_by <> ''"
}

// Due returns the accounts that are gone and that the callback hasn't handled, in order.
func (s *Store) Due(ctx context.Context, callback string, now time.Time, after callbacks.Key, limit int) ([]callbacks.Account, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	name := "''"
	from := ""
	if s.users != nil {
		name = "coalesce(u." + quote(s.users.NameColumn().Name) + "::text, '')"
		from = " LEFT JOIN " + s.users.name + " u ON u." + s.users.key + " = " + s.users.fromText("nullif(k.pk, '')")
	}
	query := `SELECT k.source, k.id, k.pk, k.dn, ` + name + `, k.gone_seq, k.gone_reason, coalesce(l.attempts, 0)
FROM ldapsync.link k LEFT JOIN ldapsync.letter l ON l.source = k.source AND l.kind = k.kind AND l.id = k.id AND l.stage = $1 AND l.seq = k.gone_seq` + from + `
WHERE k.state = 'gone' AND k.kind = 'user' AND NOT (` + handled(callback) + `) AND (k.source, k.id) > ($2, $3) AND (l.next_at IS NULL OR l.next_at <= $4)
ORDER BY k.source, k.id LIMIT $5`
	rows, err := s.pool.Query(ctx, query, callback, after.Source, after.ID, now, limit)
	if err != nil {
		return nil, s.fault(err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (callbacks.Account, error) {
		var a callbacks.Account
		var gone int64
		err := row.Scan(&a.Source, &a.ID, &a.PK, &a.DN, &a.Username, &gone, &a.Reason, &a.Attempts)
		a.GoneSequence = uint64(gone)
		return a, err
	})
	return due, s.fault(err)
}

// Fail notes that the callback failed for an account; it is due again at next.
func (s *Store) Fail(ctx context.Context, callback string, a callbacks.Account, reason string, next time.Time) error {
	// Attempts that failed when the account was gone before don't count.
	const query = `INSERT INTO ldapsync.letter AS l (source, kind, id, stage, dn, parked, name, reason, seq, entry, attempts, since, next_at)
VALUES ($1, 'user', $2, $3, $4, false, '', $5, $6, '', 1, $7, $8)
ON CONFLICT (source, kind, id, stage) DO UPDATE SET dn = excluded.dn, reason = excluded.reason, seq = excluded.seq, next_at = excluded.next_at,
	attempts = CASE WHEN l.seq = excluded.seq THEN l.attempts + 1 ELSE 1 END, since = CASE WHEN l.seq = excluded.seq THEN l.since ELSE excluded.since END`
	return s.update(ctx, s.cfg.RetryFor, func(t *tx) error {
		_, err := t.tx.Exec(ctx, query, a.Source, a.ID, callback, a.DN, reason, int64(a.GoneSequence), s.cfg.Now(), next)
		return err
	})
}

// NextDue returns when the next failed attempt is due; zero if none waits.
func (s *Store) NextDue(ctx context.Context, callback string) (time.Time, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return time.Time{}, err
	}
	query := `SELECT min(l.next_at) FROM ldapsync.letter l JOIN ldapsync.link k ON k.source = l.source AND k.kind = l.kind AND k.id = l.id AND k.gone_seq = l.seq
WHERE l.stage = $1 AND k.state = 'gone' AND NOT (` + handled(callback) + `)`
	var next *time.Time
	if err := s.pool.QueryRow(ctx, query, callback).Scan(&next); err != nil || next == nil {
		return time.Time{}, s.fault(err)
	}
	return next.UTC(), nil
}
