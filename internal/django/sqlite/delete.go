package sqlite

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/applier"
	"ldapsync/proto"
)

// deleteRow deletes a row of Django's with the rows of Django's own tables that refer to it, and what we noted of its memberships. reason
// says which other table stands in the way; then nothing is deleted.
func (c *conn) deleteRow(ctx context.Context, t *table, pk string) (reason string, err error) {
	key, ok := keyValue(t.Key, pk)
	if !ok {
		return "", nil
	}
	for _, r := range t.others {
		found, err := c.one(ctx, []any{new(int)}, `SELECT 1 FROM `+quote(r.Name)+` WHERE `+quote(r.Column)+` = ? LIMIT 1`, key)
		if err != nil {
			return "", err
		}
		if found {
			return fmt.Sprintf("rows of %s refer to it; delete it in Django, which knows what becomes of them", r.Name), nil
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
