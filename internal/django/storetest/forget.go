package storetest

import (
	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

func (s *suite) wantForgotten(id string, want django.Forgotten) {
	s.Helper()
	if got, err := s.Store.Forget(s.Context(), source, id); err != nil || got != want {
		s.Errorf("forgotten of %s: %+v, %v; want %+v", id, got, err, want)
	}
}

var forgetCases = map[string]func(*suite){
	"WhoIsForgottenLeavesNoRowOfOurs": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.move("ada", u["ada"], nil, nil, []string{"later"})
		s.move("bob", u["bob"], nil, nil, []string{"later"})
		accounts := s.leave(u, 9, "ada")
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Removed)
		lab := letter("ada", "x", false)
		lab.Source = "lab"
		group := letter("ada", "x", false)
		group.Kind = proto.KindGroup
		s.post(letter("ada", "x", true), letter("bob", "x", true), lab, group)
		s.wantForgotten("ada", django.Forgotten{Letters: 1, Link: true})
		s.wantForgotten("ada", django.Forgotten{})
		s.wantForgotten("nobody", django.Forgotten{})
		if l, there := s.links(proto.KindUser, "ada", "bob")["ada"]; there {
			s.Errorf("the tombstone: %+v", l)
		}
		s.wantLetters(applier.LetterQuery{All: true}, "bob")
		s.wantLetters(applier.LetterQuery{Kind: proto.KindGroup, All: true}, "ada")
		s.wantLetters(applier.LetterQuery{Source: "lab", All: true}, "ada")
		s.found("later") // bob joins it: nothing else of what waits went
		s.want(memberships, "bob | later")
		s.want("SELECT username FROM auth_user ORDER BY username", "bob", "eve")
		pk := s.write(proto.KindUser, s.create(proto.KindUser, "ada", "ada", nil))[0].PK // she may return
		if l := s.links(proto.KindUser, "ada")["ada"]; l.State != applier.Present || l.PK != pk {
			s.Errorf("returned: %+v", l)
		}
	},
	"WhoseRowIsThereKeepsHerLink": func(s *suite) {
		u := s.hire("ada", "bob", "eve")
		s.leave(u, 9, "ada", "eve")
		s.post(letter("ada", "x", true))
		s.fail(callbacks.Delete, "ada", day)
		s.fail(callbacks.Delete, "eve", day)
		s.wantForgotten("ada", django.Forgotten{Letters: 1})
		s.wantListed(django.LetterFilter{ID: "ada"}, 0, "delete ada")
		s.wantForgotten("bob", django.Forgotten{}) // who is present is none of this
		if l := s.links(proto.KindUser, "ada", "bob"); l["ada"].State != applier.Gone || l["ada"].DN == "" || l["bob"].State != applier.Present {
			s.Errorf("links: %+v", l)
		}
		s.DB.Exec("DELETE FROM auth_user WHERE username IN ('eve', 'bob')") // the application did
		s.wantForgotten("eve", django.Forgotten{Letters: 1, Link: true})
		s.wantForgotten("bob", django.Forgotten{})
		if l := s.links(proto.KindUser, "bob", "eve"); len(l) != 1 || l["bob"].PK != u["bob"] {
			s.Errorf("links: %+v", l)
		}
	},
	"WhatWaitsToBeToldIsForgotten": func(s *suite) {
		tell := func(source string, ids ...string) {
			b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: source, By: "apply"}, Time: day}
			for _, id := range ids {
				b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: id})
			}
			s.update(func(tx applier.Tx) error { return tx.PutOutcomes(s.Context(), b.Messages()) })
		}
		tell(source, "ada")
		tell(source, "bob", "ada", "adam")
		tell(source, "adam")
		tell("lab", "ada")
		waiting := func(id string, want int) {
			s.Helper()
			if rows, err := s.Store.OutboxOf(s.Context(), source, id); err != nil || len(rows) != want {
				s.Errorf("%d messages tell of %s, want %d; %v", len(rows), id, want, err)
			}
		}
		waiting("ada", 2)
		waiting("adam", 2)
		waiting("nobody", 0)
		for _, want := range []int64{2, 0} {
			if n, err := s.Store.ForgetOutbox(s.Context(), source, "ada"); n != want || err != nil {
				s.Errorf("forgotten in %d messages, want %d; %v", n, want, err)
			}
		}
		waiting("ada", 0)
		waiting("adam", 2)
		rows, err := s.Store.Outbox(s.Context(), 10)
		if err != nil || len(rows) != 3 || len(rows[0].Outcomes.GetOutcomes()) != 2 || rows[0].Outcomes.GetId() == "" || rows[2].Outcomes.GetSource() != "lab" {
			s.Errorf("%v, %v", rows, err)
		}
	},
}
