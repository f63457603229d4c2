package extractor_test

import (
	"slices"
	"testing"
	"time"

	"ldapsync/extractor"
)

// Memberships that are lost while groups aren't read are asked about when they are read again.
func TestGroupsOffAndOnTakesNobodyUnasked(t *testing.T) {
	for name, off := range map[string]func(e *env){
		"once": func(e *env) { e.pass() },
		"full": func(e *env) { e.pass(); e.passWith(extractor.Options{Full: true}); e.pass() },
		"missing in between": func(e *env) {
			e.cfg.Grace = time.Hour
			e.pass()
			r := *e.user("u000")
			e.leave("u000")
			e.pass()
			e.users = append(e.users, r)
			e.pass()
		},
		"changed": func(e *env) { e.pass(); e.setAll("mail", "new@x", uids(0, 60)); e.pass() },
	} {
		t.Run(name, func(t *testing.T) {
			e := company(t, 60, "all")
			e.cfg.Groups = false
			off(e)
			e.wantLosses()
			e.team("all") // emptied, or nobody may read its members any more
			e.cfg.Groups = true
			at := e.last()
			e.wantHeld(e.pass(), "user membership: 60 of 60", "user membership gid-all: 60 of 60")
			if got := e.entries(at); len(got) > 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

// While groups aren't read, nothing changes about who is in which: a pass publishes two events, as ever.
func TestGroupsOffPublishesNothingAgain(t *testing.T) {
	e := company(t, 60, "all")
	e.cfg.Groups = false
	first := e.pass()
	if first.Users.Changed != 60 {
		t.Errorf("%+v", first.Users)
	}
	n := e.pass()
	e.want(first.Last, "started 3 delta", "committed 3")
	if n.Users.Unchanged != 60 {
		t.Errorf("%+v", n.Users)
	}
	full := e.passWith(extractor.Options{Full: true})
	if got := e.published(full.First); !slices.Contains(got, "user id-u000 in gid-all") || full.Users.Unchanged != 60 {
		t.Errorf("%q, %+v", got, full.Users)
	}
	e.cfg.Groups = true
	e.wantHeld(e.pass())
	e.wantLosses()
}

// What is held of memberships stays as it was shown while groups aren't read.
func TestMembershipsStayHeldWhileGroupsAreOff(t *testing.T) {
	e := company(t, 60, "all")
	e.team("all", uids(15, 60)...)
	s := e.pass()
	e.wantHeld(s, "user membership gid-all: 15 of 60")
	e.cfg.Groups = false
	for _, full := range []bool{false, true, false} {
		n := e.passWith(extractor.Options{Full: full})
		e.wantHeld(n, "user membership gid-all: 15 of 60")
		if n.Held[0].Hash != s.Held[0].Hash || n.Users.Held != 15 {
			t.Errorf("another hash, or %+v", n.Users)
		}
	}
	at := e.last()
	e.pass()
	if got := e.published(at); len(got) != 2 {
		t.Errorf("%q", got)
	}
	e.cfg.Groups = true
	n := e.pass()
	e.wantHeld(n, "user membership gid-all: 15 of 60")
	e.reject(n.Held[0])
	e.team("all", uids(5, 60)...) // five would be within the limits
	e.wantHeld(e.pass(), "user membership gid-all: 5 of 60, rejected")
	e.cfg.Groups = false
	e.pass()
	e.cfg.Groups = true
	e.wantHeld(e.pass(), "user membership gid-all: 5 of 60, rejected")
	e.wantLosses()
}

// An approval while groups aren't read forgets such a hold: its users are published with the groups that they were last known in, and asked about anew.
func TestApprovalWhileGroupsAreOffIsForgotten(t *testing.T) {
	e := company(t, 60, "all")
	e.team("all", uids(15, 60)...)
	s := e.pass()
	e.cfg.Groups = false
	e.set("u000", "mail", "new@x")
	e.pass()
	at := e.last()
	e.wantHeld(e.approve(s.Held[0]))
	if got := e.entries(at); len(got) != 15 || got[0] != "user id-u000 in gid-all" {
		t.Errorf("%q", got)
	}
	e.wantLosses()
	e.cfg.Groups = true
	e.wantHeld(e.pass(), "user membership gid-all: 15 of 60")
}

// The members of a group whose removal was rejected keep it, whatever is read in between.
func TestGroupsOffAndOnKeepsMembersOfAHeldGroup(t *testing.T) {
	e := company(t, 60, "a", "b", "c", "d", "e", "f", "g", "h")
	e.groups = e.groups[6:]
	s := e.pass()
	e.wantHeld(s, "group removed: 6 of 8")
	e.reject(s.Held[0])
	e.cfg.Groups = false
	e.pass()
	e.cfg.Groups = true
	at := e.last()
	e.wantHeld(e.pass(), "group removed: 6 of 8, rejected")
	for _, line := range e.entries(at) {
		if line[len("user id-u000"):] != " in gid-a gid-b gid-c gid-d gid-e gid-f gid-g gid-h" {
			t.Fatal(line)
		}
	}
}

// A group isn't removed under the people who stay as they are, whyever they weren't weighed.
func TestGroupStaysForWhoWasNotWeighed(t *testing.T) {
	for name, test := range map[string]struct {
		before, at func(e *env)
		held       []string
	}{
		"members are held, and can't be read now": {
			func(e *env) { e.drop("all"); e.pass() },
			func(e *env) { e.setAll("uid", " ", uids(0, 60)) },
			[]string{"user membership: 60 of 60", "user membership gid-all: 60 of 60"},
		},
		"members are held, and users aren't read now": {
			func(e *env) { e.drop("all"); e.pass() },
			func(e *env) { e.cfg.Users = false },
			[]string{"group removed: 1 of 3", "user membership: 60 of 60", "user membership gid-all: 60 of 60"},
		},
		"members were held, users aren't read, and then it goes": {
			func(e *env) { e.team("all"); e.pass(); e.cfg.Users = false; e.pass() },
			func(e *env) { e.drop("all") },
			[]string{"group removed: 1 of 3", "user membership: 60 of 60", "user membership gid-all: 60 of 60"},
		},
		"users aren't read": {
			func(e *env) { e.cfg.Users = false; e.pass() },
			func(e *env) { e.drop("all") },
			[]string{"group removed: 1 of 3"},
		},
		"the removal of its members is held": {
			func(e *env) { e.team("all", uids(0, 30)...); e.approve(e.pass().Held[0]) },
			func(e *env) { e.leaveAll(uids(0, 30)); e.drop("all") },
			[]string{"user removed: 30 of 60"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := company(t, 60, "all", "a", "b")
			test.before(e)
			test.at(e)
			at := e.last()
			e.wantHeld(e.pass(), test.held...)
			e.wantHeld(e.pass(), test.held...)
			if got := e.entries(at); len(got) > 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

// drop takes a group out of the directory.
func (d *directory) drop(cn string) {
	d.groups = slices.DeleteFunc(d.groups, func(r extractor.Record) bool { return r.ID == "gid-"+cn })
}

// Where users aren't read, a person can still let an emptied group go.
func TestGroupHeldForUnreadUsersCanBeApproved(t *testing.T) {
	e := company(t, 60, "all", "a", "b")
	e.cfg.Users = false
	e.pass()
	e.drop("all")
	s := e.pass()
	if s.Held[0].Reason != "users aren't read, and 60 memberships would go with it" {
		t.Error(s.Held[0].Reason)
	}
	at := e.last()
	e.wantHeld(e.approve(s.Held[0]))
	if got := e.entries(at); !slices.Equal(got, []string{"removed gid-all"}) {
		t.Errorf("%q", got)
	}
}

// What a step that is off holds can be rejected, so that nobody is asked for ever; with the step on again it stays rejected.
func TestHoldsOfAStepThatIsOffCanBeRejected(t *testing.T) {
	e := company(t, 60, "all")
	e.leaveAll(uids(0, 30))
	s := e.pass()
	e.cfg.Users = false
	n := e.reject(s.Held[0])
	e.wantHeld(n, "user removed: 30 of 60, rejected")
	if d := n.Decided[0]; d.Entries != 30 || d.Note != "" {
		t.Errorf("%+v", d)
	}
	at := e.last()
	e.pass()
	if got := e.published(at); len(got) != 2 {
		t.Errorf("%q", got)
	}
	e.cfg.Users = true
	at = e.last()
	e.wantHeld(e.pass(), "user removed: 30 of 60, rejected")
	e.wantPublished(at)
}

// Where others were rejected before, that waits until users are read again.
func TestRejectingMoreOfAStepThatIsOffWaits(t *testing.T) {
	e := company(t, 60)
	e.leaveAll(uids(0, 20))
	e.reject(e.pass().Held[0])
	e.leaveAll(uids(20, 40))
	s := e.pass()
	e.wantHeld(s, "user removed: 20 of 60", "user removed: 20 of 60, rejected")
	e.cfg.Users = false
	n := e.reject(s.Held[0])
	e.wantHeld(n, "user removed: 20 of 60", "user removed: 20 of 60, rejected")
	if d := n.Decided[0]; d.Entries != 0 || d.Note != "users aren't read, and others of them were rejected before: reject these when users are read again" {
		t.Errorf("%+v", d)
	}
	e.cfg.Users = true
	e.wantHeld(e.reject(s.Held[0]), "user removed: 40 of 60, rejected")
}

// Who is held because she has lost all her groups isn't asked for in each pass, but when something has changed or is decided.
func TestHeldAreNotAskedForAgain(t *testing.T) {
	e := company(t, 60, "all")
	e.team("all")
	e.pass()
	asked := e.groupsOf
	e.wantHeld(e.pass(), "user membership: 60 of 60", "user membership gid-all: 60 of 60")
	e.passWith(extractor.Options{Full: true})
	if e.groupsOf != asked {
		t.Errorf("asked %d times", e.groupsOf-asked)
	}
	e.set("u000", "sn", "x")
	s := e.pass()
	if e.groupsOf != asked+1 {
		t.Errorf("asked %d times, wanted 1", e.groupsOf-asked)
	}
	e.approve(s.Held[0])
	if e.groupsOf != asked+61 {
		t.Errorf("asked %d times, wanted 61", e.groupsOf-asked)
	}
	e.wantHeld(e.pass())
}
