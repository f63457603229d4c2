package storetest

import (
	"errors"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

var schemaCases = map[string]func(*suite){
	"MigrateAgainChangesNothing": func(s *suite) {
		s.hire("ada")
		if err := s.open().Migrate(s.Context()); err != nil {
			s.Fatal(err)
		}
		if done, err := s.Store.Migrated(s.Context()); err != nil || !done {
			s.Errorf("migrated: %v, %v", done, err)
		}
		if len(s.links(proto.KindUser, "ada")) != 1 {
			s.Error("the link is lost")
		}
	},
	"NothingInNothingOut": func(s *suite) {
		s.view(func(r applier.Reader) error { return s.empty(r) })
		s.update(func(tx applier.Tx) error {
			return errors.Join(s.empty(tx), tx.Write(s.Context(), proto.KindUser, nil), tx.Write(s.Context(), proto.KindGroup, nil))
		})
	},
}

// bareCases run without ldapsync's tables: check and dry run must work before migrate.
var bareCases = map[string]func(*suite){
	"WithoutTables": func(s *suite) {
		ctx := s.Context()
		if done, err := s.Store.Migrated(ctx); err != nil || done {
			s.Errorf("migrated: %v, %v", done, err)
		}
		if p, err := s.Store.Checkpoint(ctx, source); err != nil || p != nil {
			s.Errorf("checkpoint: %v, %v", p, err)
		}
		if n, err := s.Store.Position(ctx, source); err != nil || n != 0 {
			s.Errorf("position: %v, %v", n, err)
		}
		if due, err := s.Store.Due(ctx, callbacks.DueQuery{Callback: callbacks.Deactivate, Now: day, Limit: 10}); err != nil || len(due) != 0 {
			s.Errorf("due: %v, %v", due, err)
		}
		if next, err := s.Store.NextDue(ctx, callbacks.DueQuery{Callback: callbacks.Deactivate}); err != nil || !next.IsZero() {
			s.Errorf("next due: %v, %v", next, err)
		}
		pk := s.byHand("Grace", false, true)
		s.view(func(r applier.Reader) error {
			rows, err := r.Named(ctx, proto.KindUser, []string{"grace"})
			if err != nil || len(rows) != 1 || rows[0].PK != pk || rows[0].Name != "Grace" {
				s.Errorf("named: %v, %v", rows, err)
			}
			links, err := r.Links(ctx, source, proto.KindUser, []string{"grace"})
			if err != nil || len(links) != 0 {
				s.Errorf("links: %v, %v", links, err)
			}
			links, err = r.LinksOf(ctx, proto.KindUser, []string{pk})
			if err != nil || len(links) != 0 {
				s.Errorf("links of: %v, %v", links, err)
			}
			letters, err := r.Letters(ctx, applier.LetterQuery{Source: source, Kind: proto.KindUser, All: true})
			if err != nil || len(letters) != 0 {
				s.Errorf("letters: %v, %v", letters, err)
			}
			members, err := r.Memberships(ctx, source, []string{pk})
			if err != nil || len(members) != 0 {
				s.Errorf("memberships: %v, %v", members, err)
			}
			return nil
		})
		err := s.Store.Update(ctx, func(applier.Tx) error { return nil })
		if class, hint := fault.Of(err); class != fault.Database || hint == "" {
			s.Errorf("update without tables: %v (class %v, hint %q)", err, class, hint)
		}
		if done, err := s.Store.Migrated(ctx); err != nil || done {
			s.Errorf("looking made tables: %v, %v", done, err)
		}
	},
}

// empty asks for nothing, and wants nothing.
func (s *suite) empty(r applier.Reader) error {
	ctx := s.Context()
	links, err1 := r.Links(ctx, source, proto.KindUser, nil)
	of, err2 := r.LinksOf(ctx, proto.KindGroup, nil)
	rows, err3 := r.Rows(ctx, proto.KindUser, nil)
	named, err4 := r.Named(ctx, proto.KindUser, nil)
	members, err5 := r.Memberships(ctx, source, nil)
	letters, err6 := r.Letters(ctx, applier.LetterQuery{Source: source, Kind: proto.KindUser})
	if n := len(links) + len(of) + len(rows) + len(named) + len(members) + len(letters); n != 0 {
		s.Errorf("%d answers without a question", n)
	}
	return errors.Join(err1, err2, err3, err4, err5, err6)
}
