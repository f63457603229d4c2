package storetest

import (
	"context"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

const month = 30 * 24 * time.Hour

// deleteLater deletes whom sync deactivated a month ago.
func (s *suite) deleteLater(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	return s.Store.Delete(ctx, accounts, month)
}

// wantDueLater compares who is due to be deleted after a month.
func (s *suite) wantDueLater(ids ...string) []callbacks.Account {
	s.Helper()
	due, err := s.Store.Due(s.Context(), callbacks.DueQuery{Callback: callbacks.Delete, After: month, Now: time.Now(), Limit: 1000})
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, a := range due {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, ids) {
		s.Errorf("due after a month: %v, want %v", got, ids)
	}
	return due
}

// longGone lets a user leave who was deactivated some time ago.
func (s *suite) longGone(pks map[string]string, id, by string, ago time.Duration) callbacks.Account {
	s.Helper()
	c := gone(id, pks[id], 9)
	c.Link.DeactivatedBy, c.Link.DeactivatedAt = by, time.Now().Add(-ago)
	if by == "rule" {
		c.Link.DeactivatedBy, c.Link.ActiveWritten = "other", no()
	}
	s.write(proto.KindUser, c)
	return callbacks.Account{Key: callbacks.Key{Source: source, ID: id}, PK: pks[id], GoneSequence: 9}
}

var laterCases = map[string]func(*suite){
	"DeleteWaitsForAMonthOfDeactivation": func(s *suite) {
		names := []string{"active", "byhand", "fresh", "never", "old", "restored", "rule"}
		u := s.hire(names...)
		var accounts []callbacks.Account
		for _, name := range names {
			by, ago := "sync", 2*month
			switch name {
			case "byhand":
				by = "other"
			case "fresh":
				ago = month - time.Hour
			case "never":
				by = ""
			case "restored", "rule":
				by = name
			}
			accounts = append(accounts, s.longGone(u, name, by, ago))
		}
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE WHERE username <> 'active'")
		s.wantDueLater("old", "rule")
		r, x := callbacks.Returned, callbacks.Removed
		s.wantOutcomes(s.deleteLater, accounts, r, r, r, r, x, r, x)
		s.want("SELECT username FROM auth_user ORDER BY username", "active", "byhand", "fresh", "never", "restored")
	},
	"WhoBecameActiveMeanwhileIsNotDeleted": func(s *suite) {
		u := s.hire("ada", "bob")
		s.longGone(u, "ada", "sync", 2*month)
		s.longGone(u, "bob", "sync", 2*month)
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE")
		due := s.wantDueLater("ada", "bob")
		s.DB.Exec("UPDATE auth_user SET is_active = TRUE WHERE username = 'ada'")
		s.wantOutcomes(s.deleteLater, due, callbacks.Returned, callbacks.Removed)
		s.wantDueLater()
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Gone || l.PK != u["ada"] {
			s.Errorf("link: %+v", l)
		}
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE")
		s.wantDueLater("ada")
	},
	"ARetryOfWhoBecameActiveIsSettled": func(s *suite) {
		u := s.hire("ada")
		a := s.longGone(u, "ada", "sync", 2*month)
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE")
		q := callbacks.DueQuery{Callback: callbacks.Delete, After: month}
		if err := s.Store.Fail(s.Context(), callbacks.Delete, a, "in the way", day); err != nil {
			s.Fatal(err)
		}
		if next, err := s.Store.NextDue(s.Context(), q); err != nil || !next.Equal(day) {
			s.Errorf("next: %v, %v", next, err)
		}
		s.DB.Exec("UPDATE auth_user SET is_active = TRUE") // she is tried once more, and then it's over
		s.wantOutcomes(s.deleteLater, s.wantDueLater("ada"), callbacks.Returned)
		s.wantDueLater()
		s.wantListed0()
		if next, err := s.Store.NextDue(s.Context(), q); err != nil || !next.IsZero() {
			s.Errorf("next: %v, %v", next, err)
		}
	},
	"AFailedDeactivationThatAPersonDidIsSettled": func(s *suite) {
		u := s.hire("ada", "bob")
		accounts := s.leave(u, 9, "ada", "bob")
		s.fail(callbacks.Deactivate, "ada", day)
		s.fail(callbacks.Deactivate, "bob", day)
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE WHERE username = 'ada'")
		// Another service did it, and a person activated him again.
		c := gone("bob", u["bob"], 9)
		c.Link.DeactivatedBy, c.Link.DeactivatedAt = "sync", day
		s.write(proto.KindUser, c)
		s.wantDue(callbacks.Deactivate, day, "ada", "bob")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Inactive, callbacks.Returned)
		s.wantDue(callbacks.Deactivate, day)
		s.wantListed0()
	},
	"DeactivationIsTimedByTheDatabase": func(s *suite) {
		u := s.hire("ada")
		s.wantOutcomes(s.Store.Deactivate, s.leave(u, 9, "ada"), callbacks.Deactivated)
		if at := s.links(proto.KindUser, "ada")["ada"].DeactivatedAt; time.Since(at).Abs() > time.Hour {
			s.Errorf("deactivated at %s", at)
		}
		s.wantDueLater()
		due, err := s.Store.Due(s.Context(), callbacks.DueQuery{Callback: callbacks.Delete, After: time.Microsecond, Now: day, Limit: 10})
		if err != nil || len(due) != 1 {
			s.Errorf("%+v, %v", due, err)
		}
	},
}
