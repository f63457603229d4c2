package storetest

import (
	"fmt"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// orphans returns the accounts that no entry stands behind.
func (s *suite) orphans(store Store) []django.Orphan {
	s.Helper()
	var list []django.Orphan
	for o, err := range store.Orphans(s.Context()) {
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

func (s *suite) orphan(username string) django.Orphan {
	s.Helper()
	list := s.orphans(s.Store)
	i := slices.IndexFunc(list, func(o django.Orphan) bool { return o.Username == username })
	if i < 0 {
		s.Fatalf("%s is no orphan of %+v", username, list)
	}
	return list[i]
}

var peopleCases = map[string]func(*suite){
	"OrphansAreListed": func(s *suite) {
		u := s.hire("ada", "bob", "eve", "kim")
		s.byHand("root", true, true)
		s.DB.Exec("UPDATE auth_user SET is_staff = TRUE, last_login = '2026-01-02 03:04:05' WHERE username = 'root'")
		s.byHand("idle", false, false)
		s.write(proto.KindUser, gone("bob", u["bob"], 9), missing("eve", u["eve"], 10))
		l := link(proto.KindUser, "kim2", u["kim"], "kim")
		l.Source = "lab"
		s.write(proto.KindUser, gone("kim", u["kim"], 11), touch(l)) // another source has her still
		var got []string
		for _, o := range s.orphans(s.Store) {
			got = append(got, fmt.Sprintf("%s %v %v %v %q %q %s", o.Username, o.Active, o.Staff, o.Superuser, o.State, o.Reason, o.ID))
			if (o.State != "") == o.Since.IsZero() || o.PK == "" || o.DateJoined.IsZero() {
				s.Errorf("%+v", o)
			}
		}
		want := []string{`bob true false false "gone" "not found" bob`, `eve true false false "missing" "not found" eve`, `idle false false false "" "" `,
			`root true true true "" "" `}
		if !slices.Equal(got, want) {
			s.Errorf("orphans: %q, want %q", got, want)
		}
		root := s.orphan("root")
		if !root.LastLogin.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || !root.DateJoined.Equal(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)) {
			s.Errorf("%+v", root)
		}
		later := gone("zz", u["bob"], 12)
		later.Link.GoneReason = "gone there, too"
		s.write(proto.KindUser, later)
		if bob := s.orphan("bob"); bob.ID != "zz" || bob.Reason != "gone there, too" {
			s.Errorf("of two sources' links the later one tells why: %+v", bob)
		}
		s.write(proto.KindUser, applier.Change{Action: applier.Touch, Source: source, ID: "zz", Link: link(proto.KindUser, "zz", "", "zz")})
		for range s.Store.Orphans(s.Context()) {
			break // whoever has seen enough stops
		}
		if bob := s.orphan("bob"); bob.DN != "cn=bob,dc=example" || bob.Source != source || !bob.LastLogin.IsZero() {
			s.Errorf("%+v", bob)
		}
	},
	"ProfilesAreRead": func(s *suite) {
		u, g := s.hire("ada", "bob", "eve"), s.found("x", "y")
		s.move("ada", u["ada"], []string{g["x"]}, nil, nil)
		s.joinByHand("ada", "y")
		s.DB.Exec("UPDATE auth_user SET is_superuser = TRUE, last_login = '2026-01-02 03:04:05' WHERE username = 'ada'")
		s.DB.Exec("UPDATE auth_user SET is_active = FALSE WHERE username = 'bob'")
		s.DB.Exec("DELETE FROM auth_user WHERE username = 'eve'")
		got, err := s.Store.Profiles(s.Context(), source, proto.KindUser, []string{"bob", "ada", "eve", "nobody", "ada"})
		if err != nil || len(got) != 2 {
			s.Fatalf("%+v, %v", got, err)
		}
		if a := got[0]; a.ID != "ada" || a.PK != u["ada"] || a.Username != "ada" || !a.Superuser || a.Staff || !a.Active || !slices.Equal(a.Groups, []string{"x", "y"}) ||
			!a.LastLogin.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
			s.Errorf("%+v", a)
		}
		if b := got[1]; b.ID != "bob" || b.Active || len(b.Groups) != 0 || !b.LastLogin.IsZero() {
			s.Errorf("%+v", b)
		}
		got, err = s.Store.Profiles(s.Context(), source, proto.KindGroup, []string{"y"})
		if err != nil || len(got) != 1 || got[0].Username != "y" || got[0].PK != g["y"] || got[0].ID != "y" {
			s.Errorf("%+v, %v", got, err)
		}
		for _, groups := range []django.Groups{{Skip: true}, {}, {Skip: true, Membership: true}} { // people read them, whatever sync does with them
			got, err = s.openWith(django.Settings{Groups: groups}).Profiles(s.Context(), source, proto.KindUser, []string{"ada"})
			if err != nil || len(got) != 1 || !slices.Equal(got[0].Groups, []string{"x", "y"}) {
				s.Errorf("%+v: %+v, %v", groups, got, err)
			}
		}
		if got, err = s.Store.Profiles(s.Context(), "lab", proto.KindUser, []string{"ada"}); err != nil || len(got) != 0 {
			s.Errorf("%+v, %v", got, err)
		}
	},
}
