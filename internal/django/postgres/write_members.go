package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/internal/django"
)

// members are pairs of keys, with the source that wants them.
type members struct{ source, user, group []string }

func (m *members) add(source, user, group string) {
	m.source = append(m.source, source)
	m.user = append(m.user, user)
	m.group = append(m.group, group)
}

func (m *members) join(c *applier.Change) {
	for _, group := range c.Join {
		m.add(c.Source, c.PK, group)
	}
}

// joinSQL holds the names that the statements on the table of memberships need.
type joinSQL struct{ table, user, group string }

func newJoinSQL(j *django.Join) joinSQL {
	return joinSQL{table: quote(j.Schema, j.Name), user: quote(j.User), group: quote(j.Group)}
}

// join makes the memberships that changes ask for: those of new users in the order of their keys, at the end of the indexes.
func (t *tx) join(ctx context.Context, _ *table, changes []*applier.Change) error {
	var m, fresh members
	var made []*applier.Change
	for _, c := range changes {
		switch {
		case len(c.Join) == 0:
		case c.Action == applier.Create:
			made = append(made, c)
		default:
			m.join(c)
		}
	}
	slices.SortFunc(made, func(a, b *applier.Change) int { return byKey(a.PK, b.PK) })
	for _, c := range made {
		fresh.join(c)
	}
	if err := t.addMembers(ctx, &fresh); err != nil {
		return err
	}
	return t.makeMembers(ctx, &m)
}

// addMembers inserts memberships of users whose rows this transaction has made. None of them is there, unless a trigger gives new users a group.
func (t *tx) addMembers(ctx context.Context, m *members) error {
	j := t.store.model.Membership
	if j == nil || len(m.user) == 0 {
		return nil
	}
	outer := t.tx
	inner, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	t.use(inner)
	err = t.copyMembers(ctx, newJoinSQL(j), m)
	t.use(outer)
	if err == nil {
		return inner.Commit(ctx)
	}
	if code(err) != "23505" {
		return err
	}
	if err := inner.Rollback(ctx); err != nil {
		return err
	}
	return t.makeMembers(ctx, m)
}

// copyMembers inserts memberships none of which is there.
func (t *tx) copyMembers(ctx context.Context, n joinSQL, m *members) error {
	if err := t.copyIn(ctx, n.table, []string{n.user, n.group}, len(m.user), func(l *line, i int) error {
		l.text(m.user[i])
		l.text(m.group[i])
		return nil
	}); err != nil {
		return err
	}
	return t.copyIn(ctx, "ldapsync.membership", []string{"user_pk", "group_pk", "source"}, len(m.user), func(l *line, i int) error {
		l.text(m.user[i])
		l.text(m.group[i])
		l.text(m.source[i])
		return nil
	})
}

// makeMembers inserts those that aren't there, so that no id is burnt, and remembers as made by sync those alone. ON CONFLICT is for the application that
// adds one at the same moment.
func (t *tx) makeMembers(ctx context.Context, m *members) error {
	j := t.store.model.Membership
	if j == nil || len(m.user) == 0 {
		return nil
	}
	n, users, groups := newJoinSQL(j), t.store.users, t.store.groups
	query := fmt.Sprintf(`WITH wanted AS (SELECT DISTINCT ON (u, g) s, u, g FROM unnest($1::text[], %[4]s, %[5]s) AS v(s, u, g) ORDER BY u, g),
made AS (INSERT INTO %[1]s (%[2]s, %[3]s) SELECT u, g FROM wanted w
	WHERE NOT EXISTS (SELECT FROM %[1]s m WHERE m.%[2]s = w.u AND m.%[3]s = w.g) ON CONFLICT DO NOTHING RETURNING %[2]s AS u, %[3]s AS g)
INSERT INTO ldapsync.membership (user_pk, group_pk, source) SELECT made.u::text, made.g::text, w.s FROM made JOIN wanted w ON w.u = made.u AND w.g = made.g
ON CONFLICT DO NOTHING`, n.table, n.user, n.group, users.keyArray(2), groups.keyArray(3))
	u, g, err := t.memberKeys(m)
	if err == nil {
		_, err = t.tx.Exec(ctx, query, m.source, u, g)
	}
	return err
}

