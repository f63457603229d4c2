package sqlite

import (
	"context"

	"ldapsync/applier"
	"ldapsync/proto"
)

const letterColumns = `source, kind, id, dn, parked, name, reason, seq, entry, since`

func (r *reader) Letters(ctx context.Context, q applier.LetterQuery) ([]applier.Letter, error) {
	switch {
	case !r.migrated:
		return nil, nil
	case q.All:
		return r.letters(ctx, `SELECT `+letterColumns+` FROM ldapsync_letter WHERE source = ? AND kind = ? AND stage = 'apply'
			AND id > ? ORDER BY id LIMIT coalesce(nullif(?, 0), -1)`, q.Source, q.Kind, q.After, q.Limit)
	case len(q.IDs) == 0 && len(q.Names) == 0:
		return nil, nil
	}
	return r.letters(ctx, `SELECT `+letterColumns+` FROM ldapsync_letter WHERE stage = 'apply' AND rowid IN (
		SELECT rowid FROM ldapsync_letter WHERE source = ?1 AND kind = ?2 AND id IN (SELECT value FROM json_each(?3))
		UNION SELECT rowid FROM ldapsync_letter WHERE source = ?1 AND kind = ?2 AND name <> ''
			AND name IN (SELECT value FROM json_each(?4)))`,
		q.Source, q.Kind, list(q.IDs), list(q.Names))
}

func (r *reader) letters(ctx context.Context, query string, args ...any) ([]applier.Letter, error) {
	var found []applier.Letter
	err := r.each(ctx, func(scan func(...any) error) error {
		var l applier.Letter
		var seq int64
		var since string
		err := scan(&l.Source, &l.Kind, &l.ID, &l.DN, &l.Parked, &l.Name, &l.Reason, &seq, &l.Entry, &since)
		if err != nil {
			return wrap(err)
		}
		l.Sequence = uint64(seq)
		l.Since, err = parseTime(since)
		found = append(found, l)
		return err
	}, query, args...)
	return found, err
}

// putLetters writes and drops the letters of changes.
func (t *tx) putLetters(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	for i := range changes {
		c := &changes[i]
		var err error
		switch l := c.Letter; {
		case l != nil:
			err = t.exec(ctx, `INSERT INTO ldapsync_letter (`+letterColumns+`, stage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'apply')
				ON CONFLICT (source, kind, id, stage) DO UPDATE SET dn = excluded.dn, parked = excluded.parked,
				name = excluded.name, reason = excluded.reason, seq = excluded.seq, entry = excluded.entry, since = excluded.since`,
				l.Source, kind, l.ID, l.DN, flag(&l.Parked), l.Name, l.Reason, int64(l.Sequence), l.Entry, timeText(l.Since))
		case c.DropLetter:
			err = t.exec(ctx, `DELETE FROM ldapsync_letter WHERE source = ? AND kind = ? AND id = ? AND stage = 'apply'`,
				c.Source, kind, c.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
