package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

// timeLayout is how times stand in our tables: UTC, of one width, so that their order is that of the text.
const timeLayout = "2006-01-02 15:04:05.000000"

func timeText(t time.Time) string { return t.UTC().Format(timeLayout) }

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(timeLayout, s)
	if err != nil {
		return t, fmt.Errorf("a time of ldapsync's tables: %w", err)
	}
	return t, nil
}

// list passes any number of texts as one parameter, for json_each.
func list(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(values) // texts can't fail
	return string(b)
}

const linkColumns = `source, kind, id, pk, dn, name, state, gone_seq, gone_reason, digest, mapping, seq, how, active_written,
	deactivated_by, deactivated_at`

func (r *reader) Links(ctx context.Context, source string, kind proto.Kind, ids []string) ([]applier.Link, error) {
	if !r.migrated || len(ids) == 0 {
		return nil, nil
	}
	return r.links(ctx, len(ids), `SELECT `+linkColumns+` FROM ldapsync_link
		WHERE source = ? AND kind = ? AND id IN (SELECT value FROM json_each(?))`, source, kind, list(ids))
}

func (r *reader) LinksOf(ctx context.Context, kind proto.Kind, pks []string) ([]applier.Link, error) {
	if !r.migrated || len(pks) == 0 {
		return nil, nil
	}
	return r.links(ctx, len(pks), `SELECT `+linkColumns+` FROM ldapsync_link
		WHERE kind = ? AND pk <> '' AND pk IN (SELECT value FROM json_each(?))`, kind, list(pks))
}

// links reads links; about is how many are expected.
func (r *reader) links(ctx context.Context, about int, query string, args ...any) ([]applier.Link, error) {
	found := make([]applier.Link, 0, about)
	err := r.each(ctx, func(scan func(...any) error) error {
		l, err := scanLink(scan)
		found = append(found, l)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return found, nil
}

func scanLink(scan func(...any) error) (applier.Link, error) {
	var l applier.Link
	var goneSeq, seq int64
	var digest []byte
	var at *string
	err := scan(&l.Source, &l.Kind, &l.ID, &l.PK, &l.DN, &l.Name, &l.State, &goneSeq, &l.GoneReason, &digest, &l.Mapping, &seq,
		&l.How, &l.ActiveWritten, &l.DeactivatedBy, &at)
	if err != nil {
		return l, wrap(err)
	}
	l.GoneSequence, l.Sequence = uint64(goneSeq), uint64(seq)
	if copy(l.Digest[:], digest) != len(l.Digest) {
		return l, fmt.Errorf("link of %s %q: a digest of %d bytes", l.Kind, l.ID, len(digest))
	}
	if at != nil {
		l.DeactivatedAt, err = parseTime(*at)
	}
	return l, err
}

// putLinks writes the links of changes. The rows they belong to are there already. Of a link that is gone and was missing before, missing_seq keeps when
// that began.
func (t *tx) putLinks(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	var written, sources []string
	now := timeText(t.store.cfg.Now())
	for i := range changes {
		l := changes[i].Link
		if l == nil {
			continue
		}
		written = append(written, l.ID)
		if !slices.Contains(sources, l.Source) {
			sources = append(sources, l.Source)
		}
		var goneAt any
		if l.GoneSequence > 0 {
			goneAt = now
		}
		err := t.exec(ctx, `INSERT INTO ldapsync_link (`+linkColumns+`, gone_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (source, kind, id) DO UPDATE SET pk = excluded.pk, dn = excluded.dn, name = excluded.name,
			state = excluded.state, gone_seq = excluded.gone_seq, gone_reason = excluded.gone_reason, digest = excluded.digest,
			mapping = excluded.mapping, seq = excluded.seq, how = excluded.how, active_written = excluded.active_written,
			deactivated_by = excluded.deactivated_by, deactivated_at = excluded.deactivated_at,
			gone_at = CASE WHEN gone_seq = excluded.gone_seq THEN gone_at ELSE excluded.gone_at END,
			missing_seq = CASE WHEN gone_seq = excluded.gone_seq THEN missing_seq WHEN state = 'missing' AND excluded.gone_seq > 0 THEN gone_seq END`,
			l.Source, kind, l.ID, l.PK, l.DN, l.Name, l.State, int64(l.GoneSequence), l.GoneReason, l.Digest[:], l.Mapping,
			int64(l.Sequence), l.How, flag(l.ActiveWritten), l.DeactivatedBy, optionalTime(l.DeactivatedAt), goneAt)
		if err != nil {
			return err
		}
	}
	if kind != proto.KindUser || len(written) == 0 {
		return nil
	}
	// What a callback noted about an earlier absence is over.
	return t.exec(ctx, `DELETE FROM ldapsync_letter WHERE source IN (SELECT value FROM json_each(?)) AND kind = 'user'
		AND id IN (SELECT value FROM json_each(?)) AND stage <> 'apply' AND NOT EXISTS (SELECT 1 FROM ldapsync_link AS l
		WHERE l.source = ldapsync_letter.source AND l.kind = 'user' AND l.id = ldapsync_letter.id
		AND l.state = 'gone' AND l.gone_seq = ldapsync_letter.seq)`, list(sources), list(written))
}

// flag is a boolean as SQLite keeps it; nil stays nil.
func flag(b *bool) any {
	switch {
	case b == nil:
		return nil
	case *b:
		return 1
	}
	return 0
}

// optionalTime is a time's text; nil for the zero time.
func optionalTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return timeText(t)
}