// leave takes the memberships that changes name, whoever made them.
func (t *tx) leave(ctx context.Context, _ *table, changes []*applier.Change) error {
	var m members
	for _, c := range changes {
		for _, group := range c.Leave {
			m.add(c.Source, c.PK, group)
		}
	}
	j := t.store.model.Membership
	if j == nil || len(m.user) == 0 {
		return nil
	}
	n, users, groups := newJoinSQL(j), t.store.users, t.store.groups
	query := fmt.Sprintf("DELETE FROM %s m USING unnest(%s, %s) AS v(u, g) WHERE m.%s = v.u AND m.%s = v.g AND m.%[4]s = ANY (%[2]s)",
		n.table, users.keyArray(1), groups.keyArray(2), n.user, n.group)
	u, g, err := t.memberKeys(&m)
	if err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, query, u, g); err != nil {
		return err
	}
	const forget = `DELETE FROM ldapsync.membership m USING unnest($1::text[], $2::text[]) AS v(u, g) WHERE m.user_pk = v.u AND m.group_pk = v.g`
	_, err = t.tx.Exec(ctx, forget, m.user, m.group)
	return err
}

// memberKeys are m's keys as parameters.
func (t *tx) memberKeys(m *members) (users, groups any, err error) {
	if users, err = t.store.users.allKeys(m.user); err != nil {
		return nil, nil, err
	}
	groups, err = t.store.groups.allKeys(m.group)
	return users, groups, err
}

