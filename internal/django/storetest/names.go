package storetest

import (
	"errors"
	"slices"

	"ldapsync/applier"
	"ldapsync/proto"
)

// named are the names of the rows that Named gives for names, sorted.
func (s *suite) named(kind proto.Kind, names ...string) []string {
	s.Helper()
	var found []string
	s.view(func(r applier.Reader) error {
		var err error
		found, err = s.namedBy(r, kind, names...)
		return err
	})
	return found
}

func (s *suite) namedBy(r applier.Reader, kind proto.Kind, names ...string) ([]string, error) {
	rows, err := r.Named(s.Context(), kind, names)
	var found []string
	for _, row := range rows {
		found = append(found, row.Name)
	}
	slices.Sort(found)
	return found, err
}

func (s *suite) wantNamed(got []string, want ...string) {
	s.Helper()
	if !slices.Equal(got, want) {
		s.Errorf("named: %q, want %q", got, want)
	}
}

var nameCases = map[string]func(*suite){
	"LinkedRowsAreFoundWithoutCase": func(s *suite) {
		s.hire("Ada", "BOB", "Zoë", "Straße")
		s.wantNamed(s.named(proto.KindUser, "ada", "bob", "ADA", "nobody"), "Ada", "BOB")
		s.wantNamed(s.named(proto.KindUser, "ZOË"), "Zoë")
		s.wantNamed(s.named(proto.KindUser, "STRASSE"), "Straße")
	},
	"RowsWithoutALinkAreFoundWithoutCase": func(s *suite) {
		s.byHand("Grace", false, true)
		s.byHand("grace", false, true)
		s.byHand("Émile", false, true)
		s.wantNamed(s.named(proto.KindUser, "GRACE"), "Grace", "grace")
		s.wantNamed(s.named(proto.KindUser, "émile", "Émile"), "Émile")
	},
	"GroupsAreFoundWithoutCase": func(s *suite) {
		s.found("Staff")
		s.DB.Exec("INSERT INTO auth_group (name) VALUES ('Editors')")
		s.wantNamed(s.named(proto.KindGroup, "staff", "EDITORS", "Ada"), "Editors", "Staff")
	},
	"ExactNamesAreFoundAtOnce": func(s *suite) {
		s.wantNamed(s.named(proto.KindUser, "late", "Mixed"))
		s.byHand("late", false, true)
		s.byHand("Mixed", false, true)
		s.wantNamed(s.named(proto.KindUser, "late", "Mixed"), "Mixed", "late")
	},
	"RefreshShowsWhatWasDoneByHand": func(s *suite) {
		s.byHand("early", false, true)
		s.wantNamed(s.named(proto.KindUser, "EARLY", "LATE"), "early")
		s.byHand("Late", false, true)
		s.DB.Exec("UPDATE auth_user SET username = 'Renamed' WHERE username = 'early'")
		s.Store.Refresh()
		s.wantNamed(s.named(proto.KindUser, "EARLY", "LATE", "renamed"), "Late", "Renamed")
	},
	"ALinkThatTellsAnOldNameDoesNotAnswer": func(s *suite) {
		s.hire("ada")
		s.DB.Exec("UPDATE auth_user SET username = 'Lovelace'")
		s.Store.Refresh()
		s.wantNamed(s.named(proto.KindUser, "ada"))
		s.wantNamed(s.named(proto.KindUser, "Lovelace"), "Lovelace")
	},
	"RowsOfTheSameTransactionAreFound": func(s *suite) {
		broken := errors.New("broken")
		s.update(func(tx applier.Tx) error {
			ctx := s.Context()
			if _, err := s.namedBy(tx, proto.KindUser, "x"); err != nil {
				return err
			}
			err := tx.Savepoint(ctx, func() error {
				c := []applier.Change{s.create(proto.KindUser, "1", "Undone", nil)}
				if err := tx.Write(ctx, proto.KindUser, c); err != nil {
					return err
				}
				got, err := s.namedBy(tx, proto.KindUser, "UNDONE")
				s.wantNamed(got, "Undone")
				return errors.Join(err, broken)
			})
			if !errors.Is(err, broken) {
				return err
			}
			err = tx.Write(ctx, proto.KindUser, []applier.Change{s.create(proto.KindUser, "2", "Kept", nil)})
			got, err2 := s.namedBy(tx, proto.KindUser, "UNDONE", "KEPT")
			s.wantNamed(got, "Kept")
			return errors.Join(err, err2)
		})
		s.byHand("After", false, true)
		s.Store.Refresh()
		s.wantNamed(s.named(proto.KindUser, "AFTER", "kept"), "After", "Kept")
	},
}
