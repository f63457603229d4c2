package postgres

import (
	"context"

	"ldapsync/internal/django"
)

// Forget deletes what our tables keep of a user of a source: her dead letters, and, where her row isn't there any more, her link. While the row is
// there the link stays, with what callbacks still have to do: the account is the application's to delete, and Profiles finds it.
func (s *Store) Forget(ctx context.Context, source, id string) (django.Forgotten, error) {
	var done django.Forgotten
	err := s.update(ctx, s.cfg.RetryFor, func(t *tx) error {
		done = django.Forgotten{}
		const hers = "source = $1 AND kind = 'user' AND id = $2"
		u := s.users
		tag, err := t.tx.Exec(ctx, "DELETE FROM ldapsync.link k WHERE k."+hers+" AND k.state <> 'present' AND NOT EXISTS (SELECT FROM "+u.name+" u WHERE u."+u.key+
			" = "+u.fromText("nullif(k.pk, '')")+")", source, id)
		if err != nil {
			return err
		}
		done.Link = tag.RowsAffected() > 0
		tag, err = t.tx.Exec(ctx, "DELETE FROM ldapsync.letter WHERE "+hers+" AND (stage = $3 OR NOT EXISTS (SELECT FROM ldapsync.link WHERE "+hers+"))",
			source, id, django.StageApply)
		if err != nil {
			return err
		}
		done.Letters = tag.RowsAffected()
		_, err = t.tx.Exec(ctx, "DELETE FROM ldapsync.pending_membership WHERE source = $1 AND user_id = $2 AND NOT EXISTS (SELECT FROM ldapsync.link WHERE "+hers+")",
			source, id)
		return err
	})
	return done, err
}
