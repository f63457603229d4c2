package sqlite

import (
	"context"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// Forget deletes what our tables keep of a user of a source: her dead letters, and, where her row isn't there any more, her link. While the row is
// there the link stays, with what callbacks still have to do: the account is the application's to delete, and Profiles finds it.
func (s *Store) Forget(ctx context.Context, source, id string) (done django.Forgotten, err error) {
	const hers = `source = ?1 AND kind = 'user' AND id = ?2`
	const unlinked = `NOT EXISTS (SELECT 1 FROM ldapsync_link WHERE ` + hers + `)`
	err = s.updateOwn(ctx, func(c *conn) error {
		done = django.Forgotten{}
		if u := s.tables[proto.KindUser]; u != nil {
			n, _, err := c.run(ctx, `DELETE FROM ldapsync_link WHERE `+hers+` AND state <> 'present' AND NOT EXISTS (SELECT 1 FROM `+u.name+` AS u
				WHERE ldapsync_link.pk <> '' AND u.`+u.key+` = `+keySQL(u.Key, "ldapsync_link.pk")+`)`, source, id)
			if err != nil {
				return err
			}
			done.Link = n > 0
		}
		if done.Letters, _, err = c.run(ctx, `DELETE FROM ldapsync_letter WHERE `+hers+` AND (stage = ?3 OR `+unlinked+`)`, source, id, django.StageApply); err != nil {
			return err
		}
		return c.exec(ctx, `DELETE FROM ldapsync_pending_membership WHERE source = ?1 AND user_id = ?2 AND `+unlinked, source, id)
	})
	return done, err
}
