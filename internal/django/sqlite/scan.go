package sqlite

import (
	"context"
	"errors"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

// scanFor is how long Scan reads before it lets go of the file: without a write-ahead log a writer can't commit while somebody reads.
const scanFor = 200 * time.Millisecond

// Scan reads each table in order of its keys, in as many transactions as keep each of them short.
func (s *Store) Scan(ctx context.Context, q applier.ScanQuery, v applier.Visitor) error {
	return s.scan(ctx, q, v, scanFor)
}

func (s *Store) scan(ctx context.Context, q applier.ScanQuery, v applier.Visitor, atMost time.Duration) error {
	there, err := s.Migrated(ctx)
	if err != nil || !there {
		return err
	}
	c := scan{store: s, query: q, to: v, atMost: atMost}
	for _, step := range []func(context.Context) error{c.links, c.letters, c.groups, c.users, c.memberships} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// scan is one reading of the tables.
type scan struct {
	store  *Store
	query  applier.ScanQuery
	to     applier.Visitor
	atMost time.Duration // of a transaction
}

// each reads what a query gives in the order of its last argument, a key that every row is behind: row scans one row and returns its key. When a
// transaction has lasted for long enough, the next one goes on behind that.
func each[K any](ctx context.Context, c *scan, first K, row func(scan func(...any) error) (K, error), query string, args ...any) error {
	for more, after := true, first; more; {
		more = false
		err := c.store.view(ctx, func(conn *conn) error {
			begun, n := time.Now(), 0
			return conn.each(ctx, func(scan func(...any) error) error {
				if n++; n%checkEvery == 0 && time.Since(begun) > c.atMost {
					more = true
					return errStop
				}
				key, err := row(scan)
				if err == nil {
					after = key
				}
				return wrap(err)
			}, query, append(args[:len(args):len(args)], after)...)
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
	}
	return nil
}

func (c *scan) links(ctx context.Context) error {
	for _, kind := range c.query.Kinds {
		l := applier.Link{Kind: kind}
		var digest []byte
		err := each(ctx, c, "", func(scan func(...any) error) (string, error) {
			err := scan(&l.ID, &l.PK, &l.Name, &l.State, &digest, &l.Mapping, &l.ActiveWritten, &l.DeactivatedBy)
			l.Digest = proto.Digest{}
			copy(l.Digest[:], digest)
			if err == nil {
				c.to.VisitLink(&l)
			}
			return l.ID, err
		}, `SELECT id, pk, name, state, digest, mapping, active_written, deactivated_by FROM ldapsync_link
			WHERE source = ? AND kind = ? AND state NOT IN ('gone', 'deleted') AND id > ? ORDER BY id`, c.query.Source, kind)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *scan) letters(ctx context.Context) error {
	for _, kind := range c.query.Kinds {
		err := each(ctx, c, "", func(scan func(...any) error) (id string, err error) {
			if err = scan(&id); err == nil {
				c.to.VisitLetter(kind, id)
			}
			return id, err
		}, `SELECT id FROM ldapsync_letter WHERE source = ? AND kind = ? AND stage = 'apply' AND id > ? ORDER BY id`, c.query.Source, kind)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *scan) groups(ctx context.Context) error { return c.rows(ctx, proto.KindGroup) }
func (c *scan) users(ctx context.Context) error  { return c.rows(ctx, proto.KindUser) }

// lowest is below every rowid that SQLite gives by itself.
const lowest int64 = -1 << 63

// rows reads one of Django's tables.
func (c *scan) rows(ctx context.Context, kind proto.Kind) error {
	t := c.store.tables[kind]
	if t == nil || !c.query.Wants(kind) {
		return nil
	}
	raw, values := make([]any, len(t.Columns)+1), make([]any, len(t.Columns))
	var rowid int64
	into := []any{&rowid}
	for i := range raw {
		into = append(into, &raw[i])
	}
	columns := []string{"rowid", "+" + t.key}
	for _, name := range t.columns {
		columns = append(columns, "+"+name)
	}
	return each(ctx, c, lowest, func(scan func(...any) error) (int64, error) {
		if err := scan(into...); err != nil {
			return 0, err
		}
		for i, column := range t.Columns {
			values[i] = fromColumn(column, raw[i+1])
		}
		c.to.VisitRow(kind, keyText(t.Key, raw[0]), values)
		return rowid, nil
	}, "SELECT "+strings.Join(columns, ", ")+" FROM "+t.name+" WHERE rowid > ? ORDER BY rowid")
}

func (c *scan) memberships(ctx context.Context) error {
	j := c.store.model.Membership
	if j == nil || !c.query.Memberships {
		return nil
	}
	userKey, groupKey := c.store.keys()
	return each(ctx, c, lowest, func(scan func(...any) error) (rowid int64, err error) {
		var user, group any
		if err = scan(&rowid, &user, &group); err == nil {
			c.to.VisitMembership(keyText(userKey, user), keyText(groupKey, group))
		}
		return rowid, err
	}, "SELECT rowid, +"+quote(j.User)+", +"+quote(j.Group)+" FROM "+quote(j.Name)+" WHERE rowid > ? ORDER BY rowid")
}
