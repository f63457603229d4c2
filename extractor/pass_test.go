package extractor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

func TestFirstPassIsFull(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.team("dev", "bob")
	s := e.pass()
	e.want(0, "started 1 full", "group gid-dev", "user id-ada", "user id-bob in gid-dev", "committed 1")
	if s.Users.Added != 2 || s.Users.Read != 2 || s.Groups.Added != 1 || !s.Full || s.Last != 4 {
		t.Errorf("summary: %+v", s)
	}
}

// Rule 7 of the design.
func TestRule7UnchangedPassPublishesBracketsOnly(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.team("dev", "bob")
	first := e.pass()
	u := e.user("ada")
	u.Attributes[1].Values = append(u.Attributes[1].Values, "z@x", "y@x")
	second := e.pass()
	e.want(first.Last, "started 2 delta", "user id-ada", "committed 2")
	v := e.user("ada").Attributes[1].Values
	v[1], v[2] = v[2], v[1] // the rest is a set
	e.pass()
	e.want(second.Last, "started 3 delta", "committed 3")
}

func TestChangesJoinersLeavers(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob", "eve")
	e.team("dev", "bob")
	s := e.pass()
	e.leave("eve")
	e.hire("kim")
	e.set("ada", "mail", "ada@y")
	e.team("dev", "bob", "ada")
	e.team("ops", "kim")
	n := e.pass()
	e.want(s.Last, "started 2 delta", "group gid-ops", "user id-kim in gid-ops", "user id-ada in gid-dev", "removed id-eve "+dn("eve"), "committed 2")
	if n.Users != (extractor.Counts{Read: 3, Added: 1, Changed: 1, Unchanged: 1, Removed: 1}) {
		t.Errorf("counts: %+v", n.Users)
	}
	e.hire("eve")
	third := e.pass()
	if third.Users.Added != 1 {
		t.Errorf("a returning user counts as added: %+v", third.Users)
	}
}

// Rule 1 of the design: every page is needed, and a second look.
func TestRule1CutListingRemovesNobody(t *testing.T) {
	for _, after := range []int{0, 5, 10, 15, 30} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			e := newEnv(t)
			for i := range 30 {
				e.hire(fmt.Sprintf("u%02d", i))
			}
			s := e.pass()
			e.leave("u03")
			e.hire("new")
			e.set("u01", "mail", "x")
			e.failAfter = after
			if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil {
				t.Fatal("a listing that was cut passed")
			}
			got := e.published(s.Last)
			if got[0] != "started 2 delta" || got[len(got)-1] != "aborted 2" {
				t.Errorf("published %q", got)
			}
			for _, line := range got {
				if strings.HasPrefix(line, "removed") || strings.Contains(line, "u01") {
					t.Errorf("an aborted pass published %q", line)
				}
			}
			e.failAfter = -1
			n := e.pass()
			if n.Users.Removed != 1 || n.Users.Changed != 1 {
				t.Errorf("the pass after it: %+v", n.Users)
			}
		})
	}
}

func TestRule1SecondLookFindsWhoMoved(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.team("dev", "bob")
	e.team("ops", "ada")
	s := e.pass()
	e.hide["id-ada"], e.hide["gid-dev"] = true, true
	n := e.pass()
	e.want(s.Last, "started 2 delta", "committed 2")
	if n.Users.Removed != 0 || n.Users.Unchanged != 2 {
		t.Errorf("counts: %+v", n.Users)
	}
}

