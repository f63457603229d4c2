package extractor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// administered is a company with four administrators, the first ones, who are staff, and one more who is only that.
func administered(t *testing.T) *env {
	t.Helper()
	e := newEnv(t)
	e.cfg.Limits, e.cfg.Flags = extractor.DefaultLimits(), flags()
	e.hire(uids(0, 200)...)
	e.setAll("role", "super", uids(0, 4))
	e.setAll("role", "staff", uids(4, 5))
	e.pass()
	return e
}

// Three users are few, three administrators aren't.
func TestAdministratorsWhoVanishAreHeld(t *testing.T) {
	want := []string{"user staff: 3 of 5", "user superuser: 3 of 4"}
	for _, grace := range []time.Duration{0, time.Hour} {
		e := administered(t)
		e.cfg.Grace = grace
		e.leaveAll(uids(0, 3))
		e.leaveAll(uids(100, 102)) // within all limits
		preview, err := e.extractor().Preview(t.Context(), false, func(proto.Event) error { return nil })
		if err != nil || len(preview.Held) != 2 || preview.Users.Held != 3 {
			t.Errorf("%+v, %v", preview, err)
		}
		_, before, _ := e.log.Bounds(t.Context())
		s := e.pass()
		e.wantHeld(s, want...)
		if grace == 0 {
			e.wantPublished(before, removed(uids(100, 102))...)
		} else {
			e.wantPublished(before, "missing id-u100", "missing id-u101")
		}
		e.wantLosses("user removed: 2")
		held, err := extractor.ReadHeld(t.Context(), e.log)
		if err != nil {
			t.Fatal(err)
		}
		var who []string
		for entry, err := range held.Entries(t.Context(), s.Held[1].Hash) {
			if err != nil || entry.Digest != (proto.Digest{}) || !entry.User.GetSuperuser() {
				t.Errorf("%+v, %v", entry, err)
			}
			who = append(who, entry.User.GetId())
		}
		if slices.Sort(who); !slices.Equal(who, []string{"id-u000", "id-u001", "id-u002"}) {
			t.Errorf("%q", who)
		}
		e.cfg.Limits = extractor.Limits{} // held is held
		n := e.passWith(extractor.Options{Full: true})
		e.wantHeld(n, want...)
		if n.Held[0].Hash != s.Held[0].Hash || n.Users.Held != 3 {
			t.Errorf("%+v", n)
		}
		e.hire("u000") // as she was
		e.user("u000").Attributes = append(e.user("u000").Attributes, extractor.Attribute{Name: "role", Values: []string{"super"}})
		n = e.pass()
		e.wantHeld(n, "user staff: 2 of 5", "user superuser: 2 of 4")
		_, before, _ = e.log.Bounds(t.Context())
		e.wantHeld(e.approve(n.Held[0]))
		if grace == 0 {
			e.wantPublished(before, removed(uids(1, 3))...)
		} else {
			e.wantPublished(before, "missing id-u001", "missing id-u002")
		}
		e.wantLosses()
	}
}

// Those who lose the flag and those who go with it count together, also over a day, and when a pass is killed in between.
func TestAdministratorsAreCountedHoweverTheyAreLost(t *testing.T) {
	for n := range 3 {
		e := administered(t)
		killed := n == 1
		if n == 2 {
			e.cfg.Grace = time.Hour
		}
		e.leaveAll(uids(0, 1))
		if killed {
			e.kill(e.log, 3)
			s, err := e.extractor().Preview(t.Context(), false, func(proto.Event) error { return nil })
			if err != nil || len(s.Held) > 0 {
				t.Errorf("%+v, %v", s, err)
			}
		} else {
			e.wantHeld(e.pass())
			e.wantLosses("user removed: 1", "user staff: 1", "user superuser: 1")
		}
		e.leaveAll(uids(1, 2))
		e.set("u002", "role", "none")
		s := e.pass()
		e.wantHeld(s, "user staff: 2 of 4", "user superuser: 2 of 3")
		if want := "2 of 4, and 1 more in the last 24 hours: more than 2 and more than 1 %"; s.Held[0].Reason != want {
			t.Errorf("%q, wanted %q", s.Held[0].Reason, want)
		}
		if killed {
			if got := e.losses(proto.TypeSnapshotAborted); !slices.Equal(got, []string{"user removed: 1", "user staff: 1", "user superuser: 1"}) {
				t.Errorf("%q", got)
			}
		}
	}
}

