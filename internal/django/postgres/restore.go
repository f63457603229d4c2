package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/callbacks"
)

// Find returns the links that are gone or missing, by source and id.
func (s *Store) Find(ctx context.Context, q callbacks.FindQuery) ([]callbacks.Absentee, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	folded := make([]string, len(q.Usernames))
	for i, name := range q.Usernames {
		folded[i] = applier.Fold(name)
	}
	from, name := s.linkWithRow()
	active := "false"
	if s.users != nil {
		active = "coalesce(" + s.users.activeOf("u") + " AND u." + s.users.key + " IS NOT NULL, false)"
	}
	query := `SELECT k.source, k.id, k.pk, k.dn, ` + name + `, k.gone_seq, k.gone_reason, k.state = 'missing', ` + active + `, k.deactivated_by, k.deactivated_at,
	k.restored_by, k.restored_at FROM ` + from + `
WHERE k.state IN ('missing', 'gone') AND k.kind = 'user' AND ($1 = '' OR k.source = $1)
	AND (k.gone_seq >= $2 AND ($3 = 0 OR k.gone_seq <= $3) OR k.missing_seq >= $2 AND ($3 = 0 OR k.missing_seq <= $3))
	AND (cardinality($4::text[]) = 0 OR k.name = ANY ($4) OR ` + name + ` = ANY ($5::text[])) ORDER BY k.source, k.id`
	rows, err := s.pool.Query(ctx, query, q.Source, int64(q.FromSequence), int64(q.ToSequence), folded, q.Usernames)
	if err != nil {
		return nil, s.fault(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (callbacks.Absentee, error) {
		var a callbacks.Absentee
		var gone int64
		var deactivated, restored *time.Time
		err := row.Scan(&a.Source, &a.ID, &a.PK, &a.DN, &a.Username, &gone, &a.Reason, &a.Missing, &a.Active, &a.DeactivatedBy, &deactivated,
			&a.RestoredBy, &restored)
		a.GoneSequence, a.DeactivatedAt, a.RestoredAt = uint64(gone), utc(deactivated), utc(restored)
		return a, err
	})
	return found, s.fault(err)
}

// utc is a time that may be NULL.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Restore makes accounts active again that sync deactivated.
func (s *Store) Restore(ctx context.Context, accounts []callbacks.Account, by string) ([]callbacks.Result, error) {
	var results []callbacks.Result
	err := s.update(ctx, s.cfg.LockTimeout, func(t *tx) error {
		w, err := t.lock(ctx, accounts, true, 0)
		if err != nil {
			return err
		}
		results = w.results
		if err := dataError(w.restore(ctx, by)); err != nil {
			return err
		}
		return t.told(ctx, callbacks.Restoring, by, w.results)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (w *work) restore(ctx context.Context, by string) error {
	var restored []callbacks.Account
	if w.store.users.ActiveColumn() < 0 {
		w.refuseAll(w.store.users.String() + " has no column is_active; set users.columns.active")
		return nil
	}
	for _, i := range w.todo {
		r := &w.results[i]
		if why := callbacks.CantRestore(w.links[r.Key].by); why != "" {
			r.Outcome, r.Reason = callbacks.Refused, why
			continue
		}
		r.Outcome = callbacks.Restored
		restored = append(restored, r.Account)
	}
	if len(restored) == 0 {
		return nil
	}
	if err := w.setActive(ctx, restored, true); err != nil {
		return err
	}
	sources, ids, sequences := keysOf(restored)
	const note = `UPDATE ldapsync.link k SET deactivated_by = 'restored', restored_seq = k.gone_seq, restored_by = $4, restored_at = now()
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS v(source, id, seq) WHERE k.source = v.source AND k.kind = 'user' AND k.id = v.id AND k.gone_seq = v.seq`
	if _, err := w.tx.tx.Exec(ctx, note, sources, ids, sequences, by); err != nil {
		return err
	}
	return w.dropLetters(ctx, restored, "")
}
