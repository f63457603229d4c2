package extractor_test

import (
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// staffBy is the rule by which these roles make staff.
func staffBy(roles ...string) extractor.Flags {
	return extractor.Flags{Staff: &extractor.Flag{Attribute: "role", Equals: roles}}
}

// unruled is a company of which the stream doesn't say who is staff, because the rule is off.
func unruled(t *testing.T, n int) *env {
	e := company(t, n)
	e.setAll("role", "staff", uids(0, 2))
	e.setAll("role", "none", uids(2, n))
	e.cfg.Flags = staffBy("staff")
	e.pass()
	e.cfg.Flags = extractor.Flags{}
	e.wantHeld(e.pass()) // two are within the limits
	return e
}

// A rule that was off, and is on again with a typo, takes the flag from everybody who has it.
func TestRuleThatMatchesNobodyIsHeld(t *testing.T) {
	e := unruled(t, 60)
	at := e.last()
	e.cfg.Flags = staffBy("stuff")
	e.hire("new")
	s := e.pass()
	e.wantHeld(s, "user staff: 60 of 60")
	if reason := s.Held[0].Reason; !strings.HasSuffix(reason, "; flags.staff is new or on again and matches nobody") {
		t.Error(reason)
	}
	if got := e.entries(at); !slices.Equal(got, []string{"user id-new"}) {
		t.Errorf("%q", got)
	}
	e.wantLosses()
	e.set("u007", "sn", "new")
	e.wantHeld(e.passWith(extractor.Options{Full: true}), "user staff: 60 of 60")

	e.cfg.Flags = staffBy("staff")
	n := e.pass()
	e.wantHeld(n)
	if n.Users.Changed != 60 {
		t.Errorf("%+v", n.Users)
	}
	e.wantLosses()
}

func TestRuleThatMatchesNobodyGoesThroughWhenApproved(t *testing.T) {
	e := unruled(t, 60)
	e.cfg.Flags = extractor.Flags{Superuser: &extractor.Flag{Group: "cn=roots,ou=groups,dc=x"}}
	e.team("roots")
	s := e.pass()
	e.wantHeld(s, "user superuser: 60 of 60")
	at := e.last()
	e.wantHeld(e.approve(s.Held[0]))
	if got := e.entries(at); len(got) != 60 {
		t.Errorf("%q", got)
	}
	e.wantLosses()
	e.wantHeld(e.pass())
}

// Turned off once more, it decides about nobody.
func TestRuleThatMatchesNobodyDissolvesWhenItIsOff(t *testing.T) {
	e := unruled(t, 60)
	e.cfg.Flags = staffBy("stuff")
	e.reject(e.pass().Held[0])
	at := e.last()
	e.cfg.Flags = extractor.Flags{}
	e.wantHeld(e.pass())
	if got := e.entries(at); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// What a rule takes within the limits is counted, as ever; and limits can be off.
func TestRuleThatMatchesNobodyIsUnderTheLimit(t *testing.T) {
	e := unruled(t, 2)
	e.cfg.Limits.Window = 0 // the two whom the rule matched before would count
	e.cfg.Flags = staffBy("stuff")
	e.wantHeld(e.pass())
	e.wantLosses("user staff: 2")

	e = unruled(t, 60)
	e.cfg.Limits.Staff.On = false
	e.cfg.Flags = staffBy("stuff")
	e.wantHeld(e.pass())
	e.wantLosses("user staff: 60")
}

// A rule that matches somebody decides about all the others, too; and whom it never said anything about but that, it can't take anything from.
func TestRuleThatMatchesSomebodyIsTrusted(t *testing.T) {
	e := unruled(t, 60)
	e.cfg.Limits.Window = 0
	e.cfg.Flags = staffBy("staff")
	e.setAll("role", "none", uids(0, 2))
	e.hire("new") // the only one, and not known before
	e.set("new", "role", "staff")
	e.wantHeld(e.pass())
	e.wantLosses()
	e.set("new", "role", "none")
	e.set("u007", "sn", "new")
	e.wantHeld(e.pass()) // nobody is staff now, and of everybody that was said
	e.wantLosses("user staff: 1")
}

// Where the flags of many aren't known because the rule is off, the reason says what becomes of them.
func TestRuleThatIsOffSaysSo(t *testing.T) {
	e := company(t, 60)
	e.setAll("role", "staff", uids(0, 10))
	e.cfg.Flags = staffBy("staff")
	e.pass()
	e.cfg.Flags = extractor.Flags{}
	s := e.pass()
	e.wantHeld(s, "user staff: 10 of 10")
	if reason := s.Held[0].Reason; !strings.HasSuffix(reason, "there is no flags.staff any more: accounts keep what they have") {
		t.Error(reason)
	}
	e.cfg.Flags = staffBy("stuff") // those of whom it says nothing any more, and those who are held
	s = e.pass()
	e.wantHeld(s, "user staff: 60 of 60")
	if s.Held[0].Change != proto.ChangeStaff || s.Users.Held != 60 {
		t.Errorf("%+v, %+v", s.Held[0], s.Users)
	}
}
