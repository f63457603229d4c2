package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
)

// ListUnlinked returns the users' rows that no link belongs to, by primary key, and how many users there are.
func (r *reader) ListUnlinked(ctx context.Context) ([]applier.Row, int, error) {
	u := r.store.users
	var all int
	if err := r.db.QueryRow(ctx, "SELECT count(*) FROM "+u.name).Scan(&all); err != nil {
		return nil, 0, err
	}
	where := ""
	if r.ours {
		where = " WHERE NOT EXISTS (SELECT FROM ldapsync.link l WHERE l.kind = 'user' AND l.pk = t." + u.key + `::text COLLATE "C")`
	}
	query := "SELECT t." + u.key + "::text, t." + quote(u.NameColumn().Name) + "::text, " + u.flagOf("t", u.Staff) + ", " + u.flagOf("t", u.Superuser) +
		" FROM " + u.name + " t" + where + " ORDER BY t." + u.key
	rows, err := r.db.Query(ctx, query)
	if err != nil {
		return nil, 0, err
	}
	unlinked, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (applier.Row, error) {
		var found applier.Row
		var staff bool
		err := row.Scan(&found.PK, &found.Name, &staff, &found.Superuser)
		found.Privileged = staff || found.Superuser
		return found, err
	})
	return unlinked, all, err
}

// flagOf is the expression for a boolean column of a row, false where there is none.
func (t *table) flagOf(alias, column string) string {
	if column == "" {
		return "false"
	}
	return "coalesce(" + alias + "." + quote(column) + ", false)"
}

// Complete returns the sources of which a committed snapshot was applied.
func (r *reader) Complete(ctx context.Context) ([]string, error) {
	if !r.ours {
		return nil, nil
	}
	rows, err := r.db.Query(ctx, "SELECT source FROM ldapsync.checkpoint WHERE complete ORDER BY source")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// SetComplete notes that a committed snapshot was applied as a whole.
func (t *tx) SetComplete(ctx context.Context, source string) error {
	_, err := t.tx.Exec(ctx, "UPDATE ldapsync.checkpoint SET complete = true WHERE source = $1", source)
	return err
}

// HeldRows returns what waits for a decision, or was rejected, the oldest first.
func (r *reader) HeldRows(ctx context.Context) ([]applier.Held, error) {
	if !r.ours {
		return nil, nil
	}
	rows, err := r.db.Query(ctx, `SELECT source, change, hash, accounts, total, reason, since, entries, decision, decided_by, decided_at, decided_why
FROM ldapsync.held ORDER BY since, source, change, hash`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (applier.Held, error) {
		var h applier.Held
		var decision string
		var at *time.Time
		err := row.Scan(&h.Source, &h.Change, &h.Hash, &h.Count, &h.Of, &h.Reason, &h.Since, &h.Entries, &decision, &h.By, &at, &h.Why)
		h.Decision, h.Since, h.At = applier.Decision(decision), h.Since.UTC(), utc(at)
		return h, err
	})
}

// HeldRows returns what waits for a decision, or was rejected, the oldest first.
func (s *Store) HeldRows(ctx context.Context) (held []applier.Held, err error) {
	err = s.View(ctx, func(r applier.Reader) error {
		held, err = r.HeldRows(ctx)
		return err
	})
	return held, err
}

// PutHeld writes what is held, since now if it doesn't say since when.
func (t *tx) PutHeld(ctx context.Context, h applier.Held) error {
	const put = `INSERT INTO ldapsync.held (source, change, hash, accounts, total, reason, since, entries, decision, decided_by, decided_at, decided_why)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, now()), $8, $9, $10, $11, $12)
ON CONFLICT (source, change, hash) DO UPDATE SET accounts = excluded.accounts, total = excluded.total, reason = excluded.reason, since = excluded.since,
	entries = excluded.entries, decision = excluded.decision, decided_by = excluded.decided_by, decided_at = excluded.decided_at, decided_why = excluded.decided_why`
	_, err := t.tx.Exec(ctx, put, h.Source, h.Change, h.Hash, h.Count, h.Of, h.Reason, orNull(h.Since), h.Entries, string(h.Decision), h.By, orNull(h.At), h.Why)
	return err
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// DropHeld deletes what has its source, change and hash.
func (t *tx) DropHeld(ctx context.Context, h applier.Held) error {
	_, err := t.tx.Exec(ctx, "DELETE FROM ldapsync.held WHERE source = $1 AND change = $2 AND hash = $3", h.Source, h.Change, h.Hash)
	return err
}

// DecideHeld notes a person's decision about what is held under a hash, and tells whether anything is.
func (s *Store) DecideHeld(ctx context.Context, hash string, d applier.Decision, by, why string) (bool, error) {
	found := false
	err := s.update(ctx, s.cfg.RetryFor, func(t *tx) error {
		tag, err := t.tx.Exec(ctx, "UPDATE ldapsync.held SET decision = $2, decided_by = $3, decided_why = $4, decided_at = now() WHERE hash = $1",
			hash, string(d), by, why)
		found = tag.RowsAffected() > 0
		return err
	})
	return found, err
}
