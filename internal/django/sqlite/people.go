package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// accountColumns is what Orphans and Profiles read of a users' row: the columns of django.Account.
func (d *table) accountColumns(alias string) string {
	column := func(name, otherwise string) string {
		if name == "" {
			return otherwise
		}
		return "(coalesce(" + alias + "." + quote(name) + ", 0) <> 0)"
	}
	at := func(name string) string {
		if d.Timestamp(name) == nil {
			return "NULL"
		}
		return "+" + alias + "." + quote(name)
	}
	return "+" + alias + "." + d.key + ", " + alias + "." + d.columns[0] + ", " + d.activeOf(alias) + ", " + column(d.Staff, "0") + ", " +
		column(d.Superuser, "0") + ", " + at("last_login") + ", " + at("date_joined")
}

// scanAccount reads accountColumns, and what follows them.
func (d *table) scanAccount(scan func(...any) error, a *django.Account, rest ...any) error {
	var pk, login, joined any
	err := scan(append([]any{&pk, &a.Username, &a.Active, &a.Staff, &a.Superuser, &login, &joined}, rest...)...)
	a.PK = keyText(d.Key, pk)
	stamp := django.Column{Type: django.Timestamp}
	a.LastLogin, _ = fromColumn(stamp, login).(time.Time)
	a.DateJoined, _ = fromColumn(stamp, joined).(time.Time)
	return wrap(err)
}

// errStop ends a loop over rows that nobody wants any more.
var errStop = errors.New("stop")

// Orphans hands out the accounts that no entry of a directory stands behind, by username. The read transaction is open meanwhile.
func (s *Store) Orphans(ctx context.Context) iter.Seq2[django.Orphan, error] {
	return func(yield func(django.Orphan, error) bool) {
		err := s.view(ctx, func(c *conn) error {
			there, err := s.ready(ctx, c)
			if err != nil {
				return err
			}
			t := s.tables[proto.KindUser]
			return c.each(ctx, func(scan func(...any) error) error {
				var o django.Orphan
				var since *string
				err := t.scanAccount(scan, &o.Account, &o.Source, &o.ID, &o.DN, &o.State, &o.Reason, &since)
				if err == nil {
					o.Since, err = orZero(since)
				}
				if err == nil && !yield(o, nil) {
					return errStop
				}
				return err
			}, t.orphans(there))
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(django.Orphan{}, err)
		}
	}
}

// orphans is the query of Orphans, with or without our tables.
func (d *table) orphans(ours bool) string {
	if !ours {
		return `SELECT ` + d.accountColumns("u") + `, '', '', '', '', '', NULL FROM ` + d.name + ` AS u ORDER BY u.` + d.columns[0]
	}
	pk := textSQL(d.Key, "u."+d.key)
	return `SELECT ` + d.accountColumns("u") + `, coalesce(l.source, ''), coalesce(l.id, ''), coalesce(l.dn, ''), coalesce(l.state, ''),
			coalesce(l.gone_reason, ''), l.gone_at
		FROM ` + d.name + ` AS u LEFT JOIN ldapsync_link AS l ON l.kind = 'user' AND l.pk <> '' AND l.pk = ` + pk + ` AND (l.source, l.id) = (
			SELECT k.source, k.id FROM ldapsync_link AS k WHERE k.kind = 'user' AND k.pk <> '' AND k.pk = ` + pk + `
			ORDER BY k.gone_at DESC, k.source, k.id LIMIT 1)
		WHERE NOT EXISTS (SELECT 1 FROM ldapsync_link AS k WHERE k.kind = 'user' AND k.pk <> '' AND k.pk = ` + pk + ` AND k.state = 'present')
		ORDER BY u.` + d.columns[0]
}

// Profiles returns the rows behind entries of a source; entries without a row are left out.
func (s *Store) Profiles(ctx context.Context, source string, kind proto.Kind, ids []string) ([]django.Profile, error) {
	t := s.tables[kind]
	if t == nil || len(ids) == 0 {
		return nil, nil
	}
	groups := "'[]'"
	if r := s.model.Roster; r != nil && kind == proto.KindUser {
		groups = `(SELECT json_group_array(n) FROM (SELECT g.` + quote(r.GroupNameField) + ` AS n FROM ` + quote(r.Name) + ` AS m JOIN ` + quote(r.GroupName) +
			` AS g ON g.` + quote(r.GroupKey) + ` = m.` + quote(r.Group) + ` WHERE m.` + quote(r.User) + ` = t.` + t.key + ` ORDER BY 1))`
	}
	var found []django.Profile
	err := s.viewOwn(ctx, func(c *conn) error {
		return c.each(ctx, func(scan func(...any) error) error {
			var p django.Profile
			var names string
			err := t.scanAccount(scan, &p.Account, &p.ID, &names)
			if err == nil {
				err = json.Unmarshal([]byte(names), &p.Groups)
			}
			found = append(found, p)
			return err
		}, `SELECT `+t.accountColumns("t")+`, l.id, `+groups+` FROM ldapsync_link AS l JOIN `+t.name+` AS t ON t.`+t.key+` = `+keySQL(t.Key, "l.pk")+`
			WHERE l.source = ? AND l.kind = ? AND l.pk <> '' AND l.id IN (SELECT value FROM json_each(?)) ORDER BY l.id`, source, kind, list(ids))
	})
	return found, err
}