// An approval of administrators who were to lose the flag isn't one of their removal, nor the other way round.
func TestGoneAndDemotedAreNotTheSame(t *testing.T) {
	e := administered(t)
	e.leaveAll(uids(0, 2))
	e.setAll("role", "none", uids(2, 4))
	s := e.pass()
	e.wantHeld(s, "user staff: 4 of 5", "user superuser: 4 of 4")
	shown := s.Held[0]
	r := e.user("u002")
	e.hire("u000")
	e.set("u000", "role", "none") // back, as nobody
	e.users = slices.DeleteFunc(e.users, func(u extractor.Record) bool { return u.ID == r.ID })
	n := e.approve(shown)
	if d := n.Decided[0]; d.Entries != 2 || !strings.HasPrefix(d.Note, "2 of 4 have changed") {
		t.Errorf("%+v", d)
	}
	e.wantHeld(n, "user staff: 2 of 5", "user superuser: 2 of 4")
	if n.Users.Removed != 1 || n.Users.Changed != 1 {
		t.Errorf("%+v", n.Users)
	}
}

func TestRejectedAdministratorsStay(t *testing.T) {
	e := administered(t)
	e.leaveAll(uids(0, 3))
	s := e.reject(e.pass().Held[1])
	want := []string{"user staff: 3 of 5", "user superuser: 3 of 4, rejected"}
	e.wantHeld(s, want...)
	_, before, _ := e.log.Bounds(t.Context())
	e.wantHeld(e.pass(), want...)
	everybody := e.users
	e.users = nil
	s = e.pass() // those who are rejected aren't forgotten, whatever else is held
	if !slices.ContainsFunc(s.Held, func(h extractor.Hold) bool { return h.Rejected && h.Change == proto.ChangeSuperuser && h.Count == 3 }) {
		t.Errorf("%+v", s.Held)
	}
	e.users = everybody
	e.wantHeld(e.pass(), append([]string{"user removed: 3 of 200"}, want...)...) // held is held
	e.wantPublished(before)
}

// Who is back, but can't be read, isn't gone any more.
func TestAdministratorsWhoAreBackUnreadable(t *testing.T) {
	e := administered(t)
	was := slices.Clone(e.users)
	e.leaveAll(uids(0, 3))
	e.wantHeld(e.pass(), "user staff: 3 of 5", "user superuser: 3 of 4")
	e.users = was
	e.set("u000", "uid", " ")
	e.wantHeld(e.pass())
}

func TestNoAdministratorIsRemovedWhileEntriesHaveNoID(t *testing.T) {
	e := administered(t)
	e.leaveAll(uids(0, 3))
	s := e.pass()
	r := e.user("u020")
	id := r.ID
	r.ID = ""
	_, before, _ := e.log.Bounds(t.Context())
	n := e.approve(s.Held[1])
	e.wantPublished(before)
	e.wantHeld(n, "user removed: 4 of 200", "user staff: 3 of 5", "user superuser: 3 of 4")
	if want := "1 entry has no entryUUID, so that nobody can be told missing"; n.Held[0].Reason != want || !strings.Contains(n.Decided[0].Note, want) {
		t.Errorf("%q, %+v", n.Held[0].Reason, n.Decided[0])
	}
	r.ID = id
	e.wantHeld(e.pass(), "user removed: 3 of 200", "user staff: 3 of 5", "user superuser: 3 of 4")
}
