package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
)

// Delete deletes the accounts' rows, with the rows of Django's own tables that refer to them: memberships, permissions and the admin's log. Superusers are
// refused, and accounts to which any other table refers: whether Django would cascade, protect or set NULL can't be seen in the database.
func (s *Store) Delete(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	var results []callbacks.Result
	err := s.update(ctx, s.cfg.LockTimeout, func(t *tx) error {
		w, err := t.lock(ctx, accounts)
		if err != nil {
			return err
		}
		results = w.results
		return dataError(w.delete(ctx))
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (w *work) delete(ctx context.Context) error {
	var pks []string
	for _, i := range w.todo {
		pks = append(pks, w.results[i].PK)
	}
	inTheWay, err := w.foreignRows(ctx, pks)
	if err != nil {
		return err
	}
	var deleted []callbacks.Account
	pks = pks[:0]
	for _, i := range w.todo {
		r := &w.results[i]
		switch table := inTheWay[r.PK]; {
		case w.rows[r.PK].superuser:
			r.Outcome, r.Reason = callbacks.Refused, "is a superuser"
		case table != "":
			r.Outcome, r.Reason = callbacks.Refused, "rows of "+table+" refer to it; delete the account in Django, which knows what becomes of them"
		default:
			r.Outcome = callbacks.Removed
			deleted, pks = append(deleted, r.Account), append(pks, r.PK)
		}
	}
	if len(pks) == 0 {
		return nil
	}
	u := w.store.users
	for _, own := range w.own() {
		query := "DELETE FROM " + quote(own.Schema, own.Name) + " WHERE " + quote(own.Column) + " = ANY (" + u.keyArray(1) + ")"
		if _, err := w.tx.tx.Exec(ctx, query, u.keys(pks)); err != nil {
			return err
		}
	}
	if _, err := w.tx.tx.Exec(ctx, "DELETE FROM ldapsync.membership WHERE user_pk = ANY ($1)", pks); err != nil {
		return err
	}
	if _, err := w.tx.tx.Exec(ctx, "DELETE FROM "+u.name+" WHERE "+u.key+" = ANY ("+u.keyArray(1)+")", u.keys(pks)); err != nil {
		return err
	}
	return w.tombstones(ctx, deleted)
}

// own are Django's own tables that hold rows of a user.
func (w *work) own() []django.Referrer {
	own := slices.Clone(w.store.model.Own)
	if j := w.store.model.Membership; j != nil {
		own = append(own, django.Referrer{Schema: j.Schema, Name: j.Name, Column: j.User})
	}
	return own
}

// foreignRows returns, for keys to which a table refers that isn't Django's own, the name of such a table. It looks at the constraints as they are
// now, in every schema.
func (w *work) foreignRows(ctx context.Context, pks []string) (map[string]string, error) {
	u := w.store.users
	const find = `SELECT n.nspname, c.relname, a.attname, ra.attname FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
JOIN pg_catalog.pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1]
WHERE k.contype = 'f' AND k.confrelid = $1::regclass AND cardinality(k.conkey) = 1 AND k.conparentid = 0 ORDER BY 1, 2, 3`
	rows, err := w.tx.tx.Query(ctx, find, u.name)
	if err != nil {
		return nil, err
	}
	type referrer struct{ Schema, Table, Column, Target string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[referrer])
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	own := w.own()
	for _, r := range all {
		if slices.Contains(own, django.Referrer{Schema: r.Schema, Name: r.Table, Column: r.Column}) {
			continue
		}
		query := "SELECT u." + u.key + "::text FROM " + u.name + " u WHERE u." + u.key + " = ANY (" + u.keyArray(1) + ") AND EXISTS (SELECT FROM " +
			quote(r.Schema, r.Table) + " r WHERE r." + quote(r.Column) + " = u." + quote(r.Target) + ")"
		rows, err := w.tx.tx.Query(ctx, query, u.keys(pks))
		if err != nil {
			return nil, err
		}
		held, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		for _, pk := range held {
			found[pk] = r.Table
		}
	}
	return found, nil
}