func TestRule1EmptyAnswerRemovesNobody(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.team("dev", "bob")
	s := e.pass()
	users, groups := e.users, e.groups
	e.users = nil
	n := e.pass()
	e.want(s.Last, "started 2 delta", "held", "committed 2")
	if len(n.Held) != 1 || n.Held[0].Count != 2 || n.Users.Held != 2 {
		t.Errorf("held: %+v", n.Held)
	}
	e.users, e.groups = users, nil
	third := e.pass()
	e.want(n.Last, "started 3 delta", "held", "committed 3") // bob keeps his group
	if third.Groups.Held != 1 || third.Users.Unchanged != 2 {
		t.Errorf("groups: %+v, users: %+v", third.Groups, third.Users)
	}
	e.groups = groups
	fourth := e.passWith(extractor.Options{Full: true})
	e.want(third.Last, "started 4 full", "group gid-dev", "user id-ada", "user id-bob in gid-dev", "held", "committed 4") // nothing, that is
	e.users = nil
	e.passWith(extractor.Options{Full: true})
	e.want(fourth.Last, "started 5 full", "group gid-dev", "held", "user id-ada held", "user id-bob in gid-dev held", "committed 5")
	// Whoever folds from this full on still knows everybody.
	e.users = users
	sixth := e.pass()
	if sixth.Users.Unchanged != 2 || sixth.Users.Added+sixth.Users.Removed+sixth.Users.Changed != 0 {
		t.Errorf("after the held full: %+v", sixth.Users)
	}
}

func TestEntriesWithoutIDRemoveNobody(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.pass()
	e.user("bob").ID = ""
	n := e.pass()
	if n.Users.Removed != 0 || n.Users.Held != 1 || n.Users.Skipped != 1 {
		t.Errorf("counts: %+v", n.Users)
	}
}

func TestSkippedIsSeen(t *testing.T) {
	e := newEnv(t)
	e.cfg.MaxMessage = 64 << 10
	e.hire("ada", "bob", "eve")
	s := e.pass()
	e.set("ada", "uid", " ")
	e.user("bob").Skip = "garbled"
	e.set("eve", "photo", strings.Repeat("x", 65<<10))
	n := e.passWith(extractor.Options{Full: true})
	if n.Users.Skipped != 3 || n.Users.Removed != 0 {
		t.Errorf("counts: %+v", n.Users)
	}
	e.want(s.Last, "started 2 full", "user id-ada skipped", "user id-bob skipped", "user id-eve skipped", "committed 2")
}

func TestStepWithoutFilterRemovesNothing(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	e.team("dev", "ada")
	s := e.pass()
	e.cfg.Users = false
	n := e.passWith(extractor.Options{Full: true})
	e.want(s.Last, "started 2 full", "group gid-dev", "user id-ada in gid-dev skipped", "committed 2")
	e.cfg.Users, e.cfg.Groups = true, false
	third := e.pass()
	e.want(n.Last, "started 3 delta", "user id-ada in gid-dev", "committed 3") // with groups_unknown
	if third.Groups.Removed != 0 {
		t.Errorf("groups: %+v", third.Groups)
	}
}

func TestUserReadBetweenRenameKeepsGroups(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	e.team("dev", "ada")
	s := e.pass()
	// She is renamed after the groups were read: they name her old DN.
	e.onUsers = func() {
		e.user("ada").DN = dn("ada2")
		e.groups[0].Members = []string{dn("ada2")}
	}
	e.pass()
	e.want(s.Last, "started 2 delta", "user id-ada in gid-dev", "committed 2")
}

func TestRivalIsFenced(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	s := e.pass()
	e.onUsers = func() {
		e.onUsers = nil
		if _, err := e.log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rival, err := e.bus.Log(t.Context(), "corp")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := extractor.New(e.cfg, e.directory, rival).Pass(t.Context(), extractor.Options{}); err != nil {
			t.Fatal("rival:", err)
		}
	}
	_, err := e.extractor().Pass(t.Context(), extractor.Options{})
	if !errors.Is(err, proto.ErrRival) {
		t.Fatalf("err = %v, wanted ErrRival", err)
	}
	e.want(s.Last, "started 2 delta", "aborted 2", "started 3 delta", "committed 3")
}

func TestInterruptedPassIsAborted(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	s := e.pass()
	ctx, cancel := context.WithCancel(t.Context())
	e.onUsers = func() { cancel(); e.failAfter = 0 }
	if _, err := e.extractor().Pass(ctx, extractor.Options{}); err == nil {
		t.Fatal("passed")
	}
	e.want(s.Last, "started 2 delta", "aborted 2")
}

