package extractor_test

import (
	"slices"
	"testing"

	"ldapsync/extractor"
	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// flags are rules by attributes.
func flags() extractor.Flags {
	return extractor.Flags{
		Active:    &extractor.Flag{Attribute: "uac", NotBit: 2},
		Staff:     &extractor.Flag{Attribute: "role", Equals: []string{"staff", "super"}},
		Superuser: &extractor.Flag{Attribute: "role", Equals: []string{"super"}},
	}
}

func TestEachRespectHasItsLimit(t *testing.T) {
	for name, test := range map[string]struct {
		within, beyond func(e *env)
		losses, held   []string
	}{
		"staff": {
			func(e *env) { e.setAll("role", "none", uids(0, 2)) },
			func(e *env) { e.setAll("role", "none", uids(2, 3)) },
			[]string{"user staff: 2", "user superuser: 2"},
			[]string{"user staff: 1 of 58", "user superuser: 1 of 8"}, // three in a day
		},
		"superuser": {
			func(e *env) { e.setAll("role", "staff", uids(0, 2)) },
			func(e *env) { e.setAll("role", "staff", uids(2, 3)) },
			[]string{"user superuser: 2"},
			[]string{"user superuser: 1 of 8"},
		},
		"deactivated": {
			func(e *env) { e.setAll("uac", "2", uids(0, 3)) },
			func(e *env) { e.setAll("uac", "2", uids(3, 7)) },
			[]string{"user active: 3"},
			[]string{"user active: 4 of 57"},
		},
		"attribute": {
			func(e *env) { e.lose("mail", uids(0, 5)...) },
			func(e *env) { e.setAll("mail", "", uids(5, 8)) },
			[]string{"user attribute mail: 5"},
			[]string{"user attribute mail: 3 of 55"},
		},
		"memberships of a group": {
			func(e *env) { e.team("all", uids(10, 60)...) },
			func(e *env) { e.team("all", uids(13, 60)...) },
			[]string{"user membership: 10", "user membership gid-all: 10"},
			[]string{"user membership gid-all: 3 of 50"},
		},
		"memberships": {
			func(e *env) { e.team("all", uids(10, 60)...); e.team("most", uids(0, 50)...) },
			func(e *env) { e.team("more", uids(10, 60)...); e.team("rest", uids(0, 50)...) },
			[]string{"user membership: 20", "user membership gid-all: 10", "user membership gid-most: 10"},
			[]string{"user membership: 20 of 60"}, // 40 of 240
		},
		"groups": {
			func(e *env) { e.groups = e.groups[:5] },
			func(e *env) { e.groups = e.groups[:4] },
			[]string{"group removed: 5"},
			[]string{"group removed: 1 of 5"}, // 6 of 10
		},
		"users": {
			func(e *env) { e.leaveAll(uids(55, 60)) },
			func(e *env) { e.leaveAll(uids(54, 55)) },
			[]string{"user removed: 5"},
			[]string{"user removed: 1 of 55"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.cfg.Limits, e.cfg.Flags = extractor.DefaultLimits(), flags()
			e.hire(uids(0, 60)...)
			e.setAll("role", "super", uids(0, 10))
			e.setAll("role", "staff", uids(10, 60))
			if name == "users" { // else it is their flag that is held
				e.setAll("role", "none", uids(50, 60))
			}
			if name == "groups" {
				for _, g := range uids(0, 10) {
					e.team(g)
				}
			} else {
				for _, g := range []string{"all", "most", "more", "rest"} {
					e.team(g, uids(0, 60)...)
				}
			}
			e.pass()
			test.within(e)
			e.wantHeld(e.pass())
			e.wantLosses(test.losses...)
			test.beyond(e)
			before := e.pass()
			e.wantHeld(before, test.held...)
			e.wantLosses()
			e.cfg.Limits = extractor.Limits{} // what is held stays held
			e.wantHeld(e.pass(), test.held...)
			e.wantPublished(before.First)
		})
	}
}

func (d *directory) setAll(attribute, value string, uids []string) {
	for _, uid := range uids {
		d.set(uid, attribute, value)
	}
}

// What isn't asked for any more is lost like what isn't there any more. What a source doesn't say anything about isn't.
func TestWhatIsALoss(t *testing.T) {
	e := company(t, 20, "all")
	for i := range e.users {
		e.users[i].Attributes = e.users[i].Attributes[:1] // mail isn't asked for
	}
	e.wantHeld(e.pass(), "user attribute mail: 20 of 20")
	f := company(t, 20, "all")
	f.cfg.Groups = false
	s := f.pass()
	f.wantHeld(s)
	if s.Users.Changed != 20 {
		t.Errorf("%+v", s.Users)
	}
	f.wantLosses()
	g := newEnv(t)
	g.cfg.Limits, g.cfg.Flags = extractor.DefaultLimits(), flags()
	g.hire(uids(0, 20)...)
	g.setAll("uac", "2", uids(0, 10))
	g.pass()
	g.setAll("uac", "0", uids(0, 20)) // everybody is active
	g.wantHeld(g.pass())
	g.wantLosses()
}

// The members of a group that goes lose what it gave them: many of them are held, and as long as they are the group stays.
func TestGroupStaysAsLongAsItsMembersAreHeld(t *testing.T) {
	e := company(t, 20, "all", "other")
	_, before, _ := e.log.Bounds(t.Context())
	e.groups = e.groups[1:]
	s := e.pass()
	e.wantHeld(s, "user membership gid-all: 20 of 20")
	if s.Held[0].Name != "all" || s.Groups.Held != 1 {
		t.Errorf("%+v, groups: %+v", s.Held[0], s.Groups)
	}
	e.wantPublished(before)
	full := e.passWith(extractor.Options{Full: true})
	if got := e.published(full.First - 1); !slices.Contains(got, "group gid-all held") {
		t.Errorf("%q", got)
	}
	e.set("u000", "sn", "new")
	s = e.pass()
	e.wantHeld(s, "user membership gid-all: 20 of 20")
	s = e.approve(s.Held[0])
	e.wantHeld(s)
	if s.Groups.Removed != 1 || s.Users.Changed != 20 {
		t.Errorf("groups: %+v, users: %+v", s.Groups, s.Users)
	}
	e.wantLosses("group removed: 1") // that wasn't what was shown
}

// Who approves the removal of groups approves that their members lose them, even those of whom something else is held.
func TestApprovedGroupTakesItsMemberships(t *testing.T) {
	e := company(t, 20, "a", "b", "c", "d", "e", "f", "g")
	e.groups = e.groups[6:]
	e.pass()
	e.lose("mail", uids(0, 20)...)
	n := e.pass()
	e.wantHeld(n, "group removed: 6 of 7", "user attribute mail: 20 of 20")
	n = e.approve(n.Held[0])
	e.wantHeld(n, "user attribute mail: 20 of 20")
	if n.Groups.Removed != 6 {
		t.Errorf("groups: %+v", n.Groups)
	}

	e = company(t, 20, "a", "b", "c", "d", "e", "f", "g")
	e.groups = e.groups[6:]
	s := e.pass()
	e.wantHeld(s, "group removed: 6 of 7")
	if s.Users.Unchanged != 20 { // their groups are held
		t.Errorf("%+v", s.Users)
	}
	s = e.approve(s.Held[0])
	e.wantHeld(s)
	if s.Groups.Removed != 6 || s.Users.Changed != 20 {
		t.Errorf("groups: %+v, users: %+v", s.Groups, s.Users)
	}
	e.wantLosses()
}

// A gone group names nobody: there is no need to ask for each of its members.
func TestGoneGroupsAreNotAskedForEachMember(t *testing.T) {
	e := company(t, 40, "all")
	e.groups = nil
	e.wantHeld(e.pass(), "group removed: 1 of 1")
	if e.groupsOf != 0 {
		t.Errorf("asked %d times", e.groupsOf)
	}
}

func TestHealedAndLostAgainIsAFreshLoss(t *testing.T) {
	e := company(t, 60)
	e.lose("mail", uids(0, 30)...)
	e.wantHeld(e.pass(), "user attribute mail: 30 of 60")
	for _, uid := range uids(0, 29) {
		e.set(uid, "mail", uid+"@x")
	}
	e.wantHeld(e.pass(), "user attribute mail: 1 of 60")
	e.lose("mail", uids(0, 3)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 1 of 60")
	if s.Users.Changed != 3 {
		t.Errorf("%+v", s.Users)
	}
	e.wantLosses("user attribute mail: 3")
}

// Whether a held user who can't be read is healed nobody knows.
func TestHeldAndSkippedStaysHeld(t *testing.T) {
	e := company(t, 60)
	e.lose("mail", uids(0, 30)...)
	s := e.pass()
	e.user("u000").Skip = "garbled"
	n := e.passWith(extractor.Options{Full: true})
	e.wantHeld(n, "user attribute mail: 30 of 60")
	if n.Held[0].Hash != s.Held[0].Hash {
		t.Error("the same thirty have another hash")
	}
}

// A kind that isn't read removes nothing, and what is held of it stays.
func TestHeldOfAKindThatIsNotRead(t *testing.T) {
	e := company(t, 60)
	e.leaveAll(uids(0, 30))
	s := e.pass()
	e.cfg.Users = false
	full := e.passWith(extractor.Options{Full: true})
	e.wantHeld(full, "user removed: 30 of 60")
	n := e.approve(s.Held[0])
	e.wantHeld(n, "user removed: 30 of 60")
	if d := n.Decided[0]; d.Entries != 0 || d.Note != "users aren't read, so nothing happens to them: set the filter for users again and approve then, or reject this" {
		t.Errorf("%+v", d)
	}
	e.cfg.Users = true
	e.wantHeld(e.approve(n.Held[0]))
}

func TestHeldJSON(t *testing.T) {
	e := newEnv(t)
	e.cfg.ContentType, e.cfg.MaxMessage = proto.ContentTypeJSON, 12<<10
	e.cfg.Limits = extractor.DefaultLimits()
	e.hire(uids(0, 900)...)
	e.pass()
	e.lose("mail", uids(0, 600)...)
	e.leaveAll(uids(700, 800))
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 600 of 800", "user removed: 100 of 900")
	n := 0
	for ev, err := range e.log.Read(t.Context(), s.First, s.Last) {
		if err != nil {
			t.Fatal(err)
		}
		if len(ev.Data) > e.cfg.MaxMessage {
			t.Errorf("%s of %d bytes", ev.Type, len(ev.Data))
		}
		if ev.Type == proto.TypeSnapshotHeld {
			n++
		}
	}
	if n < 4 {
		t.Errorf("%d parts", n)
	}
	e.wantHeld(e.passWith(extractor.Options{Full: true}), "user attribute mail: 600 of 800", "user removed: 100 of 900")
	held, err := extractor.ReadHeld(t.Context(), e.log)
	if err != nil {
		t.Fatal(err)
	}
	n = 0
	for entry, err := range held.Entries(t.Context(), held.Holds[0].Hash) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Key != proto.EntryKey(entry.User.GetId()) || len(entry.User.GetAttributes()) != 2 || entry.Digest == (proto.Digest{}) {
			t.Errorf("%+v", entry)
		}
		n++
	}
	if n != 600 {
		t.Errorf("%d entries", n)
	}
	e.wantHeld(e.approve(s.Held[0]), "user removed: 100 of 900")
	e.wantHeld(e.approve(s.Held[1]))
}

func TestPreviewTellsWhatWouldBeHeld(t *testing.T) {
	e := company(t, 60, "all")
	e.leaveAll(uids(0, 10))
	e.lose("mail", uids(10, 30)...)
	e.lose("mail", "u031")
	e.set("u032", "sn", "new")
	published := 0
	s, err := e.extractor().Preview(t.Context(), true, func(ev proto.Event) error { published++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"user attribute mail: 21 of 50", "user removed: 10 of 60"}
	var got []string
	for _, h := range s.Held {
		got = append(got, line(h))
	}
	if !slices.Equal(got, want) || s.Users.Changed != 1 || s.Users.Removed != 0 || published == 0 {
		t.Errorf("%q, %+v", got, s.Users)
	}
	e.wantHeld(e.pass(), want...)
}

// Groups have a limit of their own, and attributes are told by their folded names.
func TestLimitsAreToldApart(t *testing.T) {
	e := company(t, 60, "a", "b", "c")
	e.cfg.Limits.Users, e.cfg.Limits.Memberships, e.cfg.Limits.GroupMemberships = limit.Limit{}, limit.Limit{}, limit.Limit{}
	e.cfg.Limits.Groups = limit.Limit{Count: 1, On: true}
	e.leaveAll(uids(0, 20))
	e.groups = e.groups[2:]
	e.wantHeld(e.pass(), "group removed: 2 of 3")

	e = company(t, 60)
	e.setAll("employeeType", "x", uids(0, 60))
	e.pass()
	e.lose("employeeType", uids(0, 5)...)
	e.pass()
	e.wantLosses("user attribute employeetype: 5")
	e.lose("employeeType", uids(5, 8)...)
	e.wantHeld(e.pass(), "user attribute employeetype: 3 of 55")
}
