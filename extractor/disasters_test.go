package extractor_test

import (
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// What people reported elsewhere, by name.

// One leaver is within every limit, but not when the question was another one.
func TestFilterTypoRemovesNobody(t *testing.T) {
	e := company(t, 40, "all")
	_, before, _ := e.log.Bounds(t.Context())
	e.filter = "(&(uid=*)(l=Berln))"
	e.leave("u007")
	e.failAfter = 20 // the first try is aborted: the question stays a changed one
	if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil {
		t.Fatal("passed")
	}
	e.failAfter = -1
	s := e.pass()
	e.wantHeld(s, "user removed: 1 of 40")
	if !strings.Contains(s.Held[0].Reason, "user filter") {
		t.Errorf("reason: %s", s.Held[0].Reason)
	}
	second := e.pass() // the question is the last one's now, what is held stays held
	e.wantHeld(second, "user removed: 1 of 40")
	if second.Held[0].Hash != s.Held[0].Hash || second.Held[0].Since.IsZero() {
		t.Errorf("another hold: %+v, was %+v", second.Held[0], s.Held[0])
	}
	e.filter = "(uid=*)"
	e.hire("u007")
	e.team("all", uids(0, 40)...)
	e.wantHeld(e.pass())
	e.wantPublished(before)
}

func TestChangedQuestions(t *testing.T) {
	for name, change := range map[string]func(*env){
		"bases":      func(e *env) { e.bases = []string{"ou=people,dc=x"} },
		"teams":      func(e *env) { e.teams = "(cn=team*)" },
		"scope":      func(e *env) { e.scope = "one" },
		"directory":  func(e *env) { e.context = "dc=y" },
		"attributes": func(e *env) { e.asked = []string{"mail"} },
		"server":     func(e *env) { e.server = "ldap://other" },
		"spelling":   func(e *env) { e.bases, e.scope, e.context = []string{"DC=x"}, "Subtree", "DC=x" },
	} {
		t.Run(name, func(t *testing.T) {
			e := company(t, 40, "all")
			e.team("few", uids(0, 3)...)
			s := e.pass()
			change(e)
			e.leave("u007")
			e.team("all", uids(0, 39)...)
			e.groups = e.groups[1:] // without the few
			n := e.pass()
			switch name {
			case "server", "spelling":
				e.wantHeld(n)
				e.wantPublished(s.Last, "removed gid-few", "removed id-u007 "+dn("u007"),
					"user id-u000 in gid-all", "user id-u001 in gid-all", "user id-u002 in gid-all", "user id-u039")
			default:
				e.wantHeld(n, "group removed: 1 of 2", "user membership: 1 of 39", "user removed: 1 of 40")
				e.wantPublished(s.Last)
			}
		})
	}
}

func TestServerDownMidPassRemovesNobody(t *testing.T) {
	e := company(t, 40)
	_, before, _ := e.log.Bounds(t.Context())
	e.cfg.MaxMessage = 4096 + 200 // so that a user is published as soon as the next one is
	e.leave("u003")
	e.lose("mail", "u004", "u005")
	for _, after := range []int{0, 10, 39} {
		e.failAfter = after
		if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil {
			t.Fatal("passed")
		}
	}
	e.failAfter, e.noLookup = -1, true // it goes down during the second look
	if _, err := e.extractor().Pass(t.Context(), extractor.Options{}); err == nil {
		t.Fatal("passed")
	}
	e.wantPublished(before)
	e.noLookup = false
	s := e.pass()
	e.wantPublished(before, append(removed([]string{"u003"}), "user id-u004", "user id-u005")...)
	e.wantHeld(s)
}

// Always held, by limits that are off, too; and a person can insist.
func TestEmptyAnswerRemovesNobody(t *testing.T) {
	e := company(t, 3, "all")
	e.cfg.Limits = extractor.Limits{}
	_, before, _ := e.log.Bounds(t.Context())
	users, groups := e.users, e.groups
	e.users, e.groups = nil, nil
	s := e.pass()
	e.wantHeld(s, "group removed: 1 of 1", "user removed: 3 of 3")
	e.users = users[:2]
	e.wantHeld(e.pass(), "group removed: 1 of 1", "user removed: 1 of 3") // the rest dissolves; the last one waits, though the answer isn't empty any more
	e.groups = groups
	s = e.pass()
	e.wantHeld(s, "user removed: 1 of 3")
	e.wantPublished(before)
	e.users = nil
	s = e.pass()
	e.wantHeld(s, "user removed: 3 of 3")
	e.hide["id-u000"] = true
	e.users = users[:1] // empty, but who is looked for is there
	s = e.approve(s.Held[0])
	e.wantPublished(before, removed([]string{"u001", "u002"})...)
	e.wantHeld(s)
}

func TestLostReadRightIsNotClearedMail(t *testing.T) {
	e := company(t, 60)
	_, before, _ := e.log.Bounds(t.Context())
	e.lose("mail", uids(0, 58)...)
	e.set("u059", "mail", "new@x")
	e.hire("new")
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 58 of 60")
	if h := s.Held[0]; h.Name != "mail" || s.Users.Held != 58 || s.Users.Changed != 1 {
		t.Errorf("%+v, %+v", h, s.Users)
	}
	e.wantPublished(before, "user id-new", "user id-u059")
	e.wantHeld(e.pass(), "user attribute mail: 58 of 60")
	for _, uid := range uids(0, 58) {
		e.set(uid, "mail", uid+"@x")
	}
	healed := e.pass()
	e.wantHeld(healed)
	if healed.Users.Unchanged != 61 {
		t.Errorf("%+v", healed.Users)
	}
	e.wantPublished(before, "user id-new", "user id-u059")
}

func TestHalfTheCompanyIsHeld(t *testing.T) {
	e := company(t, 40)
	_, before, _ := e.log.Bounds(t.Context())
	e.leaveAll(uids(0, 20))
	e.hire("new")
	e.set("u030", "mail", "new@x")
	s := e.pass()
	e.wantHeld(s, "user removed: 20 of 40")
	e.wantPublished(before, "user id-new", "user id-u030")
	e.leave("u039") // within the limits if it were alone; it isn't
	s = e.pass()
	e.wantHeld(s, "user removed: 21 of 41")
	e.wantLosses()
	e.hire("u000")
	full := e.passWith(extractor.Options{Full: true})
	e.wantHeld(full, "user removed: 20 of 41")
	s = e.pass()
	e.wantHeld(s, "user removed: 20 of 41")
	if n := len(e.published(full.Last)); n != 2 {
		t.Errorf("nothing has changed, and %d events were published", n)
	}
	s = e.approve(s.Held[0])
	e.wantHeld(s)
	if s.Users.Removed != 20 {
		t.Errorf("%+v", s.Users)
	}
	e.wantPublished(full.Last, removed(append(uids(1, 20), "u039"))...)
	e.wantLosses() // a person approved them
}

// Whatever else somebody decides in that pass, and whomever a second look finds: an empty answer is held.
func TestEmptyAnswerIsHeldWhateverIsDecided(t *testing.T) {
	e := newEnv(t) // without limits
	e.hire("ada", "bob", "cyd")
	e.pass()
	e.leave("ada")
	e.hide["id-bob"], e.hide["id-cyd"] = true, true
	at := e.last()
	n := e.passWith(extractor.Options{Verdicts: []*proto.Verdict{{Hash: "0123456789", Decision: proto.Decision_DECISION_APPROVE}}})
	e.wantHeld(n, "user removed: 1 of 3")
	if got := e.entries(at); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// What is held is found by its place in the stream: a clock that was put back makes it older than the full snapshot before.
func TestWhatIsHeldIsFoundAfterTheClockWasPutBack(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limits, e.cfg.FullEvery = extractor.DefaultLimits(), 1e6*time.Hour
	e.hire(uids(0, 20)...)
	log := &extractor.MemoryLog{Now: time.Unix(1e9, 0)}
	pass := func() *extractor.Summary {
		t.Helper()
		s, err := extractor.New(e.cfg, e.directory, log).Pass(t.Context(), extractor.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pass()
	e.leaveAll(uids(0, 15))
	log.Now = log.Now.Add(-2 * time.Hour)
	s := pass()
	held, err := extractor.ReadHeld(t.Context(), log)
	if err != nil || len(s.Held) != 1 || len(held.Holds) != 1 || held.Holds[0].Hash != s.Held[0].Hash {
		t.Errorf("the pass held %+v, and %+v is found, %v", s.Held, held, err)
	}
}

// A full snapshot that was stored while the clock was ahead doesn't put off the next one until then: without it nothing of the history can be cut off.
func TestFullSnapshotIsDueAfterTheClockWasPutBack(t *testing.T) {
	e := newEnv(t)
	e.hire(uids(0, 3)...)
	now := time.Unix(1e9, 0)
	e.cfg.FullEvery, e.cfg.Now = 24*time.Hour, func() time.Time { return now }
	log := &extractor.MemoryLog{}
	for i, c := range []struct {
		clock time.Duration
		full  bool
	}{{0, true}, {time.Hour, false}, {9000 * time.Hour, true}, {8999 * time.Hour, false}, {2 * time.Hour, true}, {3 * time.Hour, false}} {
		now = time.Unix(1e9, 0).Add(c.clock)
		log.Now = now
		s, err := extractor.New(e.cfg, e.directory, log).Pass(t.Context(), extractor.Options{})
		if err != nil || s.Full != c.full {
			t.Errorf("pass %d: %+v, %v", i+1, s, err)
		}
	}
}
