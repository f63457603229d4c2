package storetest

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/proto"
)

// heldRows are what the store holds, by both ways to ask.
func (s *suite) heldRows() []applier.Held {
	s.Helper()
	rows, err := s.Store.HeldRows(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.update(func(tx applier.Tx) error {
		within, err := tx.HeldRows(s.Context())
		if !reflect.DeepEqual(within, rows) {
			s.Errorf("a transaction sees %+v, others %+v", within, rows)
		}
		return err
	})
	return rows
}

func (s *suite) put(h ...applier.Held) {
	s.Helper()
	s.update(func(tx applier.Tx) error {
		for _, h := range h {
			if err := tx.PutHeld(s.Context(), h); err != nil {
				return err
			}
		}
		return nil
	})
}

var heldCases = map[string]func(*suite){
	"WhatIsHeldComesBackWhole": func(s *suite) {
		h := applier.Held{Source: source, Change: applier.ChangeOrphans, Hash: strings.Repeat("a", 32), Count: 2, Of: 9, Reason: "more than 1", Since: day,
			Entries: []byte{0, 255, 1}}
		later := h
		later.Hash, later.Since, later.Decision, later.By, later.At, later.Why = "b", day.AddDate(0, 0, 1), applier.Rejected, "grace", day, "no"
		s.put(later, h)
		if got := s.heldRows(); !reflect.DeepEqual(got, []applier.Held{h, later}) {
			s.Errorf("\n got %+v\nwant %+v", got, []applier.Held{h, later})
		}
		h.Count, h.Entries = 3, []byte("other")
		s.put(h)
		s.update(func(tx applier.Tx) error { return tx.DropHeld(s.Context(), later) })
		if got := s.heldRows(); !reflect.DeepEqual(got, []applier.Held{h}) {
			s.Errorf("%+v", got)
		}
	},
	"WhatIsHeldWithoutATimeIsHeldSinceNow": func(s *suite) {
		s.put(applier.Held{Source: source, Change: applier.ChangeOrphans, Hash: "a", Entries: []byte{}})
		if got := s.heldRows()[0].Since; time.Since(got).Abs() > time.Hour {
			s.Errorf("since %s", got)
		}
	},
	"PeopleDecide": func(s *suite) {
		s.put(applier.Held{Source: source, Change: applier.ChangeOrphans, Hash: "aa", Entries: []byte{1}}, applier.Held{Source: source, Change: "x", Hash: "bb", Entries: []byte{}})
		found, err := s.Store.DecideHeld(s.Context(), "aa", applier.Approved, "grace", "they left")
		if err != nil || !found {
			s.Fatalf("%v, %v", found, err)
		}
		rows := s.heldRows()
		h := rows[slices.IndexFunc(rows, func(h applier.Held) bool { return h.Hash == "aa" })]
		if h.Decision != applier.Approved || h.By != "grace" || h.Why != "they left" || time.Since(h.At).Abs() > time.Hour {
			s.Errorf("%+v", h)
		}
		if found, err := s.Store.DecideHeld(s.Context(), "a", applier.Rejected, "grace", ""); err != nil || found {
			s.Errorf("%v, %v", found, err)
		}
		broken := errors.New("broken")
		err = s.Store.Update(s.Context(), func(tx applier.Tx) error {
			return errors.Join(tx.DropHeld(s.Context(), h), broken)
		})
		if !errors.Is(err, broken) || len(s.heldRows()) != 2 {
			s.Errorf("%v; %+v", err, s.heldRows())
		}
	},
	"SourcesAreComplete": func(s *suite) {
		complete := func(want ...string) {
			s.Helper()
			s.view(func(r applier.Reader) error {
				got, err := r.Complete(s.Context())
				if !slices.Equal(got, want) {
					s.Errorf("complete: %v, want %v", got, want)
				}
				return err
			})
		}
		set := func(source string) {
			s.Helper()
			s.update(func(tx applier.Tx) error { return tx.SetComplete(s.Context(), source) })
		}
		set(source) // before its first checkpoint that means nothing
		complete()
		p, next, lab := at(1), at(2), at(1)
		lab.Source = "lab"
		for _, err := range []error{s.advance(s.Store, nil, p), s.advance(s.Store, nil, lab)} {
			if err != nil {
				s.Fatal(err)
			}
		}
		set("lab")
		complete("lab")
		set(source)
		if err := s.advance(s.Store, &p, next); err != nil {
			s.Fatal(err)
		}
		complete(source, "lab")
		other := next
		other.StreamID = "s2"
		if err := s.advance(s.Store, &next, other); err != nil {
			s.Fatal(err)
		}
		complete("lab") // another stream's snapshots are to come yet
	},
	"AccountsWithoutLinksAreListed": func(s *suite) {
		u := s.hire("ada", "bob")
		root := s.byHand("root", true, true)
		zed := s.byHand("Zed", false, false)
		s.DB.Exec("UPDATE auth_user SET is_staff = TRUE WHERE username = 'Zed'")
		s.write(proto.KindUser, gone("bob", u["bob"], 9))
		// A group of the same key is nobody's link.
		s.write(proto.KindGroup, touch(link(proto.KindGroup, "g", zed, "g")))
		s.view(func(r applier.Reader) error {
			rows, all, err := r.ListUnlinked(s.Context())
			want := []applier.Row{{PK: root, Name: "root", Privileged: true, Superuser: true}, {PK: zed, Name: "Zed", Privileged: true}}
			if all != 4 || !reflect.DeepEqual(rows, want) {
				s.Errorf("%+v of %d, want %+v", rows, all, want)
			}
			return err
		})
	},
}
