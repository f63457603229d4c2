package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/callbacks"
)

// states is the condition for the states of a link k on which a callback acts. Who was deleted has no gone link.
func states(q callbacks.DueQuery) string {
	if q.Missing && q.Callback == callbacks.Deactivate {
		return "k.state IN ('missing', 'gone')"
	}
	return "k.state = 'gone'"
}

// unhandled is the condition under which a link k of such a state, with its row u, needs a callback.
func (s *Store) unhandled(q callbacks.DueQuery) string {
	if q.Callback != callbacks.Delete {
		return "k.deactivated_by = ''"
	}
	active := "true"
	if s.users != nil {
		active = s.users.activeOf("u")
	}
	if q.After <= 0 {
		return "k.deactivated_by <> 'restored' AND NOT (k.deactivated_by = 'sync' AND " + active + ")"
	}
	return "NOT " + active + " AND " + longInactive(q.After)
}

// longInactive tells whether sync, by the callback or by the source's rule, deactivated the account of link k so long ago.
func longInactive(after time.Duration) string {
	return fmt.Sprintf("(k.deactivated_by = 'sync' OR k.deactivated_by = 'other' AND k.active_written IS FALSE) AND k.deactivated_at <= now() - interval '%d microseconds'",
		after.Microseconds())
}

// activeOf is the expression for whether a row of the users' table is active.
func (t *table) activeOf(alias string) string {
	if i := t.ActiveColumn(); i >= 0 {
		return "coalesce(" + alias + "." + quote(t.Columns[i].Name) + ", false)"
	}
	return "true"
}

// linkWithRow is the beginning of queries for links k that are missing or gone, with their rows u, and the expression for a row's name.
func (s *Store) linkWithRow() (from, name string) {
	from, name = "ldapsync.link k", "''"
	if s.users != nil {
		name = "coalesce(u." + quote(s.users.NameColumn().Name) + "::text, '')"
		from += " LEFT JOIN " + s.users.name + " u ON u." + s.users.key + " = " + s.users.fromText("nullif(k.pk, '')")
	}
	return from, name
}

// Due returns the accounts that need the callback, in order. One with a letter is due until an attempt settles that: it may need nothing any
// more, because a person did something.
func (s *Store) Due(ctx context.Context, q callbacks.DueQuery) ([]callbacks.Account, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	from, name := s.linkWithRow()
	query := `SELECT k.source, k.id, k.pk, k.dn, ` + name + `, k.gone_seq, k.gone_reason, coalesce(l.attempts, 0)
FROM ` + from + ` LEFT JOIN ldapsync.letter l ON l.source = k.source AND l.kind = k.kind AND l.id = k.id AND l.stage = $1 AND l.seq = k.gone_seq
WHERE k.state IN ('missing', 'gone') AND k.kind = 'user' AND ` + states(q) + ` AND (` + s.unhandled(q) + ` OR l.seq IS NOT NULL)
	AND (k.source, k.id) > ($2, $3) AND (l.next_at IS NULL OR l.next_at <= $4)
ORDER BY k.source, k.id LIMIT $5`
	rows, err := s.pool.Query(ctx, query, q.Callback, q.Behind.Source, q.Behind.ID, q.Now, q.Limit)
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
		if err != nil || !s.cfg.Settings.Outcomes {
			return err
		}
		return t.PutOutcomes(ctx, callbacks.Refusal(callback, a, reason, s.cfg.Now()))
	})
}

// NextDue returns when the next failed attempt is due; zero if none waits.
func (s *Store) NextDue(ctx context.Context, q callbacks.DueQuery) (time.Time, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return time.Time{}, err
	}
	query := `SELECT min(l.next_at) FROM ldapsync.link k JOIN ldapsync.letter l ON k.source = l.source AND k.kind = l.kind AND k.id = l.id AND k.gone_seq = l.seq
WHERE l.stage = $1 AND k.state IN ('missing', 'gone') AND ` + states(q)
	var next *time.Time
	if err := s.pool.QueryRow(ctx, query, q.Callback).Scan(&next); err != nil || next == nil {
		return time.Time{}, s.fault(err)
	}
	return next.UTC(), nil
}
