package extractor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// renumber gives everybody an id from another attribute.
func (e *env) renumber() {
	e.id = "uidNumber"
	for i := range e.users {
		e.users[i].ID = "n-" + e.users[i].ID
	}
}

// Rule 1 of the design: with other ids everybody would be missing.
func TestRule1AnotherIDAttributeIsRefused(t *testing.T) {
	e := newEnv(t)
	e.hire("ada", "bob")
	s := e.pass()
	e.renumber()
	for range 2 {
		_, err := e.extractor().Pass(t.Context(), extractor.Options{})
		if class, hint := fault.Of(err); class != fault.Usage || !strings.Contains(hint, "entryUUID") {
			t.Fatalf("%v (%s)", err, hint)
		}
	}
	e.want(s.Last)
	e.id = ""
	if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil {
		t.Error("usernames were taken for ids")
	}
}

func TestRenamedUserKeepsFlagsThatGroupsGive(t *testing.T) {
	for _, step := range []bool{true, false} {
		e := newEnv(t)
		e.cfg.Groups = step
		e.hire("ada")
		e.team("dev", "ada")
		rule := &extractor.Flag{Group: "cn=dev,ou=groups,dc=x"}
		e.cfg.Flags = extractor.Flags{Staff: rule, Active: rule}
		s := e.pass()
		e.onUsers = func() {
			e.user("ada").DN = dn("ada2")
			e.groups[0].Members = []string{dn("ada2")}
		}
		e.pass()
		u := e.lastUser(s.Last)
		if u.GetDn() != dn("ada2") || !u.GetActive() || !u.GetStaff() {
			t.Errorf("%s: active=%v staff=%v", u.GetDn(), u.GetActive(), u.GetStaff())
		}
		// Who really leaves the group does lose the flags.
		e.onUsers = nil
		e.groups[0].Members = nil
		n := e.pass()
		if n.Users.Changed != 1 {
			t.Fatalf("%+v", n.Users)
		}
		if u := e.lastUser(s.Last); u.GetActive() || u.GetStaff() {
			t.Errorf("left the group: active=%v staff=%v", u.GetActive(), u.GetStaff())
		}
	}
}

// lastUser returns the user of the last event with one behind a sequence.
func (e *env) lastUser(after uint64) *proto.User {
	e.t.Helper()
	_, last, err := e.log.Bounds(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	var u *proto.User
	for ev, err := range e.log.Read(e.t.Context(), after+1, last) {
		if err != nil {
			e.t.Fatal(err)
		}
		if ev.Type == proto.TypeUserUpserted {
			var m proto.UserUpserted
			if err := proto.Unmarshal(ev, &m); err != nil {
				e.t.Fatal(err)
			}
			u = m.Users[len(m.Users)-1]
		}
	}
	return u
}

func TestRenamedUserKeepsNestedGroups(t *testing.T) {
	e := newEnv(t)
	e.cfg.Nested = true
	e.hire("ada")
	e.team("inner", "ada")
	e.team("outer")
	e.groups[1].Members = []string{e.groups[0].DN}
	s := e.pass()
	e.onUsers = func() {
		e.user("ada").DN = dn("ada2")
		e.groups[0].Members = []string{dn("ada2")}
	}
	e.pass()
	e.want(s.Last, "started 2 delta", "user id-ada in gid-inner gid-outer", "committed 2")
}

func TestIDThatTwoEntriesBearIsReported(t *testing.T) {
	e := newEnv(t)
	e.id = ""
	e.hire("Ada", "ada")
	e.users[0].ID, e.users[1].ID = "", ""
	s := e.pass()
	if len(s.Skipped) != 1 || s.Skipped[0].DN != dn("ada") {
		t.Errorf("%+v %+v", s.Users, s.Skipped)
	}
}

// hooked is a directory that does something when it is opened: after the fold.
type hooked struct {
	*directory
	opened func()
}

func (h hooked) Open(ctx context.Context, pinned string) (extractor.Session, error) {
	h.opened()
	return h.directory.Open(ctx, pinned)
}

// Both rivals fold at the same sequence and give their snapshots the same number.
func TestRivalOfTheSameNumberIsFenced(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	e.pass()
	e.hire("bob")
	h := hooked{e.directory, func() {
		other := newDirectory()
		other.hire("ada", "eve") // reads another replica
		rival, err := e.bus.Log(t.Context(), "corp")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := extractor.New(e.cfg, other, rival).Pass(t.Context(), extractor.Options{}); err != nil {
			t.Fatal("rival:", err)
		}
	}}
	if _, err := extractor.New(e.cfg, h, e.log).Pass(t.Context(), extractor.Options{}); !errors.Is(err, proto.ErrRival) {
		t.Errorf("err = %v, wanted ErrRival", err)
	}
}

func TestEventIDsAreUnique(t *testing.T) {
	e := newEnv(t)
	e.hire("ada")
	e.pass()
	e.onUsers = func() { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = e.extractor().Pass(t.Context(), extractor.Options{})
	}()
	e.onUsers = nil
	if _, err := e.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := e.pass()
	seen := map[string]bool{}
	for ev, err := range e.log.Read(t.Context(), 1, s.Last) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[ev.ID] {
			t.Errorf("%s: twice", ev.ID)
		}
		seen[ev.ID] = true
	}
}

func TestBatchesFitIntoMessages(t *testing.T) {
	for _, encoding := range []string{proto.ContentTypeProtobuf, proto.ContentTypeJSON} {
		e := newEnv(t)
		e.cfg.MaxMessage, e.cfg.ContentType = 64<<10, encoding
		for _, u := range strings.Fields("a b c d e f") {
			e.hire(u)
			e.set(u, "photo", strings.Repeat("x", 20<<10))
		}
		e.hire("odd")
		e.set("odd", "info", strings.Repeat("\x01", 15<<10)) // six times as long as JSON
		s := e.pass()
		if skipped := s.Users.Skipped == 1; skipped != (encoding == proto.ContentTypeJSON) {
			t.Errorf("%s: %+v", encoding, s.Users)
		}
		for ev, err := range e.log.Read(t.Context(), 1, s.Last) {
			if err != nil {
				t.Fatal(err)
			}
			if len(ev.Data) > e.cfg.MaxMessage {
				t.Errorf("%s of %d bytes", ev.Type, len(ev.Data))
			}
		}
	}
}

// Who is looked at again, because a group that gives her a flag lacks her, keeps the groups that she herself names.
func TestLookingAgainHeedsMemberOf(t *testing.T) {
	e := newEnv(t)
	e.cfg.Flags.Staff = &extractor.Flag{Group: "cn=staff,ou=groups,dc=x"}
	e.hire("ada", "bob")
	e.team("staff", "ada", "bob")
	e.team("eng")
	for i := range e.users {
		e.users[i].MemberOf = []string{"cn=eng,ou=groups,dc=x", "cn=elsewhere,dc=x"}
	}
	s := e.pass()
	e.team("staff", "bob")
	e.pass()
	e.wantPublished(s.Last, "user id-ada in gid-eng")
}
