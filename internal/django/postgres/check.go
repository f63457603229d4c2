package postgres

import (
	"context"

	"ldapsync/internal/django"
)

// Check returns everything that stands in the way of sync, and what is worth knowing.
func (s *Store) Check(ctx context.Context) ([]django.Finding, error) {
	found := append([]django.Finding(nil), s.findings...)
	there, err := s.Migrated(ctx)
	if err != nil {
		return nil, err
	}
	if !there {
		found = append(found, django.Finding{What: "the tables of ldapsync are missing", Hint: "run \"ldapsync migrate\""})
	}
	if s.model == nil {
		return found, nil
	}
	missing, err := s.missingRights(ctx)
	return append(found, missing...), s.fault(err)
}
