package sqlite

import (
	"context"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

// ListUnlinked returns the users' rows that no link belongs to, by primary key, and how many users there are.
func (r *reader) ListUnlinked(ctx context.Context) ([]applier.Row, int, error) {
	t := r.store.tables[proto.KindUser]
	var all int
	if _, err := r.one(ctx, []any{&all}, `SELECT count(*) FROM `+t.name); err != nil {
		return nil, 0, err
	}
	where := ""
	if r.migrated {
		where = ` WHERE NOT EXISTS (SELECT 1 FROM ldapsync_link AS l WHERE l.kind = 'user' AND l.pk <> '' AND l.pk = ` + textSQL(t.Key, "t."+t.key) + `)`
	}
	var found []applier.Row
	err := r.each(ctx, func(scan func(...any) error) error {
		var pk any
		var row applier.Row
		var staff bool
		err := scan(&pk, &row.Name, &staff, &row.Superuser)
		row.PK, row.Privileged = keyText(t.Key, pk), staff || row.Superuser
		found = append(found, row)
		return wrap(err)
	}, `SELECT +t.`+t.key+`, +t.`+t.columns[0]+`, `+truth(t.Staff, "0")+`, `+t.superuser+` FROM `+t.name+` AS t`+where+` ORDER BY t.`+t.key)
	return found, all, err
}

// Complete returns the sources of which a committed snapshot was applied.
func (r *reader) Complete(ctx context.Context) ([]string, error) {
	if !r.migrated {
		return nil, nil
	}
	var sources []string
	err := r.each(ctx, func(scan func(...any) error) error {
		var source string
		err := scan(&source)
		sources = append(sources, source)
		return wrap(err)
	}, `SELECT source FROM ldapsync_checkpoint WHERE complete ORDER BY source`)
	return sources, err
}

// SetComplete notes that a committed snapshot was applied as a whole.
func (t *tx) SetComplete(ctx context.Context, source string) error {
	return t.exec(ctx, `UPDATE ldapsync_checkpoint SET complete = 1 WHERE source = ?`, source)
}

const heldColumns = `source, change, hash, accounts, total, reason, since, entries, decision, decided_by, decided_at, decided_why`

// HeldRows returns what waits for a decision, or was rejected, the oldest first.
func (r *reader) HeldRows(ctx context.Context) ([]applier.Held, error) {
	if !r.migrated {
		return nil, nil
	}
	var held []applier.Held
	err := r.each(ctx, func(scan func(...any) error) error {
		var h applier.Held
		var since string
		var at *string
		err := scan(&h.Source, &h.Change, &h.Hash, &h.Count, &h.Of, &h.Reason, &since, &h.Entries, &h.Decision, &h.By, &at, &h.Why)
		if err != nil {
			return wrap(err)
		}
		if h.Since, err = parseTime(since); err == nil {
			h.At, err = orZero(at)
		}
		held = append(held, h)
		return err
	}, `SELECT `+heldColumns+` FROM ldapsync_held ORDER BY since, source, change, hash`)
	return held, err
}

// orZero is a time that may be NULL.
func orZero(text *string) (time.Time, error) {
	if text == nil {
		return time.Time{}, nil
	}
	return parseTime(*text)
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
	if h.Since.IsZero() {
		h.Since = t.store.cfg.Now()
	}
	return t.exec(ctx, `INSERT OR REPLACE INTO ldapsync_held (`+heldColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		h.Source, h.Change, h.Hash, h.Count, h.Of, h.Reason, timeText(h.Since), h.Entries, string(h.Decision), h.By, optionalTime(h.At), h.Why)
}

// DropHeld deletes what has its source, change and hash.
func (t *tx) DropHeld(ctx context.Context, h applier.Held) error {
	return t.exec(ctx, `DELETE FROM ldapsync_held WHERE source = ? AND change = ? AND hash = ?`, h.Source, h.Change, h.Hash)
}

// DecideHeld notes a person's decision about what is held under a hash, and tells whether anything is.
func (s *Store) DecideHeld(ctx context.Context, hash string, d applier.Decision, by, why string) (found bool, err error) {
	err = s.updateOwn(ctx, func(c *conn) error {
		changed, _, err := c.run(ctx, `UPDATE ldapsync_held SET decision = ?, decided_by = ?, decided_why = ?, decided_at = ? WHERE hash = ?`,
			string(d), by, why, timeText(s.cfg.Now()), hash)
		found = changed > 0
		return err
	})
	return found, err
}
