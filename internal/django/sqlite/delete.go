package sqlite

import (
	"context"
	"errors"

	"ldapsync/applier"
	"ldapsync/proto"
)

// deleteRow deletes a row of Django's with the rows that go with it, and what we noted of its memberships. reason says what stands in the way; then
// nothing is deleted.
func (c *conn) deleteRow(ctx context.Context, t *table, refs *references, pk string) (reason string, err error) {
	key, ok := keyValue(t.Key, pk)
	if !ok {
		return "", nil
	}
	if reason, err = refs.inTheWay(ctx, key); err != nil || reason != "" {
		return reason, err
	}
	if err := refs.carryOut(ctx, key); err != nil {
		return "", err
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
