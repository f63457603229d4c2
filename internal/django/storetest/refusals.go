package storetest

import (
	"errors"
	"strings"

	"ldapsync/applier"
	"ldapsync/proto"
)

// refuse tries each change alone, which the database must refuse as bad data, and then writes good in the same transaction.
func (s *suite) refuse(kind proto.Kind, good applier.Change, bad ...applier.Change) {
	s.Helper()
	s.update(func(tx applier.Tx) error {
		ctx := s.Context()
		for i, b := range bad {
			err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, kind, []applier.Change{good, b}) })
			if data := (*applier.DataError)(nil); !errors.As(err, &data) || err.Error() == "" || strings.Contains(err.Error(), "\n") {
				s.Errorf("change %d (%s): %v, not a DataError of one line", i, b.Name, err)
			}
		}
		return tx.Write(ctx, kind, []applier.Change{good})
	})
}

var refusalCases = map[string]func(*suite){
	"ANameThatIsTaken": func(s *suite) {
		pks := s.hire("ada", "bob")
		s.refuse(proto.KindUser, s.create(proto.KindUser, "good", "good", nil),
			s.create(proto.KindUser, "2", "ada", nil),
			s.set(proto.KindUser, "bob", pks["bob"], map[string]any{"username": "ada"}))
		s.want("SELECT username FROM auth_user ORDER BY username", "ada", "bob", "good")
		if l := s.links(proto.KindUser, "bob", "2", "good"); len(l) != 2 || l["bob"].Name != "bob" {
			s.Errorf("links: %v", l)
		}
	},
	"ATextThatIsTooLong": func(s *suite) {
		pks := s.hire("ada")
		s.refuse(proto.KindUser, s.create(proto.KindUser, "good", strings.Repeat("é", 150), map[string]any{"email": strings.Repeat("e", 254)}),
			s.create(proto.KindUser, "1", strings.Repeat("é", 151), nil),
			s.create(proto.KindUser, "2", "two", map[string]any{"last_name": strings.Repeat("x", 151)}),
			s.set(proto.KindUser, "ada", pks["ada"], map[string]any{"email": strings.Repeat("x", 255)}))
		s.want("SELECT count(*) FROM auth_user", "2")
	},
	"ATextThatIsNone": func(s *suite) {
		s.refuse(proto.KindUser, s.create(proto.KindUser, "good", "good", nil),
			s.create(proto.KindUser, "1", "a\x00b", nil), s.create(proto.KindUser, "2", "a\xffb", nil))
		s.want("SELECT username FROM auth_user", "good")
	},
	"ANullWhereNoneMayBe": func(s *suite) {
		s.refuse(proto.KindUser, s.create(proto.KindUser, "good", "good", nil),
			s.create(proto.KindUser, "1", "one", map[string]any{"last_name": nil}))
		s.want("SELECT username FROM auth_user", "good")
	},
	"AMembershipInNoGroup": func(s *suite) {
		c := s.create(proto.KindUser, "1", "one", nil)
		c.Join = []string{"999999"}
		s.refuse(proto.KindUser, s.create(proto.KindUser, "good", "good", nil), c)
		s.want("SELECT username FROM auth_user", "good")
		s.want("SELECT user_id FROM auth_user_groups")
	},
	"AGroupThatIsTooLong": func(s *suite) {
		s.refuse(proto.KindGroup, s.create(proto.KindGroup, "good", "good", nil), s.create(proto.KindGroup, "1", strings.Repeat("g", 151), nil))
		s.want("SELECT name FROM auth_group", "good")
	},
	"AGroupThatIsReferredTo": func(s *suite) {
		s.DB.Exec(`CREATE TABLE shop_discount (id integer PRIMARY KEY, group_id integer NOT NULL REFERENCES auth_group (id) DEFERRABLE INITIALLY DEFERRED)`)
		g := s.found("x")
		s.DB.Exec("INSERT INTO shop_discount (id, group_id) SELECT 1, id FROM auth_group")
		s.refuse(proto.KindGroup, s.create(proto.KindGroup, "good", "good", nil), leaveGroup("x", g["x"], true))
		s.want("SELECT name FROM auth_group ORDER BY name", "good", "x")
		if l := s.links(proto.KindGroup, "x")["x"]; l.State != applier.Present {
			s.Errorf("link: %+v", l)
		}
	},
	"AChangeIsWrittenAgainAfterItsSavepointIsUndone": func(s *suite) {
		s.hire("ada")
		changes := []applier.Change{s.create(proto.KindUser, "1", "one", nil), s.create(proto.KindUser, "2", "ada", nil)}
		s.update(func(tx applier.Tx) error {
			ctx := s.Context()
			if err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, changes) }); err == nil {
				s.Error("ada twice")
			}
			return tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, changes[:1]) })
		})
		if l := s.links(proto.KindUser, "1")["1"]; l.PK == "" || l.PK != changes[0].PK || l.PK != s.pk("auth_user", "username", "one") {
			s.Errorf("link %+v, change's pk %q", l, changes[0].PK)
		}
	},
}
