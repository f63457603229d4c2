package sqlite

import (
	"context"
	"encoding/json"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// reader answers a plan's questions within one transaction. Every list of keys is one parameter, an array in JSON: no statement grows
// with it, and SQLite's limit of parameters doesn't matter.
type reader struct {
	*conn
	store    *Store
	migrated bool // else our tables aren't there, and count as empty
}

var _ applier.Reader = (*reader)(nil)

func (r *reader) Rows(ctx context.Context, kind proto.Kind, pks []string) ([]applier.Row, error) {
	t := r.store.tables[kind]
	if t == nil || len(pks) == 0 {
		return nil, nil
	}
	return r.rows(ctx, t, t.rows+` WHERE `+t.key+` IN (SELECT value FROM json_each(?))`, keyList(t.Key, pks))
}

// Named finds a row by its exact name, by the name that its link says, or by the names of rows that links don't tell: see nameCache.
func (r *reader) Named(ctx context.Context, kind proto.Kind, names []string) ([]applier.Row, error) {
	t := r.store.tables[kind]
	if t == nil || len(names) == 0 {
		return nil, nil
	}
	wanted := make(map[string]bool, len(names))
	exact, folded := make([]string, 0, 2*len(names)), make([]string, 0, len(names))
	for _, name := range names {
		f := applier.Fold(name)
		exact = append(exact, name)
		if !wanted[f] {
			wanted[f] = true
			exact, folded = append(exact, f), append(folded, f)
		}
	}
	untold, err := r.store.names.find(ctx, r, t, folded)
	if err != nil {
		return nil, err
	}
	query := t.rows + ` WHERE ` + t.key + ` IN (
		SELECT ` + t.key + ` FROM ` + t.name + ` WHERE ` + t.columns[0] + ` IN (SELECT value FROM json_each(?))
		UNION SELECT value FROM json_each(?)`
	args := []any{list(exact), keyList(t.Key, untold)}
	if r.migrated {
		query += ` UNION SELECT ` + keySQL(t.Key, "pk") + ` FROM ldapsync_link
			WHERE kind = ? AND pk <> '' AND name IN (SELECT value FROM json_each(?))`
		args = append(args, kind, list(folded))
	}
	rows, err := r.rows(ctx, t, query+`)`, args...)
	found := rows[:0]
	for _, row := range rows {
		if wanted[applier.Fold(row.Name)] {
			found = append(found, row)
		}
	}
	return found, err
}

func (r *reader) rows(ctx context.Context, t *table, query string, args ...any) ([]applier.Row, error) {
	var found []applier.Row
	raw := make([]any, len(t.Columns)+1)
	into := make([]any, 0, len(raw)+2)
	for i := range raw {
		into = append(into, &raw[i])
	}
	var staff, superuser bool
	into = append(into, &staff, &superuser)
	err := r.each(ctx, func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return wrap(err)
		}
		row := applier.Row{PK: keyText(t.Key, raw[0]), Privileged: staff || superuser, Superuser: superuser,
			Values: make([]any, len(t.Columns))}
		for i, c := range t.Columns {
			row.Values[i] = fromColumn(c, raw[i+1])
		}
		row.Name, _ = row.Values[0].(string)
		found = append(found, row)
		return nil
	}, query, args...)
	return found, err
}

// Memberships goes by the users: the unary plus keeps SQLite from going through all memberships of the source's groups for each batch.
func (r *reader) Memberships(ctx context.Context, source string, users []string) ([]applier.Membership, error) {
	j := r.store.model.Membership
	if j == nil || !r.migrated || len(users) == 0 {
		return nil, nil
	}
	userKey, groupKey := r.store.keys()
	var found []applier.Membership
	err := r.each(ctx, func(scan func(...any) error) error {
		var user, group any
		if err := scan(&user, &group); err != nil {
			return wrap(err)
		}
		found = append(found, applier.Membership{User: keyText(userKey, user), Group: keyText(groupKey, group)})
		return nil
	}, `SELECT +`+quote(j.User)+`, +`+quote(j.Group)+` FROM `+quote(j.Name)+`
		WHERE `+quote(j.User)+` IN (SELECT value FROM json_each(?)) AND +`+quote(j.Group)+` IN (
			SELECT `+keySQL(groupKey, "pk")+` FROM ldapsync_link
			WHERE source = ? AND kind = 'group' AND state = 'present' AND pk <> '')`,
		keyList(userKey, users), source)
	return found, err
}

func (r *reader) ActiveSuperusers(ctx context.Context) ([]string, error) {
	t := r.store.tables[proto.KindUser]
	if t.Superuser == "" || t.ActiveColumn() < 0 {
		return nil, nil
	}
	var pks []string
	err := r.each(ctx, func(scan func(...any) error) error {
		var pk any
		err := scan(&pk)
		pks = append(pks, keyText(t.Key, pk))
		return wrap(err)
	}, `SELECT +`+t.key+` FROM `+t.name+` WHERE `+t.superuser+` AND `+t.active)
	return pks, err
}

// keys are the primary keys of users and groups. Memberships must be configured.
func (s *Store) keys() (users, groups django.Column) {
	return s.model.Users.Key, s.model.Groups.Key
}

// pairs passes any number of pairs of texts as one parameter, for json_each.
func pairs(all [][2]string) string {
	b, _ := json.Marshal(all) // texts can't fail
	return string(b)
}
