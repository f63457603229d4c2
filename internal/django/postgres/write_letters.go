package postgres

import (
	"context"
	"time"

	"ldapsync/applier"
)

// writeLetters writes and drops the applier's letters.
func (t *tx) writeLetters(ctx context.Context, of *table, changes []*applier.Change) error {
	var drop entryArrays
	var w letterArrays
	for _, c := range changes {
		switch {
		case c.Letter != nil:
			w.add(c.Letter, t.store.cfg.Now())
		case c.DropLetter:
			drop.add(of.Kind, c)
		}
	}
	if len(drop.id) > 0 {
		const query = `DELETE FROM ldapsync.letter l USING unnest($1::text[], $2::text[], $3::text[]) AS v(source, kind, id)
WHERE l.source = v.source AND l.kind = v.kind AND l.id = v.id AND l.stage = 'apply'`
		if _, err := t.tx.Exec(ctx, query, drop.source, drop.kind, drop.id); err != nil {
			return err
		}
	}
	if len(w.id) == 0 {
		return nil
	}
	const query = `INSERT INTO ldapsync.letter AS l (source, kind, id, stage, dn, parked, name, reason, seq, entry, attempts, since)
SELECT source, kind, id, 'apply', dn, parked, name, reason, seq, entry, 1, since
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::bigint[], $9::bytea[], $10::timestamptz[])
	AS v(source, kind, id, dn, parked, name, reason, seq, entry, since)
ON CONFLICT (source, kind, id, stage) DO UPDATE SET dn = excluded.dn, parked = excluded.parked, name = excluded.name, reason = excluded.reason,
	seq = excluded.seq, entry = excluded.entry, attempts = l.attempts + 1, since = excluded.since, next_at = NULL`
	_, err := t.tx.Exec(ctx, query, w.source, w.kind, w.id, w.dn, w.parked, w.name, w.reason, w.seq, w.entry, w.since)
	return err
}

type letterArrays struct {
	source, kind, id, dn, name, reason []string
	parked                             []bool
	seq                                []int64
	entry                              [][]byte
	since                              []time.Time
}

func (a *letterArrays) add(l *applier.Letter, now time.Time) {
	a.source = append(a.source, l.Source)
	a.kind = append(a.kind, string(l.Kind))
	a.id = append(a.id, l.ID)
	a.dn = append(a.dn, l.DN)
	a.parked = append(a.parked, l.Parked)
	a.name = append(a.name, l.Name)
	a.reason = append(a.reason, l.Reason)
	a.seq = append(a.seq, int64(l.Sequence))
	entry := l.Entry
	if entry == nil {
		entry = []byte{}
	}
	a.entry = append(a.entry, entry)
	since := l.Since
	if since.IsZero() {
		since = now
	}
	a.since = append(a.since, since)
}
