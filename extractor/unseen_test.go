package extractor_test

import (
	"slices"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// demoted is a company in which three have lost a flag, as one rejected; then one of them is healed.
func demoted(t *testing.T) *env {
	e := company(t, 60)
	e.cfg.Flags = flags()
	e.setAll("role", "super", uids(0, 60))
	e.pass()
	e.setAll("role", "staff", uids(0, 3))
	s := e.reject(e.pass().Held[0])
	e.wantHeld(s, "user superuser: 3 of 60, rejected")
	e.setAll("role", "super", uids(2, 3))
	e.wantHeld(e.pass(), "user superuser: 2 of 60, rejected")
	return e
}

// What is held of changes, and what was rejected, outlives an answer that lacks those whom it is about.
func TestHoldsOfChangesOutliveABadAnswer(t *testing.T) {
	for name, bad := range map[string]func(e *env){
		"empty":        func(e *env) { e.users = nil },
		"empty, grace": func(e *env) { e.users, e.cfg.Grace = nil, time.Hour },
		"no ids": func(e *env) {
			for i := range e.users {
				e.users[i].ID = ""
			}
		},
		"half of them": func(e *env) { e.users = e.users[30:] },
		"missing":      func(e *env) { e.cfg.Grace = time.Hour; e.users = e.users[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			e := demoted(t)
			all := slices.Clone(e.users)
			bad(e)
			want := func(s *extractor.Summary) {
				if !slices.ContainsFunc(s.Held, func(h extractor.Hold) bool { return line(h) == "user superuser: 2 of 60, rejected" }) {
					t.Errorf("forgotten: %+v", s.Held)
				}
			}
			want(e.pass())
			at := e.last()
			want(e.pass())
			if got := e.published(at); len(got) != 2 {
				t.Errorf("%q", got)
			}
			want(e.passWith(extractor.Options{Full: true}))
			e.users = all
			at = e.last()
			want(e.pass())
			for _, line := range e.entries(at) { // whoever was missing returns as she was
				if line != "user id-u000" || !e.lastUser(at).GetSuperuser() {
					t.Error(line)
				}
			}
			e.setAll("role", "super", uids(0, 2))
			e.pass()
			e.wantLosses()
		})
	}
}

// When a user's grace is over, the holds of what she was to lose go with her.
func TestHoldsOfChangesGoWithTheUser(t *testing.T) {
	e, c := graceful(t, 60)
	e.lose("mail", uids(0, 30)...)
	c.pass(e, extractor.Options{})
	e.leave("u000")
	e.wantHeld(c.pass(e, extractor.Options{}), "user attribute mail: 30 of 60")
	c.wait(e, 8*day)
	at := e.last()
	e.wantHeld(c.pass(e, extractor.Options{}), "user attribute mail: 29 of 60")
	e.wantPublished(at, removed([]string{"u000"})...)
}

// A hold can be rejected while those whom it is about can't be seen.
func TestUnseenHoldsCanBeRejected(t *testing.T) {
	e := company(t, 60)
	e.lose("mail", uids(0, 30)...)
	s := e.pass()
	was := slices.Clone(e.users)
	e.setAll("uid", " ", uids(0, 30))
	n := e.reject(s.Held[0])
	e.wantHeld(n, "user attribute mail: 30 of 60, rejected")
	if d := n.Decided[0]; d.Entries != 30 || d.Verdict.Decision != proto.Decision_DECISION_REJECT {
		t.Errorf("%+v", d)
	}
	e.users = was
	e.lose("mail", uids(0, 30)...)
	for _, uid := range uids(0, 30) {
		e.set(uid, "uid", uid)
	}
	e.wantHeld(e.pass(), "user attribute mail: 30 of 60, rejected")
}

// A rejection is of what was shown. What happens to those users then waits for a person again: it isn't kept from everybody for ever.
func TestRejectedIsTheChangeThatWasShown(t *testing.T) {
	for name, test := range map[string]struct {
		then func(e *env)
		held []string
	}{
		"changed again": {func(e *env) { e.set("u000", "sn", "other") }, []string{"user superuser: 1 of 60", "user superuser: 2 of 60, rejected"}},
		"disabled":      {func(e *env) { e.set("u000", "uac", "2") }, []string{"user superuser: 1 of 60", "user superuser: 2 of 60, rejected"}},
		"gone":          {func(e *env) { e.leave("u000") }, []string{"user superuser: 1 of 60", "user superuser: 2 of 60, rejected"}},
		"healed":        {func(e *env) { e.set("u000", "role", "super") }, []string{"user superuser: 1 of 60, rejected"}},
		"all":           {func(e *env) { e.setAll("sn", "x", uids(0, 2)) }, []string{"user superuser: 2 of 60", "user superuser: 2 of 60, rejected"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := demoted(t)
			e.setAll("uac", "512", uids(2, 60))
			e.pass()
			test.then(e)
			at := e.last()
			s := e.pass()
			e.wantHeld(s, test.held...)
			if got := e.entries(at); len(got) > 0 {
				t.Errorf("%q", got)
			}
			if name == "healed" {
				return
			}
			if want := "it was rejected, and is another change now"; s.Held[0].Reason != want {
				t.Error(s.Held[0].Reason)
			}
			at = e.last()
			e.pass()
			if got := e.published(at); len(got) != 2 {
				t.Errorf("%q", got)
			}
			left := []string{"user superuser: 1 of 60, rejected"}
			if name == "all" {
				left = nil
			}
			e.wantHeld(e.approve(s.Held[0]), left...)
			if got := e.entries(at); len(got) == 0 {
				t.Error("nothing is released")
			}
		})
	}
}
