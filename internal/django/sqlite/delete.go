package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// referrer is a column that refers to a column of a table of Django's.
type referrer struct{ table, column, to string }

// others returns what refers to t and isn't Django's own. It is asked when rows are to be deleted, since a project's migrations add tables while
// a store is open.
func (c *conn) others(ctx context.Context, t *table) ([]referrer, error) {
	var found []referrer
	err := c.each(ctx, func(scan func(...any) error) error {
		var r referrer
		if err := scan(&r.table, &r.column, &r.to); err != nil {
			return wrap(err)
		}
		if !slices.Contains(t.own, django.Referrer{Name: r.table, Column: r.column}) {
			found = append(found, r)
		}
		return nil
	}, `SELECT m.name, f."from", coalesce(f."to", ?) FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE ORDER BY m.name, f."from"`, t.Key.Name, t.Name)
	return found, err
}

// deleteRow deletes a row of Django's with the rows of Django's own tables that refer to it, and what we noted of its memberships. reason
// says which of others stands in the way; then nothing is deleted.
func (c *conn) deleteRow(ctx context.Context, t *table, others []referrer, pk string) (reason string, err error) {
	key, ok := keyValue(t.Key, pk)
	if !ok {
		return "", nil
	}
	for _, r := range others {
		found, err := c.one(ctx, []any{new(int)}, `SELECT 1 FROM `+quote(r.table)+` AS r JOIN `+t.name+` AS t ON r.`+quote(r.column)+` = t.`+quote(r.to)+`
			WHERE t.`+t.key+` = ? LIMIT 1`, key)
		if err != nil {
			return "", err
		}
		if found {
			return fmt.Sprintf("rows of %s refer to it; delete it in Django, which knows what becomes of them", r.table), nil
		}
	}
	for _, r := range t.own {
		if err := c.exec(ctx, `DELETE FROM `+quote(r.Name)+` WHERE `+quote(r.Column)+` = ?`, key); err != nil {
			return "", err
		}
	}
	column := "user_pk"
	if t.Kind == proto.KindGroup {
		column = "group_pk"
	}
	if err := c.exec(ctx, `DELETE FROM ldapsync_membership WHERE `+column+` = ?`, pk); err != nil {
		return "", err
	}
	return "", c.exec(ctx, `DELETE FROM `+t.name+` WHERE `+t.key+` = ?`, key)
}

func refused(reason string) error { return &applier.DataError{Err: errors.New(reason)} }
