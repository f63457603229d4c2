package sqlite

import (
	"context"

	"ldapsync/applier"
	"ldapsync/proto"
)

// writeMemberships joins and leaves, keeps what must wait for a group, and takes up what waited for groups that are written now.
func (t *tx) writeMemberships(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	if t.store.model.Membership == nil {
		return nil
	}
	bySource := map[string][]*applier.Change{}
	for i := range changes {
		bySource[changes[i].Source] = append(bySource[changes[i].Source], &changes[i])
	}
	for source, list := range bySource {
		write := t.writeUserMemberships
		if kind == proto.KindGroup {
			write = t.takeUp
		}
		if err := write(ctx, source, list); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) writeUserMemberships(ctx context.Context, source string, changes []*applier.Change) error {
	var join, leave, pending [][2]string
	var linked []string
	for _, c := range changes {
		for _, group := range c.Join {
			join = append(join, [2]string{c.PK, group})
		}
		for _, group := range c.Leave {
			leave = append(leave, [2]string{c.PK, group})
		}
		if c.Link == nil {
			continue
		}
		if !c.KeepGroups {
			linked = append(linked, c.ID)
		}
		for _, group := range c.Pending {
			pending = append(pending, [2]string{c.ID, group})
		}
	}
	if err := t.leave(ctx, leave); err != nil {
		return err
	}
	if len(join) > 0 {
		if err := t.join(ctx, source, `SELECT value ->> 0, value ->> 1 FROM json_each(?)`, pairs(join)); err != nil {
			return err
		}
	}
	if len(linked) > 0 {
		err := t.exec(ctx, `DELETE FROM ldapsync_pending_membership WHERE source = ? AND user_id IN (SELECT value FROM json_each(?))`,
			source, list(linked))
		if err != nil {
			return err
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return t.exec(ctx, `INSERT INTO ldapsync_pending_membership (source, user_id, group_id)
		SELECT ?, value ->> 0, value ->> 1 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`, source, pairs(pending))
}

// join makes those memberships that aren't there, and notes them as made by sync. who is a query that gives the texts of the primary
// keys of users and their groups.
func (t *tx) join(ctx context.Context, source, who string, args ...any) error {
	j := t.store.model.Membership
	userKey, groupKey := t.store.keys()
	user, group := quote(j.User), quote(j.Group)
	from := `WITH who (u, g) AS (` + who + `), new (u, g, uk, gk) AS (
		SELECT DISTINCT u, g, ` + keySQL(userKey, "u") + `, ` + keySQL(groupKey, "g") + ` FROM who)`
	absent := ` FROM new WHERE NOT EXISTS (SELECT 1 FROM ` + quote(j.Name) + ` AS m WHERE m.` + user + ` = uk AND m.` + group + ` = gk)`
	// The note comes first: afterwards nobody can tell who made a membership.
	err := t.exec(ctx, from+` INSERT INTO ldapsync_membership (source, group_pk, user_pk) SELECT ?, g, u`+absent+`
		ON CONFLICT (group_pk, user_pk) DO UPDATE SET source = excluded.source`, append(args, source)...)
	if err != nil {
		return err
	}
	return t.exec(ctx, from+` INSERT INTO `+quote(j.Name)+` (`+user+`, `+group+`) SELECT uk, gk`+absent, args...)
}

// leave deletes memberships, whoever made them.
func (t *tx) leave(ctx context.Context, who [][2]string) error {
	if len(who) == 0 {
		return nil
	}
	j := t.store.model.Membership
	userKey, groupKey := t.store.keys()
	err := t.exec(ctx, `DELETE FROM `+quote(j.Name)+` WHERE (`+quote(j.User)+`, `+quote(j.Group)+`) IN (
		SELECT `+keySQL(userKey, "value ->> 0")+`, `+keySQL(groupKey, "value ->> 1")+` FROM json_each(?))`, pairs(who))
	if err != nil {
		return err
	}
	return t.exec(ctx, `DELETE FROM ldapsync_membership WHERE (user_pk, group_pk) IN (
		SELECT value ->> 0, value ->> 1 FROM json_each(?))`, pairs(who))
}

// takeUp joins the users who waited for these groups.
func (t *tx) takeUp(ctx context.Context, source string, changes []*applier.Change) error {
	var groups [][2]string
	var ids []string
	for _, c := range changes {
		if c.Link != nil && c.Link.State == applier.Present && c.Link.PK != "" {
			groups = append(groups, [2]string{c.ID, c.Link.PK})
			ids = append(ids, c.ID)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	waiting, err := t.one(ctx, []any{new(int)}, `SELECT 1 FROM ldapsync_pending_membership
		WHERE source = ? AND group_id IN (SELECT value FROM json_each(?)) LIMIT 1`, source, list(ids))
	if err != nil || !waiting {
		return err
	}
	err = t.join(ctx, source, `SELECT l.pk, e.value ->> 1 FROM json_each(?) AS e
		CROSS JOIN ldapsync_pending_membership AS p ON p.source = ? AND p.group_id = e.value ->> 0
		CROSS JOIN ldapsync_link AS l ON l.source = p.source AND l.kind = 'user' AND l.id = p.user_id
		WHERE l.state = 'present' AND l.pk <> ''`, pairs(groups), source)
	if err != nil {
		return err
	}
	return t.exec(ctx, `DELETE FROM ldapsync_pending_membership WHERE source = ? AND group_id IN (SELECT value FROM json_each(?))`,
		source, list(ids))
}

// removeGroups takes from groups that are gone the memberships that sync made, and deletes the rows of those that are to go.
func (t *tx) removeGroups(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	if kind != proto.KindGroup {
		return nil
	}
	for i := range changes {
		c := &changes[i]
		if c.Action != applier.Remove {
			continue
		}
		if c.PK == "" {
			continue
		}
		// They wait for the group to return: a member who isn't published again (she is held, or can't be read) still belongs to it by her last event.
		err := t.exec(ctx, `INSERT INTO ldapsync_pending_membership (source, user_id, group_id)
			SELECT o.source, l.id, ? FROM ldapsync_membership AS o
			JOIN ldapsync_link AS l ON l.source = o.source AND l.kind = 'user' AND l.pk = o.user_pk AND l.pk <> '' AND l.state = 'present'
			WHERE o.group_pk = ? AND o.source = ? ON CONFLICT DO NOTHING`, c.ID, c.PK, c.Source)
		if err != nil {
			return err
		}
		if err := t.removeMade(ctx, c.Source, c.PK); err != nil {
			return err
		}
		if c.DeleteRow {
			if err := t.deleteGroup(ctx, c.PK); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) deleteGroup(ctx context.Context, pk string) error {
	table := t.store.tables[proto.KindGroup]
	refs, err := t.groupReferences(ctx, table)
	if err != nil {
		return err
	}
	reason, err := t.deleteRow(ctx, table, refs, pk)
	if err == nil && reason != "" {
		return refused(reason)
	}
	return err
}

// removeMade deletes the memberships of one group that sync made for one source.
func (t *tx) removeMade(ctx context.Context, source, pk string) error {
	if j := t.store.model.Membership; j != nil {
		userKey, groupKey := t.store.keys()
		err := t.exec(ctx, `DELETE FROM `+quote(j.Name)+` WHERE (`+quote(j.User)+`, `+quote(j.Group)+`) IN (
			SELECT `+keySQL(userKey, "user_pk")+`, `+keySQL(groupKey, "group_pk")+` FROM ldapsync_membership
			WHERE group_pk = ? AND source = ?)`, pk, source)
		if err != nil {
			return err
		}
	}
	return t.exec(ctx, `DELETE FROM ldapsync_membership WHERE group_pk = ? AND source = ?`, pk, source)
}