// leaveGroups takes the memberships that sync made in groups that are gone. They wait, as pending ones, for the group to return: a member who
// isn't published again (she is held, or can't be read) still belongs to it by her last event.
func (t *tx) leaveGroups(ctx context.Context, of *table, changes []*applier.Change) error {
	var m members
	var ids []string
	for _, c := range changes {
		if c.Action == applier.Remove && c.PK != "" {
			m.add(c.Source, "", c.PK)
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	const wait = `INSERT INTO ldapsync.pending_membership (source, user_id, group_id)
SELECT o.source, l.id, v.id FROM unnest($1::text[], $2::text[], $3::text[]) AS v(s, g, id)
	JOIN ldapsync.membership o ON o.source = v.s AND o.group_pk = v.g
	JOIN ldapsync.link l ON l.source = o.source AND l.kind = 'user' AND l.pk = o.user_pk AND l.state = 'present'
ON CONFLICT DO NOTHING`
	if _, err := t.tx.Exec(ctx, wait, m.source, m.group, ids); err != nil {
		return err
	}
	j := t.store.model.Membership
	if j == nil || len(m.group) == 0 {
		return nil
	}
	n := newJoinSQL(j)
	query := fmt.Sprintf(`WITH ours AS (DELETE FROM ldapsync.membership o USING unnest($1::text[], $2::text[]) AS v(s, g)
	WHERE o.source = v.s AND o.group_pk = v.g RETURNING o.user_pk, o.group_pk)
DELETE FROM %s m USING ours WHERE m.%s = %s AND m.%s = %s`,
		n.table, n.user, t.store.users.fromText("ours.user_pk"), n.group, of.fromText("ours.group_pk"))
	_, err := t.tx.Exec(ctx, query, m.source, m.group)
	return err
}

// deleteGroups deletes the rows of groups that are gone, where that is wanted, with their memberships and permissions. Another table that
// refers to one stops it: the foreign keys are checked at once.
func (t *tx) deleteGroups(ctx context.Context, of *table, changes []*applier.Change) error {
	var pks []string
	for _, c := range changes {
		if c.DeleteRow && c.PK != "" {
			pks = append(pks, c.PK)
		}
	}
	if len(pks) == 0 {
		return nil
	}
	own := t.store.model.GroupOwn
	if j := t.store.model.Membership; j != nil {
		own = append(own[:len(own):len(own)], django.Referrer{Schema: j.Schema, Name: j.Name, Column: j.Group})
	}
	for _, r := range own {
		if _, err := t.tx.Exec(ctx, "DELETE FROM "+quote(r.Schema, r.Name)+" WHERE "+quote(r.Column)+" = ANY ("+of.keyArray(1)+")", of.keys(pks)); err != nil {
			return err
		}
	}
	if _, err := t.tx.Exec(ctx, "DELETE FROM ldapsync.membership WHERE group_pk = ANY ($1)", pks); err != nil {
		return err
	}
	_, err := t.tx.Exec(ctx, "DELETE FROM "+of.name+" WHERE "+of.key+" = ANY ("+of.keyArray(1)+")", of.keys(pks))
	return err
}

// takeUpPending makes the memberships that waited for groups which now have a row.
func (t *tx) takeUpPending(ctx context.Context, _ *table, changes []*applier.Change) error {
	var arrived entryArrays
	var pks []string
	for _, c := range changes {
		if c.Link != nil && c.Link.State == applier.Present && c.Link.PK != "" {
			arrived.source, arrived.id, pks = append(arrived.source, c.Source), append(arrived.id, c.ID), append(pks, c.Link.PK)
		}
	}
	if len(pks) == 0 {
		return nil
	}
	const take = `WITH taken AS (DELETE FROM ldapsync.pending_membership p USING unnest($1::text[], $2::text[], $3::text[]) AS v(s, id, pk)
	WHERE p.source = v.s AND p.group_id = v.id RETURNING p.source, p.user_id, v.pk)
SELECT taken.source, l.pk, taken.pk FROM taken JOIN ldapsync.link l ON l.source = taken.source AND l.kind = 'user' AND l.id = taken.user_id
WHERE l.state = 'present' AND l.pk <> ''`
	rows, err := t.tx.Query(ctx, take, arrived.source, arrived.id, pks)
	if err != nil {
		return err
	}
	var m members
	var source, user, group string
	if _, err := pgx.ForEachRow(rows, []any{&source, &user, &group}, func() error {
		m.add(source, user, group)
		return nil
	}); err != nil {
		return err
	}
	return t.makeMembers(ctx, &m)
}

// writePending makes the pending memberships of each user with a link what her change says. One whose link is new can't have any yet.
func (t *tx) writePending(ctx context.Context, of *table, changes []*applier.Change) error {
	var known entryArrays
	var wanted members
	for _, c := range changes {
		if c.Link == nil {
			continue
		}
		if !c.KeepGroups && !(c.Action == applier.Create && c.NewLink) {
			known.add(of.Kind, c)
		}
		for _, group := range c.Pending {
			wanted.add(c.Source, c.ID, group)
		}
	}
	if len(known.id) > 0 {
		const forget = `DELETE FROM ldapsync.pending_membership p USING unnest($1::text[], $2::text[]) AS v(s, u) WHERE p.source = v.s AND p.user_id = v.u
	AND (p.source, p.user_id, p.group_id) NOT IN (SELECT * FROM unnest($3::text[], $4::text[], $5::text[]))`
		if _, err := t.tx.Exec(ctx, forget, known.source, known.id, orEmpty(wanted.source), orEmpty(wanted.user), orEmpty(wanted.group)); err != nil {
			return err
		}
	}
	if len(wanted.user) == 0 {
		return nil
	}
	const insert = `INSERT INTO ldapsync.pending_membership (source, user_id, group_id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING`
	_, err := t.tx.Exec(ctx, insert, wanted.source, wanted.user, wanted.group)
	return err
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
