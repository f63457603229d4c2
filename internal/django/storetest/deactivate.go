package storetest

import (
	"context"
	"fmt"
	"strings"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// acting is Deactivate, Delete or Restore.
type acting = func(context.Context, []callbacks.Account) ([]callbacks.Result, error)

// wantOutcomes calls one of them, and compares the outcomes, in order. It returns the reasons.
func (s *suite) wantOutcomes(do acting, accounts []callbacks.Account,
	want ...callbacks.Outcome) []string {
	s.Helper()
	results, err := do(s.Context(), accounts)
	if err != nil {
		s.Fatal(err)
	}
	byKey := map[callbacks.Key]callbacks.Result{}
	for _, r := range results {
		byKey[r.Key] = r
	}
	var got []callbacks.Outcome
	var reasons []string
	for _, a := range accounts {
		r := byKey[a.Key]
		got, reasons = append(got, r.Outcome), append(reasons, r.Reason)
		if (r.Outcome == callbacks.Refused) != (r.Reason != "") && r.Outcome != callbacks.Returned || strings.Contains(r.Reason, "\n") {
			s.Errorf("%s: reason %q", r.Outcome, r.Reason)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(results) != len(accounts) {
		s.Errorf("outcomes: %v (%q), want %v", got, reasons, want)
	}
	return reasons
}

// deleteNow is Delete of whoever is gone.
func (s *suite) deleteNow(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	return s.Store.Delete(ctx, accounts, 0)
}

// wantListed0 wants no letter at all.
func (s *suite) wantListed0() {
	s.Helper()
	if list, err := s.Store.Letters(s.Context(), django.LetterFilter{}, 0); err != nil || len(list) != 0 {
		s.Errorf("letters: %+v, %v", list, err)
	}
}

const activity = "SELECT username, CASE WHEN is_active THEN 'active' ELSE 'inactive' END FROM auth_user ORDER BY username"

var deactivateCases = map[string]func(*suite){
	"DeactivateSwitchesOff": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE, first_name = 'kept' WHERE username = 'bob'")
		accounts := s.leave(u, 9, "ada", "bob")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Inactive)
		s.want(activity, "ada | inactive", "bob | inactive", "eve | active")
		links := s.links(proto.KindUser, "ada", "bob")
		if l := links["ada"]; l.DeactivatedBy != "sync" || l.DeactivatedAt.IsZero() || l.State != applier.Gone || l.PK != u["ada"] {
			s.Errorf("ada's link: %+v", l)
		}
		if l := links["bob"]; l.DeactivatedBy != "other" {
			s.Errorf("bob's link: %+v", l)
		}
		s.wantDue(callbacks.Deactivate, day)
		s.wantDue(callbacks.Delete, day, "ada", "bob")
	},
	"DeactivateAgainKeepsWhoDidIt": func(s *suite) {
		u := s.hire("ada")
		accounts := s.leave(u, 9, "ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Inactive)
		if l := s.links(proto.KindUser, "ada")["ada"]; l.DeactivatedBy != "sync" {
			s.Errorf("link: %+v", l)
		}
	},
	"WhoReturnedIsNotTouched": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		accounts := s.leave(u, 9, "ada", "bob", "eve")
		s.write(proto.KindUser, back("ada", u["ada"]), gone("bob", u["bob"], 19))
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Returned, callbacks.Returned, callbacks.Deactivated)
		s.want(activity, "ada | active", "bob | active", "eve | inactive")
		s.wantDue(callbacks.Deactivate, day, "bob")
		s.wantOutcomes(s.deleteNow, accounts[:2], callbacks.Returned, callbacks.Returned)
		s.want("SELECT count(*) FROM auth_user", "3")
	},
	"WhoIsGoneAgainIsDueAgain": func(s *suite) {
		u := s.hire("ada")
		s.wantOutcomes(s.Store.Deactivate, s.leave(u, 9, "ada"), callbacks.Deactivated)
		s.write(proto.KindUser, back("ada", u["ada"]))
		s.DB.Exec("UPDATE auth_user SET is_active = TRUE")
		accounts := s.leave(u, 19, "ada")
		s.wantDue(callbacks.Deactivate, day, "ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		s.want(activity, "ada | inactive")
	},
	"ARowThatBelongsToAnotherLinkIsNotTouched": func(s *suite) {
		u := s.hire("ada")
		accounts := s.leave(u, 9, "ada")
		l := link(proto.KindUser, "ada2", u["ada"], "ada")
		l.How = applier.Relinked
		s.write(proto.KindUser, touch(l))
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Returned)
		s.want(activity, "ada | active")
		s.wantDue(callbacks.Deactivate, day)
		if l := s.links(proto.KindUser, "ada2")["ada2"]; l.State != applier.Present || l.PK != u["ada"] {
			s.Errorf("the new owner's link: %+v", l)
		}
	},
	"ARowDeletedByHandVanished": func(s *suite) {
		u := s.hire("ada", "bob")
		accounts := s.leave(u, 9, "ada", "bob")
		s.DB.Exec("DELETE FROM auth_user")
		s.wantOutcomes(s.Store.Deactivate, accounts[:1], callbacks.Vanished)
		s.wantOutcomes(s.deleteNow, accounts[1:], callbacks.Vanished)
		s.wantDue(callbacks.Deactivate, day)
		s.wantDue(callbacks.Delete, day)
	},
	"TheLastActiveSuperuserStays": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.byHand("idle", true, false)
		s.DB.Exec("UPDATE auth_user SET is_superuser = TRUE WHERE username IN ('ada', 'bob')")
		accounts := s.leave(u, 9, "ada", "bob", "eve")
		reasons := s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Refused, callbacks.Deactivated)
		if !strings.Contains(reasons[1], "superuser") {
			s.Errorf("reason: %q", reasons[1])
		}
		s.want(activity, "ada | inactive", "bob | active", "eve | inactive", "idle | inactive")
		s.wantDue(callbacks.Deactivate, day, "bob")
		s.byHand("root", true, true)
		s.wantOutcomes(s.Store.Deactivate, accounts[1:2], callbacks.Deactivated)
	},
}
