package storetest

import (
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// missing is the change of a user who became missing at a sequence.
func missing(id, pk string, seq uint64) applier.Change {
	l := link(proto.KindUser, id, pk, id)
	l.State, l.GoneSequence, l.GoneReason = applier.Missing, seq, "not found"
	return applier.Change{Action: applier.Miss, Source: source, ID: id, PK: pk, Link: l}
}

// absent are the accounts that are due to Deactivate where it also acts on those who are missing.
func (s *suite) absent(ids ...string) []callbacks.Account {
	s.Helper()
	q := callbacks.DueQuery{Callback: callbacks.Deactivate, Missing: true, Now: day, Limit: 1000}
	due, err := s.Store.Due(s.Context(), q)
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, a := range due {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, ids) {
		s.Errorf("due while missing: %v, want %v", got, ids)
	}
	return due
}

var missingCases = map[string]func(*suite){
	"WhoIsMissingIsDueOnlyWhereAsked": func(s *suite) {
		u := s.hire("ada", "bob")
		s.write(proto.KindUser, missing("ada", u["ada"], 9), gone("bob", u["bob"], 10))
		s.wantDue(callbacks.Deactivate, day, "bob")
		s.wantDue(callbacks.Delete, day, "bob")
		accounts := s.absent("ada", "bob")
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Missing || l.GoneSequence != 9 || l.PK != u["ada"] {
			s.Errorf("link: %+v", l)
		}
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Deactivated)
		s.want(activity, "ada | inactive", "bob | inactive")
		s.absent()
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Missing || l.DeactivatedBy != "sync" {
			s.Errorf("link: %+v", l)
		}
		s.wantDue(callbacks.Delete, day, "bob")
	},
	"WhoIsMissingIsNotDeleted": func(s *suite) {
		u := s.hire("ada")
		s.write(proto.KindUser, missing("ada", u["ada"], 9))
		accounts := s.absent("ada")
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Returned)
		s.want("SELECT count(*) FROM auth_user", "1")
	},
	"WhoReturnedOrWentWhileMissingIsNotDeactivated": func(s *suite) {
		u := s.hire("ada", "bob")
		s.write(proto.KindUser, missing("ada", u["ada"], 9), missing("bob", u["bob"], 9))
		accounts := s.absent("ada", "bob")
		s.write(proto.KindUser, back("ada", u["ada"]), gone("bob", u["bob"], 12)) // her grace is over meanwhile
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Returned, callbacks.Returned)
		s.want(activity, "ada | active", "bob | active")
		s.wantDue(callbacks.Deactivate, day, "bob")
	},
	"AFailedAttemptAtSomebodyMissingWaits": func(s *suite) {
		u := s.hire("ada")
		s.write(proto.KindUser, missing("ada", u["ada"], 9))
		a := s.absent("ada")[0]
		later := day.Add(time.Minute)
		if err := s.Store.Fail(s.Context(), callbacks.Deactivate, a, "in the way", later); err != nil {
			s.Fatal(err)
		}
		s.absent()
		s.wantNext(callbacks.Deactivate, time.Time{})
		if next, err := s.Store.NextDue(s.Context(), callbacks.DueQuery{Callback: callbacks.Deactivate, Missing: true}); err != nil || !next.Equal(later) {
			s.Errorf("next due: %v, %v", next, err)
		}
		s.write(proto.KindUser, back("ada", u["ada"]))
		s.wantListed0()
	},
	"WhomAPersonActivatedAgainIsLeftAlone": func(s *suite) {
		u := s.hire("ada")
		accounts := s.leave(u, 9, "ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		s.DB.Exec("UPDATE auth_user SET is_active = TRUE")
		s.wantDue(callbacks.Deactivate, day)
		s.wantDue(callbacks.Delete, day)
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Returned) // a service that looked before
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Returned)
		s.want(activity, "ada | active")
	},
}
