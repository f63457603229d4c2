package postgres

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// Scan reads one state of the database. A reader keeps nobody waiting here.
func (s *Store) Scan(ctx context.Context, q applier.ScanQuery, v applier.Visitor) error {
	there, err := s.Migrated(ctx)
	if err != nil || !there {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return s.fault(pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		c := scan{store: s, tx: tx, types: tx.Conn().TypeMap(), query: q, to: v}
		for _, step := range []func(context.Context) error{c.links, c.letters, c.groups, c.users, c.memberships} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
}

// scan is one reading of the tables.
type scan struct {
	store *Store
	tx    pgx.Tx
	types *pgtype.Map
	query applier.ScanQuery
	to    applier.Visitor
}

// each runs a query, and calls fn with the values of each row as they came: in binary form where pgx asks for that.
func (c *scan) each(ctx context.Context, fn func(rows pgx.Rows, raw [][]byte) error, query string, args ...any) error {
	rows, err := c.tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows, rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *scan) kinds() []string {
	kinds := make([]string, len(c.query.Kinds))
	for i, kind := range c.query.Kinds {
		kinds[i] = string(kind)
	}
	return kinds
}

func (c *scan) links(ctx context.Context) error {
	const query = `SELECT kind, id, pk, name, state, digest, mapping, active_written, deactivated_by FROM ldapsync.link
		WHERE source = $1 AND kind = ANY ($2::text[]) AND state NOT IN ('gone', 'deleted')`
	yes, no := true, false
	var l applier.Link
	return c.each(ctx, func(_ pgx.Rows, raw [][]byte) error {
		l.Kind = proto.Kind(again(string(l.Kind), raw[0]))
		l.ID, l.PK, l.Name = string(raw[1]), string(raw[2]), string(raw[3])
		l.State = applier.LinkState(again(string(l.State), raw[4]))
		l.Digest = proto.Digest{}
		copy(l.Digest[:], raw[5])
		l.Mapping = again(l.Mapping, raw[6])
		switch {
		case len(raw[7]) == 0:
			l.ActiveWritten = nil
		case raw[7][0] == 0:
			l.ActiveWritten = &no
		default:
			l.ActiveWritten = &yes
		}
		l.DeactivatedBy = again(l.DeactivatedBy, raw[8])
		c.to.VisitLink(&l)
		return nil
	}, query, c.query.Source, c.kinds())
}

// again is the text of b, and last itself where that is the same: most rows repeat the one before.
func again(last string, b []byte) string {
	if last == string(b) {
		return last
	}
	return string(b)
}

func (c *scan) letters(ctx context.Context) error {
	const query = `SELECT kind, id FROM ldapsync.letter WHERE source = $1 AND kind = ANY ($2::text[]) AND stage = 'apply'`
	return c.each(ctx, func(_ pgx.Rows, raw [][]byte) error {
		c.to.VisitLetter(proto.Kind(raw[0]), string(raw[1]))
		return nil
	}, query, c.query.Source, c.kinds())
}

func (c *scan) groups(ctx context.Context) error {
	if c.store.groups == nil {
		return nil
	}
	return c.rows(ctx, c.store.groups)
}

func (c *scan) users(ctx context.Context) error { return c.rows(ctx, c.store.users) }

// rows reads one of Django's tables.
func (c *scan) rows(ctx context.Context, t *table) error {
	if !c.query.Wants(t.Kind) {
		return nil
	}
	columns := []string{t.rawKey("t." + t.key)}
	for _, column := range t.Columns {
		columns = append(columns, read("t."+quote(column.Name), column))
	}
	values := make([]any, len(t.Columns))
	return c.each(ctx, func(rows pgx.Rows, raw [][]byte) error {
		fields := rows.FieldDescriptions()
		for i := range t.Columns {
			v, err := c.decode(fields[i+1].DataTypeOID, fields[i+1].Format, raw[i+1])
			if err != nil {
				return err
			}
			values[i] = value(v, t.Columns[i])
		}
		c.to.VisitRow(t.Kind, t.keyText(raw[0]), values)
		return nil
	}, "SELECT "+strings.Join(columns, ", ")+" FROM "+t.name+" t")
}

// decode does what pgx.Rows.Values does, and those types which most columns have by itself.
func (c *scan) decode(oid uint32, format int16, raw []byte) (any, error) {
	switch {
	case raw == nil:
		return nil, nil
	case oid == pgtype.TextOID:
		return string(raw), nil
	case oid == pgtype.BoolOID && format == pgtype.BinaryFormatCode && len(raw) == 1:
		return raw[0] != 0, nil
	}
	t, ok := c.types.TypeForOID(oid)
	if !ok {
		return string(raw), nil
	}
	return t.Codec.DecodeValue(c.types, oid, format, raw)
}

func (c *scan) memberships(ctx context.Context) error {
	j := c.store.model.Membership
	if j == nil || !c.query.Memberships {
		return nil
	}
	u, g := c.store.users, c.store.groups
	query := "SELECT " + u.rawKey("m."+quote(j.User)) + ", " + g.rawKey("m."+quote(j.Group)) + " FROM " + quote(j.Schema, j.Name) + " m"
	return c.each(ctx, func(_ pgx.Rows, raw [][]byte) error {
		c.to.VisitMembership(u.keyText(raw[0]), g.keyText(raw[1]))
		return nil
	}, query)
}

// rawKey is the expression that reads a key so that keyText makes its text. PostgreSQL's own cast costs more than all else of a row.
func (t *table) rawKey(expression string) string {
	if t.Key.Type == django.Int {
		return expression + "::bigint"
	}
	return expression + "::text"
}

// keyText is the text of what rawKey read.
func (t *table) keyText(raw []byte) string {
	if t.Key.Type == django.Int && len(raw) == 8 {
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(raw)), 10)
	}
	return string(raw)
}
