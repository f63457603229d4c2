package sqlite

import (
	"context"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// Find returns the links that are gone or missing, by source and id.
func (s *Store) Find(ctx context.Context, q callbacks.FindQuery) ([]callbacks.Absentee, error) {
	t := s.tables[proto.KindUser]
	folded := make([]string, len(q.Usernames))
	for i, name := range q.Usernames {
		folded[i] = applier.Fold(name)
	}
	var found []callbacks.Absentee
	err := s.viewOwn(ctx, func(c *conn) error {
		return c.each(ctx, func(scan func(...any) error) error {
			a, err := scanAbsentee(scan)
			found = append(found, a)
			return err
		}, `SELECT l.source, l.id, l.pk, l.dn, coalesce(u.`+t.columns[0]+`, ''), l.gone_seq, l.gone_reason, l.state = 'missing',
				u.`+t.key+` IS NOT NULL AND `+t.activeOf("u")+`, l.deactivated_by, l.deactivated_at, l.restored_by, l.restored_at`+s.withRow()+`
			WHERE l.kind = 'user' AND l.state IN ('missing', 'gone') AND (?1 = '' OR l.source = ?1)
				AND (l.gone_seq >= ?2 AND (?3 = 0 OR l.gone_seq <= ?3) OR l.missing_seq >= ?2 AND (?3 = 0 OR l.missing_seq <= ?3))
				AND (?4 = '[]' OR l.name IN (SELECT value FROM json_each(?4)) OR u.`+t.columns[0]+` IN (SELECT value FROM json_each(?5)))
			ORDER BY l.source, l.id`, q.Source, int64(q.FromSequence), int64(q.ToSequence), list(folded), list(q.Usernames))
	})
	return found, err
}

func scanAbsentee(scan func(...any) error) (callbacks.Absentee, error) {
	var a callbacks.Absentee
	var gone int64
	var deactivated, restored *string
	err := scan(&a.Source, &a.ID, &a.PK, &a.DN, &a.Username, &gone, &a.Reason, &a.Missing, &a.Active, &a.DeactivatedBy, &deactivated,
		&a.RestoredBy, &restored)
	if err != nil {
		return a, wrap(err)
	}
	a.GoneSequence = uint64(gone)
	if a.DeactivatedAt, err = orZero(deactivated); err == nil {
		a.RestoredAt, err = orZero(restored)
	}
	return a, err
}

// Restore makes accounts active again that sync deactivated.
func (s *Store) Restore(ctx context.Context, accounts []callbacks.Account, by string) ([]callbacks.Result, error) {
	a := &acting{states: missingToo, by: by}
	return s.act(ctx, accounts, a, a.restore)
}

// checkReferences compares the settings with the tables that refer to users.
func (s *Store) checkReferences(ctx context.Context, c *conn) error {
	if s.model == nil || len(s.cfg.Settings.References) == 0 {
		return nil
	}
	keys, err := c.foreignKeys(ctx, s.model.Users.Name)
	if err != nil {
		return err
	}
	_, found := s.model.ReferenceRules(s.cfg.Settings.References, keys)
	s.findings = append(s.findings, found...)
	return nil
}
