package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"ldapsync/applier"
	"ldapsync/proto"
)

// Of a link that is gone and was missing before, missing_seq keeps when that began. Only links that are there can have been missing, so it isn't among
// linkColumns: new ones cost nothing for it.
const upsertLinks = `INSERT INTO ldapsync.link (` + linkColumns + `, gone_at)
SELECT v.*, CASE WHEN v.gone_seq > 0 THEN now() END FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[],
	$10::bytea[], $11::text[], $12::bigint[], $13::text[], $14::boolean[], $15::text[], $16::timestamptz[]) AS v(` + linkColumns + `)
ON CONFLICT (source, kind, id) DO UPDATE SET pk = excluded.pk, dn = excluded.dn, name = excluded.name, state = excluded.state,
	gone_seq = excluded.gone_seq, gone_reason = excluded.gone_reason, digest = excluded.digest, mapping = excluded.mapping, seq = excluded.seq,
	how = excluded.how, active_written = excluded.active_written, deactivated_by = excluded.deactivated_by, deactivated_at = excluded.deactivated_at,
	gone_at = CASE WHEN link.gone_seq = excluded.gone_seq THEN link.gone_at ELSE excluded.gone_at END,
	missing_seq = CASE WHEN link.gone_seq = excluded.gone_seq THEN link.missing_seq WHEN link.state = 'missing' AND excluded.gone_seq > 0 THEN link.gone_seq END`

// Letters of callbacks are about an account that is gone; who isn't any more needs none.
const dropCallbackLetters = `DELETE FROM ldapsync.letter l USING unnest($1::text[], $2::text[], $3::text[]) AS v(source, kind, id)
WHERE l.source = v.source AND l.kind = v.kind AND l.id = v.id AND l.stage <> 'apply'`

// writeLinks writes the links of changes that have one. ON CONFLICT burns no ids here: links have none of the database's.
func (t *tx) writeLinks(ctx context.Context, of *table, changes []*applier.Change) error {
	var l linkArrays
	var back entryArrays
	var fresh []*applier.Change
	for _, c := range changes {
		if c.Link == nil {
			continue
		}
		if c.NewLink {
			fresh = append(fresh, c)
			continue
		}
		l.add(c.Link)
		if c.Link.State != applier.Gone {
			back.add(of.Kind, c)
		}
	}
	if err := t.insertLinks(ctx, fresh); err != nil {
		return err
	}
	if err := t.upsertLinks(ctx, &l); err != nil {
		return err
	}
	if len(back.id) == 0 {
		return nil
	}
	_, err := t.tx.Exec(ctx, dropCallbackLetters, back.source, back.kind, back.id)
	return err
}

// insertLinks writes links that aren't there yet, in the order of the index on their ids: those of a directory have none.
func (t *tx) insertLinks(ctx context.Context, changes []*applier.Change) error {
	slices.SortFunc(changes, func(a, b *applier.Change) int { return strings.Compare(a.Link.ID, b.Link.ID) })
	return t.copyIn(ctx, "ldapsync.link", []string{linkColumns}, len(changes), func(l *line, i int) error {
		l.link(changes[i].Link)
		return nil
	})
}

// link writes a link's linkColumns.
func (l *line) link(v *applier.Link) {
	l.text(v.Source)
	l.text(string(v.Kind))
	l.text(v.ID)
	l.text(v.PK)
	l.text(v.DN)
	l.text(v.Name)
	l.text(string(v.State))
	l.integer(int64(v.GoneSequence))
	l.text(v.GoneReason)
	l.bytes(v.Digest[:])
	l.text(v.Mapping)
	l.integer(int64(v.Sequence))
	l.text(string(v.How))
	if v.ActiveWritten != nil {
		l.boolean(*v.ActiveWritten)
	} else {
		l.null()
	}
	l.text(v.DeactivatedBy)
	if v.DeactivatedAt.IsZero() {
		l.null()
	} else {
		l.instant(v.DeactivatedAt, timestampLayout, "+00")
	}
}

func (t *tx) upsertLinks(ctx context.Context, l *linkArrays) error {
	if len(l.source) == 0 {
		return nil
	}
	_, err := t.tx.Exec(ctx, upsertLinks, l.source, l.kind, l.id, l.pk, l.dn, l.name, l.state, l.goneSeq, l.goneReason, l.digest, l.mapping, l.seq,
		l.how, l.active, l.deactivatedBy, l.deactivatedAt)
	return err
}

type linkArrays struct {
	source, kind, id, pk, dn, name, state, goneReason, mapping, how, deactivatedBy []string
	goneSeq, seq                                                                   []int64
	digest                                                                         [][]byte
	active                                                                         []pgtype.Bool
	deactivatedAt                                                                  []pgtype.Timestamptz
}

func (a *linkArrays) add(l *applier.Link) {
	a.source = append(a.source, l.Source)
	a.kind = append(a.kind, string(l.Kind))
	a.id = append(a.id, l.ID)
	a.pk = append(a.pk, l.PK)
	a.dn = append(a.dn, l.DN)
	a.name = append(a.name, l.Name)
	a.state = append(a.state, string(l.State))
	a.goneSeq = append(a.goneSeq, int64(l.GoneSequence))
	a.goneReason = append(a.goneReason, l.GoneReason)
	a.digest = append(a.digest, l.Digest[:])
	a.mapping = append(a.mapping, l.Mapping)
	a.seq = append(a.seq, int64(l.Sequence))
	a.how = append(a.how, string(l.How))
	active := pgtype.Bool{Valid: l.ActiveWritten != nil}
	if active.Valid {
		active.Bool = *l.ActiveWritten
	}
	a.active = append(a.active, active)
	a.deactivatedBy = append(a.deactivatedBy, l.DeactivatedBy)
	a.deactivatedAt = append(a.deactivatedAt, pgtype.Timestamptz{Time: l.DeactivatedAt, Valid: !l.DeactivatedAt.IsZero()})
}

// entryArrays name entries.
type entryArrays struct{ source, kind, id []string }

func (a *entryArrays) add(kind proto.Kind, c *applier.Change) {
	a.source = append(a.source, c.Source)
	a.kind = append(a.kind, string(kind))
	a.id = append(a.id, c.ID)
}
