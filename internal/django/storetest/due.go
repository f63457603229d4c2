package storetest

import (
	"fmt"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// gone is the change of a user who left at a sequence.
func gone(id, pk string, seq uint64) applier.Change {
	l := link(proto.KindUser, id, pk, id)
	l.State, l.GoneSequence, l.GoneReason = applier.Gone, seq, "not found"
	return applier.Change{Action: applier.Remove, Source: source, ID: id, PK: pk, Link: l}
}

// back is the change of a user who returned.
func back(id, pk string) applier.Change { return touch(link(proto.KindUser, id, pk, id)) }

// leave lets users that hire made leave at a sequence, and returns them as Due gives them.
func (s *suite) leave(pks map[string]string, seq uint64, ids ...string) []callbacks.Account {
	s.Helper()
	var changes []applier.Change
	for _, id := range ids {
		changes = append(changes, gone(id, pks[id], seq))
	}
	s.write(proto.KindUser, changes...)
	var accounts []callbacks.Account
	for _, a := range s.dueAccounts(callbacks.Delete, day) {
		if slices.Contains(ids, a.ID) {
			accounts = append(accounts, a)
		}
	}
	if len(accounts) != len(ids) {
		s.Fatalf("%v left, due: %v", ids, accounts)
	}
	return accounts
}

func (s *suite) dueAccounts(callback string, now time.Time) []callbacks.Account {
	s.Helper()
	due, err := s.Store.Due(s.Context(), callbacks.DueQuery{Callback: callback, Now: now, Limit: 1000})
	if err != nil {
		s.Fatal(err)
	}
	return due
}

// due are the ids of accounts that are due.
func (s *suite) due(callback string, now time.Time) []string {
	s.Helper()
	ids := []string{}
	for _, a := range s.dueAccounts(callback, now) {
		ids = append(ids, a.ID)
	}
	return ids
}

func (s *suite) wantDue(callback string, now time.Time, ids ...string) {
	s.Helper()
	if got := s.due(callback, now); !slices.Equal(got, ids) {
		s.Errorf("due for %s at %s: %v, want %v", callback, now.Format(time.TimeOnly), got, ids)
	}
}

// fail notes a failure for an account that is due.
func (s *suite) fail(callback, id string, next time.Time) {
	s.Helper()
	for _, a := range s.dueAccounts(callback, day.AddDate(10, 0, 0)) {
		if a.ID == id {
			if err := s.Store.Fail(s.Context(), callback, a, "in the way", next); err != nil {
				s.Fatal(err)
			}
			return
		}
	}
	s.Fatalf("%s isn't due for %s", id, callback)
}

func (s *suite) wantNext(callback string, want time.Time) {
	s.Helper()
	if got, err := s.Store.NextDue(s.Context(), callbacks.DueQuery{Callback: callback}); err != nil || !got.Equal(want) {
		s.Errorf("next due for %s: %v, %v; want %v", callback, got, err, want)
	}
}

var dueCases = map[string]func(*suite){
	"WhoIsGoneIsDue": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.DB.Exec("UPDATE auth_user SET username = 'Lovelace' WHERE username = 'ada'")
		accounts := s.leave(u, 9, "ada", "bob")
		want := callbacks.Account{
			Key: callbacks.Key{Source: source, ID: "ada"}, PK: u["ada"], DN: "cn=ada,dc=example", Username: "Lovelace", GoneSequence: 9, Reason: "not found",
		}
		if accounts[0] != want {
			s.Errorf("due: %+v, want %+v", accounts[0], want)
		}
		s.wantDue(callbacks.Deactivate, day, "ada", "bob")
		s.wantDue(callbacks.Delete, day, "ada", "bob")
	},
	"GroupsAreNotDue": func(s *suite) {
		g := s.found("x")
		s.write(proto.KindGroup, leaveGroup("x", g["x"], false))
		s.wantDue(callbacks.Deactivate, day)
	},
	"DueComesInPagesInOrder": func(s *suite) {
		var changes []applier.Change
		for i := range 10 {
			c := gone(fmt.Sprintf("id%d", 9-i), fmt.Sprint(1000+i), 9)
			if i%2 == 0 {
				c.Source, c.Link.Source = "lab", "lab"
			}
			changes = append(changes, c)
		}
		s.write(proto.KindUser, changes...)
		var got []string
		for after := (callbacks.Key{}); ; {
			page, err := s.Store.Due(s.Context(), callbacks.DueQuery{Callback: callbacks.Deactivate, Now: day, Behind: after, Limit: 3})
			if err != nil {
				s.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if len(page) > 3 {
				s.Fatalf("a page of %d", len(page))
			}
			for _, a := range page {
				got = append(got, a.Source+" "+a.ID)
			}
			after = page[len(page)-1].Key
		}
		if want := "[corp id0 corp id2 corp id4 corp id6 corp id8 lab id1 lab id3 lab id5 lab id7 lab id9]"; fmt.Sprint(got) != want {
			s.Errorf("due: %v", got)
		}
	},
	"ARowDeletedByHandIsDueWithoutAName": func(s *suite) {
		u := s.hire("ada")
		s.DB.Exec("DELETE FROM auth_user")
		if a := s.leave(u, 9, "ada")[0]; a.Username != "" || a.PK != u["ada"] {
			s.Errorf("due: %+v", a)
		}
	},
	"WhoFailedIsDueWhenItsLetterSays": func(s *suite) {
		u := s.hire("ada", "bob")
		s.leave(u, 9, "ada", "bob")
		s.wantNext(callbacks.Deactivate, time.Time{})
		later, latest := day.Add(time.Minute), day.Add(time.Hour)
		s.fail(callbacks.Deactivate, "ada", later)
		s.wantDue(callbacks.Deactivate, day, "bob")
		s.wantDue(callbacks.Deactivate, later, "ada", "bob")
		s.wantDue(callbacks.Delete, day, "ada", "bob")
		s.wantNext(callbacks.Delete, time.Time{})
		s.fail(callbacks.Deactivate, "ada", latest)
		s.fail(callbacks.Deactivate, "bob", later)
		s.wantNext(callbacks.Deactivate, later)
		due := s.dueAccounts(callbacks.Deactivate, latest)
		if len(due) != 2 || due[0].Attempts != 2 || due[1].Attempts != 1 {
			s.Errorf("due: %+v", due)
		}
		if _, err := s.Store.Deactivate(s.Context(), due[1:]); err != nil {
			s.Fatal(err)
		}
		s.wantNext(callbacks.Deactivate, latest)
		if _, err := s.Store.Deactivate(s.Context(), due); err != nil {
			s.Fatal(err)
		}
		s.wantNext(callbacks.Deactivate, time.Time{})
		s.wantListed0()
	},
	"WhoReturnedIsNotDue": func(s *suite) {
		u := s.hire("ada")
		s.leave(u, 9, "ada")
		s.fail(callbacks.Deactivate, "ada", day.Add(time.Hour))
		s.write(proto.KindUser, back("ada", u["ada"]))
		s.wantDue(callbacks.Deactivate, day.Add(2*time.Hour))
		s.wantNext(callbacks.Deactivate, time.Time{})
		// Gone again, the earlier failures count for nothing.
		a := s.leave(u, 19, "ada")[0]
		s.wantDue(callbacks.Deactivate, day, "ada")
		if a.GoneSequence != 19 || a.Attempts != 0 {
			s.Errorf("due: %+v", a)
		}
	},
}
