package postgres

import (
	"context"
	"time"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
)

// Delete deletes the accounts' rows, with the rows of Django's own tables that refer to them: memberships, permissions and the admin's log; and with
// what the settings say of other tables. Superusers are refused, and accounts to which any other table refers: whether Django would
// cascade, protect or set NULL can't be seen in the database.
func (s *Store) Delete(ctx context.Context, accounts []callbacks.Account, after time.Duration) ([]callbacks.Result, error) {
	var results []callbacks.Result
	err := s.update(ctx, s.cfg.LockTimeout, func(t *tx) error {
		w, err := t.lock(ctx, accounts, false, after)
		if err != nil {
			return err
		}
		results = w.results
		if err := dataError(w.delete(ctx, after)); err != nil {
			return err
		}
		return t.told(ctx, callbacks.Delete, "", w.results)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (w *work) delete(ctx context.Context, after time.Duration) error {
	var pks []string
	for _, i := range w.todo {
		pks = append(pks, w.results[i].PK)
	}
	refs, err := w.references(ctx)
	if err != nil {
		return err
	}
	inTheWay, err := refs.inTheWay(ctx, pks)
	if err != nil {
		return err
	}
	var deleted, returned []callbacks.Account
	pks = pks[:0]
	for _, i := range w.todo {
		r := &w.results[i]
		row := w.rows[r.PK]
		switch kept := keeps(w.links[r.Key], row, after); {
		case kept != "":
			r.Outcome, r.Reason = callbacks.Returned, kept
			returned = append(returned, r.Account)
		case row.superuser:
			r.Outcome, r.Reason = callbacks.Refused, "is a superuser"
		case inTheWay[r.PK] != "":
			r.Outcome, r.Reason = callbacks.Refused, inTheWay[r.PK]
		default:
			r.Outcome = callbacks.Removed
			deleted, pks = append(deleted, r.Account), append(pks, r.PK)
		}
	}
	if err := w.dropLetters(ctx, returned, callbacks.Delete); err != nil || len(pks) == 0 {
		return err
	}
	if err := w.deleteRows(ctx, refs, pks); err != nil {
		return err
	}
	return w.tombstones(ctx, deleted)
}

// keeps says why an account isn't due to be deleted, which may have come about since it was: a person took it back. "" if it is due.
func keeps(l linkState, row accountRow, after time.Duration) string {
	switch {
	case l.by == "restored":
		return "a person restored it"
	case row.active && (after > 0 || l.by == "sync"):
		return "it is active"
	case after > 0 && !l.ready:
		return "sync hasn't deactivated it, or not for long enough"
	}
	return ""
}

func (w *work) deleteRows(ctx context.Context, refs *references, pks []string) error {
	u := w.store.users
	if err := refs.carryOut(ctx, pks); err != nil {
		return err
	}
	for _, own := range w.store.model.UsersOwn() {
		query := "DELETE FROM " + quoteTable(own) + " WHERE " + quote(own.Column) + " = ANY (" + u.keyArray(1) + ")"
		if _, err := w.tx.tx.Exec(ctx, query, u.keys(pks)); err != nil {
			return err
		}
	}
	if _, err := w.tx.tx.Exec(ctx, "DELETE FROM ldapsync.membership WHERE user_pk = ANY ($1)", pks); err != nil {
		return err
	}
	_, err := w.tx.tx.Exec(ctx, "DELETE FROM "+u.name+" WHERE "+u.key+" = ANY ("+u.keyArray(1)+")", u.keys(pks))
	return err
}

func quoteTable(r django.Referrer) string { return quote(r.Schema, r.Name) }
