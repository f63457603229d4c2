package storetest

import (
	"fmt"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// telling opens the store with outcomes switched on.
func (s *suite) telling() {
	settings := Settings()
	settings.Outcomes = true
	s.Store = s.openWith(settings)
}

// wantOutbox compares what waits, as "type by person: ids", and empties the outbox.
func (s *suite) wantOutbox(want ...string) {
	s.Helper()
	rows, err := s.Store.Outbox(s.Context(), 100)
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		m := r.Outcomes
		line := fmt.Sprintf("%s %s %s:", m.GetType(), m.GetBy(), m.GetPerson())
		for _, o := range m.GetOutcomes() {
			line += " " + o.GetId()
		}
		got = append(got, line)
		if m.GetSource() != source || m.GetId() == "" || m.GetTime().AsTime().IsZero() {
			s.Errorf("%v", m)
		}
		if err := s.Store.DropOutbox(s.Context(), r); err != nil {
			s.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		s.Errorf("outbox: %q, want %q", got, want)
	}
}

var outcomeCases = map[string]func(*suite){
	"TheOutboxKeepsWhatWasCommittedInItsOrder": func(s *suite) {
		var messages []*proto.Outcomes
		for _, id := range []string{"c", "a", "b"} {
			b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: source, By: "apply", Sequence: 7}, Time: day}
			b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: id, Joined: []string{"1"}})
			messages = append(messages, b.Messages()...)
		}
		s.update(func(tx applier.Tx) error { return tx.PutOutcomes(s.Context(), messages[:2]) })
		s.update(func(tx applier.Tx) error { return tx.PutOutcomes(s.Context(), messages[2:]) })
		undone := fmt.Errorf("undone")
		if err := s.Store.Update(s.Context(), func(tx applier.Tx) error {
			if err := tx.PutOutcomes(s.Context(), messages); err != nil {
				return err
			}
			return undone
		}); err == nil {
			s.Error("committed")
		}
		rows, err := s.Store.Outbox(s.Context(), 2)
		if err != nil || len(rows) != 2 || proto.Size(rows[1].Outcomes) != proto.Size(messages[1]) || rows[1].Outcomes.GetId() != messages[1].GetId() {
			s.Errorf("%v, %v", rows, err)
		}
		s.wantOutbox("user.created apply : c", "user.created apply : a", "user.created apply : b")
		s.wantOutbox()
	},
	"WhoeverDropsWhatSomebodyElseHasDroppedLeavesTheNext": func(s *suite) {
		put := func(id string) proto.Unpublished {
			s.Helper()
			b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: source, By: "apply"}, Time: day}
			b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: id})
			s.update(func(tx applier.Tx) error { return tx.PutOutcomes(s.Context(), b.Messages()) })
			rows, err := s.Store.Outbox(s.Context(), 2)
			if err != nil || len(rows) != 1 {
				s.Fatalf("%v, %v", rows, err)
			}
			return rows[0]
		}
		drop := func(u proto.Unpublished) {
			s.Helper()
			if err := s.Store.DropOutbox(s.Context(), u); err != nil {
				s.Fatal(err)
			}
		}
		ada := put("ada")
		drop(ada)
		eve := put("eve") // its row may have the number that ada's had
		drop(ada)
		s.wantOutbox("user.created apply : eve")
		drop(eve)
	},
	"CallbacksTellWhatTheyDid": func(s *suite) {
		s.telling()
		u := s.hire("ada", "bob", "eve")
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE WHERE username = 'bob'")
		accounts := s.leave(u, 9, "ada", "bob")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated, callbacks.Inactive)
		s.wantOutbox("user.deactivated deactivate : ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Inactive, callbacks.Inactive)
		s.wantOutbox()
		s.wantOutcomes(s.restore, accounts, callbacks.Restored, callbacks.Refused)
		s.wantOutbox("user.restored restore grace: ada")
		accounts = s.leave(u, 10, "eve")
		s.fail(callbacks.Delete, "eve", day)
		s.fail(callbacks.Delete, "eve", day.Add(time.Hour))
		s.wantOutbox("user.refused delete : eve")
		s.wantOutcomes(s.deleteNow, accounts, callbacks.Removed)
		s.wantOutbox("user.deleted delete : eve")
	},
	"CallbacksTellNothingUnlessTheyAreAsked": func(s *suite) {
		u := s.hire("ada")
		accounts := s.leave(u, 9, "ada")
		s.wantOutcomes(s.Store.Deactivate, accounts, callbacks.Deactivated)
		s.fail(callbacks.Delete, "ada", day)
		s.wantOutcomes(s.restore, accounts, callbacks.Restored)
		s.wantOutbox()
	},
}