func TestFlags(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob", "eve")
	e.team("admins", "ada")
	e.team("inner", "bob")
	e.groups[0].Members = append(e.groups[0].Members, "CN=Inner, OU=groups,DC=x") // nested, in another spelling
	e.set("bob", "uac", "514")
	e.set("ada", "uac", "512")
	e.cfg.Nested = true
	e.cfg.Flags = extractor.Flags{
		Staff:  &extractor.Flag{Group: "cn=ADMINS,ou=groups,dc=x"},
		Active: &extractor.Flag{Attribute: "UAC", NotBit: 2},
	}
	var users []*proto.User
	if _, err := e.extractor().Preview(t.Context(), false, func(ev proto.Event) error {
		if ev.Type == proto.TypeUserUpserted {
			var m proto.UserUpserted
			if err := proto.Unmarshal(ev, &m); err != nil {
				return err
			}
			users = append(users, m.Users...)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, u := range users {
		active := "-"
		if u.Active != nil {
			active = fmt.Sprint(*u.Active)
		}
		got += fmt.Sprintf("%s staff=%v active=%s groups=%d\n", u.Id, u.GetStaff(), active, len(u.GroupIds))
	}
	const want = "id-ada staff=true active=true groups=1\nid-bob staff=true active=false groups=2\nid-eve staff=false active=- groups=0\n"
	if got != want {
		t.Errorf("got\n%swanted\n%s", got, want)
	}
	if _, last, _ := e.log.Bounds(t.Context()); last != 0 {
		t.Errorf("a preview published %d events", last)
	}
	e.cfg.Flags.Staff.Group = "cn=nobody"
	if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil || !strings.Contains(err.Error(), "flags.staff") {
		t.Errorf("a group that isn't there: %v", err)
	}
}

func TestSpoolOnDisk(t *testing.T) {
	e := newEnv(t)
	e.cfg.SpoolMemory = 1000
	for i := range 500 {
		e.hire(fmt.Sprintf("u%03d", i))
	}
	e.pass()
	for i := range 500 {
		e.set(fmt.Sprintf("u%03d", i), "mail", "new@x")
	}
	if n := e.pass(); n.Users.Changed != 500 {
		t.Errorf("counts: %+v", n.Users)
	}
	if n := e.pass(); n.Users.Unchanged != 500 {
		t.Errorf("counts: %+v", n.Users)
	}
}

func TestJSONEncoding(t *testing.T) {
	e := newEnv(t)
	e.cfg.ContentType = proto.ContentTypeJSON
	e.hire("ada", "bob")
	e.set("ada", "photo", "\x00\xff")
	s := e.pass()
	e.leave("bob")
	e.pass()
	e.want(s.Last, "started 2 delta", "removed id-bob "+dn("bob"), "committed 2")
}

func TestFullIsDueByTheStreamsClock(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	e.pass()
	e.cfg.FullEvery = time.Nanosecond
	e.pass() // the stream's last event is the committed full itself
	if s := e.pass(); !s.Full {
		t.Errorf("summary: %+v", s)
	}
}

func TestUsernameAsID(t *testing.T) {
	e := newEnv(t)
	e.id = ""
	e.hire("Ada")
	e.user("Ada").ID = ""
	s := e.pass()
	e.want(0, "started 1 full", "user ada", "committed 1")
	if s.Users.Skipped != 0 {
		t.Errorf("counts: %+v", s.Users)
	}
}

func TestDuplicateInListingCountsOnce(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	e.users = append(e.users, e.users[0])
	s := e.pass()
	e.want(0, "started 1 full", "user id-ada", "user id-bob", "committed 1")
	if s.Users.Read != 2 {
		t.Errorf("counts: %+v", s.Users)
	}
	if !slices.Equal(s.Skipped, nil) {
		t.Errorf("skipped: %+v", s.Skipped)
	}
}
