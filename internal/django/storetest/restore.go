package storetest

import (
	"context"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

func (s *suite) restore(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	return s.Store.Restore(ctx, accounts, "grace")
}

// find returns who is found, by id.
func (s *suite) find(q callbacks.FindQuery, ids ...string) map[string]callbacks.Absentee {
	s.Helper()
	list, err := s.Store.Find(s.Context(), q)
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	found := map[string]callbacks.Absentee{}
	for _, a := range list {
		got = append(got, a.ID)
		found[a.ID] = a
	}
	if !slices.Equal(got, ids) {
		s.Errorf("found %+v: %v, want %v", q, got, ids)
	}
	return found
}

var restoreCases = map[string]func(*suite){
	"RestoreBringsBackWhomSyncDeactivated": func(s *suite) {
		u := s.hire("ada", "bob", "eve", "kim")
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE WHERE username = 'bob'")
		accounts := s.leave(u, 9, "ada", "bob", "eve")
		s.wantOutcomes(s.Store.Deactivate, accounts[:2], callbacks.Deactivated, callbacks.Inactive)
		s.fail(callbacks.Delete, "ada", day)
		reasons := s.wantOutcomes(s.restore, accounts, callbacks.Restored, callbacks.Refused, callbacks.Refused)
		if reasons[0] != "" || reasons[1] == reasons[2] {
			s.Errorf("reasons: %q", reasons)
		}
		s.want(activity, "ada | active", "bob | inactive", "eve | active", "kim | active")
		s.wantListed0()
		s.wantDue(callbacks.Deactivate, day, "eve")
		s.wantDue(callbacks.Delete, day, "bob", "eve")
		// A service that looked before.
		s.wantOutcomes(s.Store.Deactivate, accounts[:1], callbacks.Returned)
		s.wantOutcomes(s.deleteNow, accounts[:1], callbacks.Returned)
		s.wantOutcomes(s.restore, accounts[:1], callbacks.Refused)
		s.want(activity, "ada | active", "bob | inactive", "eve | active", "kim | active")
		a := s.find(callbacks.FindQuery{Usernames: []string{"ADA"}}, "ada")["ada"]
		if a.RestoredBy != "grace" || a.RestoredAt.IsZero() || !a.Active || a.DeactivatedBy != "restored" || a.GoneSequence != 9 || a.PK != u["ada"] {
			s.Errorf("found: %+v", a)
		}
		// What a person does then isn't undone when she returns; the next absence is another one.
		s.write(proto.KindUser, back("ada", u["ada"]))
		s.wantDue(callbacks.Deactivate, day, "eve")
		s.wantOutcomes(s.Store.Deactivate, s.leave(u, 19, "ada"), callbacks.Deactivated)
	},
	"RestoreKeepsWhoseGraceEnds": func(s *suite) {
		u := s.hire("ada")
		s.write(proto.KindUser, missing("ada", u["ada"], 9))
		accounts := s.absent("ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		if a := s.find(callbacks.FindQuery{}, "ada")["ada"]; !a.Missing || a.Active || a.DeactivatedAt.IsZero() {
			s.Errorf("found: %+v", a)
		}
		s.wantOutcomes(s.restore, accounts, callbacks.Restored)
		s.absent()
		c := gone("ada", u["ada"], 12)
		l := s.links(proto.KindUser, "ada")["ada"]
		c.Link.DeactivatedBy, c.Link.DeactivatedAt = l.DeactivatedBy, l.DeactivatedAt // as the applier goes on with the same absence
		s.write(proto.KindUser, c)
		s.wantDue(callbacks.Deactivate, day)
		s.wantDue(callbacks.Delete, day)
		s.want(activity, "ada | active")
	},
	"WhoReturnedIsNotRestored": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		accounts := s.leave(u, 9, "ada", "bob", "eve")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Deactivated, callbacks.Deactivated)
		l := link(proto.KindUser, "eve2", u["eve"], "eve")
		s.write(proto.KindUser, back("ada", u["ada"]), gone("bob", u["bob"], 19), touch(l))
		s.wantOutcomes(s.restore, accounts, callbacks.Returned, callbacks.Returned, callbacks.Returned)
		s.want(activity, "ada | inactive", "bob | inactive", "eve | inactive")
	},
	"ARowDeletedByHandIsNotRestored": func(s *suite) {
		u := s.hire("ada")
		accounts := s.leave(u, 9, "ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		s.DB.Exec("DELETE FROM auth_user")
		s.wantOutcomes(s.restore, accounts, callbacks.Vanished)
		s.find(callbacks.FindQuery{})
	},
	"AbsenteesAreFound": func(s *suite) {
		u := s.hire("ada", "Bob", "eve", "kim")
		s.write(proto.KindUser, gone("ada", u["ada"], 9), gone("Bob", u["Bob"], 15), missing("eve", u["eve"], 20))
		lab := gone("zoe", "999", 12)
		lab.Source, lab.Link.Source = "lab", "lab"
		s.write(proto.KindUser, lab)
		s.DB.Exec("UPDATE auth_user SET username = 'renamed' WHERE username = 'ada'")
		all := s.find(callbacks.FindQuery{}, "Bob", "ada", "eve", "zoe")
		if a := all["zoe"]; a.Active || a.Username != "" || a.Source != "lab" {
			s.Errorf("%+v", a)
		}
		if a := all["ada"]; !a.Active || a.Username != "renamed" || a.Missing || a.Reason != "not found" || !a.DeactivatedAt.Equal(time.Time{}) {
			s.Errorf("%+v", a)
		}
		s.find(callbacks.FindQuery{Source: source, FromSequence: 10}, "Bob", "eve")
		s.find(callbacks.FindQuery{FromSequence: 9, ToSequence: 15}, "Bob", "ada", "zoe")
		s.find(callbacks.FindQuery{Usernames: []string{"BOB", "renamed", "kim", "nobody"}}, "Bob", "ada")
		s.find(callbacks.FindQuery{Usernames: []string{"bob"}, Source: "lab"})
	},
	"WhoIsGoneIsFoundByWhenSheBecameMissingToo": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.write(proto.KindUser, missing("ada", u["ada"], 9), missing("bob", u["bob"], 10), missing("eve", u["eve"], 11))
		within := func(from, to uint64) callbacks.FindQuery {
			return callbacks.FindQuery{FromSequence: from, ToSequence: to}
		}
		s.find(within(9, 10), "ada", "bob")
		s.write(proto.KindUser, gone("ada", u["ada"], 20), back("bob", u["bob"]))
		s.find(within(9, 9), "ada")
		s.find(within(20, 29), "ada")
		s.find(within(10, 10))
		s.find(within(12, 19))
		s.find(within(12, 0), "ada")
		// It isn't lost when the link is written again, and goes with the absence.
		l := s.links(proto.KindUser, "ada")["ada"]
		s.write(proto.KindUser, touch(&l))
		if a := s.find(within(9, 9), "ada")["ada"]; a.GoneSequence != 20 || a.Missing {
			s.Errorf("%+v", a)
		}
		s.write(proto.KindUser, back("ada", u["ada"]), gone("bob", u["bob"], 30))
		s.find(within(9, 29), "eve")
		s.write(proto.KindUser, gone("ada", u["ada"], 31))
		s.find(within(9, 29), "eve")
		s.find(within(30, 31), "ada", "bob")
		// Who returned unseen and is missing again: that is another absence.
		s.write(proto.KindUser, missing("ada", u["ada"], 40))
		s.find(within(9, 39), "bob", "eve")
		s.write(proto.KindUser, gone("ada", u["ada"], 50))
		s.find(within(40, 49), "ada")
		s.find(within(50, 0), "ada")
	},
	"SinceWhenIsKept": func(s *suite) {
		u := s.hire("ada")
		s.leave(u, 9, "ada")
		first := s.orphan("ada").Since
		if first.IsZero() {
			s.Error("nobody knows since when")
		}
		l := s.links(proto.KindUser, "ada")["ada"]
		s.write(proto.KindUser, touch(&l))
		if again := s.orphan("ada").Since; !again.Equal(first) {
			s.Errorf("%s, was %s", again, first)
		}
		s.write(proto.KindUser, back("ada", u["ada"]), applier.Change{Action: applier.Touch, Source: source, ID: "x", Link: link(proto.KindUser, "x", "", "x")})
		s.leave(u, 19, "ada")
		if again := s.orphan("ada").Since; again.Before(first) {
			s.Errorf("%s, was %s", again, first)
		}
	},
}
