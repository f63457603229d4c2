package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"ldapsync/callbacks"
)

// Deactivate sets the accounts inactive. Those that are inactive already are noted as somebody else's doing: returning doesn't
// reactivate them. Whom sync deactivated in this absence, and a person activated again, isn't touched. The last active superuser is refused.
func (s *Store) Deactivate(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	var results []callbacks.Result
	err := s.update(ctx, s.cfg.LockTimeout, func(t *tx) error {
		w, err := t.lock(ctx, accounts, true, 0)
		if err != nil {
			return err
		}
		results = w.results
		if err := dataError(w.deactivate(ctx)); err != nil {
			return err
		}
		return t.told(ctx, callbacks.Deactivate, "", w.results)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (w *work) deactivate(ctx context.Context) error {
	u := w.store.users
	if u.ActiveColumn() < 0 {
		w.refuseAll(u.String() + " has no column is_active; set users.columns.active")
		return nil
	}
	supers, err := w.activeSuperusers(ctx)
	if err != nil {
		return err
	}
	var off, already, kept []callbacks.Account
	for _, i := range w.todo {
		r := &w.results[i]
		row := w.rows[r.PK]
		switch {
		case !row.active:
			r.Outcome = callbacks.Inactive
			already = append(already, r.Account)
			continue
		case w.links[r.Key].by != "":
			r.Outcome, r.Reason = callbacks.Returned, "a person activated it again"
			kept = append(kept, r.Account)
			continue
		case row.superuser && supers < 2:
			r.Outcome, r.Reason = callbacks.Refused, "is the last active superuser"
			continue
		case row.superuser:
			supers--
		}
		r.Outcome = callbacks.Deactivated
		off = append(off, r.Account)
	}
	if err := w.setActive(ctx, off, false); err != nil {
		return err
	}
	if err := w.noteDeactivated(ctx, off, "sync"); err != nil {
		return err
	}
	if err := w.noteDeactivated(ctx, already, "other"); err != nil {
		return err
	}
	return w.dropLetters(ctx, kept, callbacks.Deactivate)
}

func (w *work) refuseAll(reason string) {
	for _, i := range w.todo {
		w.results[i].Outcome, w.results[i].Reason = callbacks.Refused, reason
	}
}

// activeSuperusers counts them, and locks them, where one is about to be deactivated: two transactions could otherwise take one each.
func (w *work) activeSuperusers(ctx context.Context) (int, error) {
	needed := false
	for _, i := range w.todo {
		row := w.rows[w.results[i].PK]
		needed = needed || row.superuser && row.active
	}
	if !needed {
		return 0, nil
	}
	rows, err := w.tx.tx.Query(ctx, w.store.activeSuperusers()+" FOR NO KEY UPDATE")
	if err != nil {
		return 0, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return len(all), err
}

func (w *work) setActive(ctx context.Context, accounts []callbacks.Account, active bool) error {
	if len(accounts) == 0 {
		return nil
	}
	u := w.store.users
	pks := make([]string, len(accounts))
	for i, a := range accounts {
		pks[i] = a.PK
	}
	query := "UPDATE " + u.name + " SET " + quote(u.Columns[u.ActiveColumn()].Name) + " = $2 WHERE " + u.key + " = ANY (" + u.keyArray(1) + ")"
	_, err := w.tx.tx.Exec(ctx, query, u.keys(pks), active)
	return err
}

func (w *work) noteDeactivated(ctx context.Context, accounts []callbacks.Account, by string) error {
	if len(accounts) == 0 {
		return nil
	}
	sources, ids, sequences := keysOf(accounts)
	const note = `UPDATE ldapsync.link k SET deactivated_by = $4, deactivated_at = now() FROM unnest($1::text[], $2::text[], $3::bigint[]) AS v(source, id, seq)
WHERE k.source = v.source AND k.kind = 'user' AND k.id = v.id AND k.gone_seq = v.seq
	AND ($4 = 'sync' OR k.deactivated_by = '')`
	if _, err := w.tx.tx.Exec(ctx, note, sources, ids, sequences, by); err != nil {
		return err
	}
	return w.dropLetters(ctx, accounts, callbacks.Deactivate)
}
