package extractor_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// clocked is a stream with a clock of its own: the events behind a sequence bear times that are later by so much.
type clocked struct {
	extractor.Log
	later []shift
}

type shift struct {
	after uint64
	by    time.Duration
}

func (c *clocked) at(e proto.Event) proto.Event {
	for _, s := range c.later {
		if e.Sequence > s.after {
			e.Time = e.Time.Add(s.by)
		}
	}
	return e
}

func (c *clocked) Get(ctx context.Context, seq uint64) (proto.Event, error) {
	e, err := c.Log.Get(ctx, seq)
	return c.at(e), err
}

func (c *clocked) LastOf(ctx context.Context, t proto.Type) (proto.Event, error) {
	e, err := c.Log.LastOf(ctx, t)
	return c.at(e), err
}

func (c *clocked) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for e, err := range c.Log.Read(ctx, from, to) {
			if !yield(c.at(e), err) {
				return
			}
		}
	}
}

func (c *clocked) Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for e, err := range c.Log.Since(ctx, time.Time{}, types...) {
			if e = c.at(e); err == nil && e.Time.Before(from) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// graceful is a company whose leavers are missing for a week.
func graceful(t *testing.T, users int) (*env, *clocked) {
	e := company(t, users)
	e.cfg.Grace, e.cfg.FullEvery = 7*24*time.Hour, 1000*time.Hour
	return e, &clocked{Log: e.log}
}

// pass makes a pass, by an extractor that knows nothing of those before.
func (c *clocked) pass(e *env, o extractor.Options) *extractor.Summary {
	e.t.Helper()
	s, err := extractor.New(e.cfg, e.directory, c).Pass(e.t.Context(), o)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// wait lets time go by.
func (c *clocked) wait(e *env, d time.Duration) {
	e.t.Helper()
	_, last, err := e.log.Bounds(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	c.later = append(c.later, shift{last, d})
}

const day = 24 * time.Hour

func TestGrace(t *testing.T) {
	e, c := graceful(t, 40)
	e.leaveAll(uids(0, 2))
	first := c.pass(e, extractor.Options{})
	e.want(first.First, "missing id-u000", "missing id-u001", "committed 2")
	e.wantLosses("user removed: 2")
	if first.Missing != 2 || first.NewlyMissing != 2 || first.Users.Removed != 0 {
		t.Errorf("%+v", first)
	}
	c.wait(e, 3*day)
	e.leave("u002")
	second := c.pass(e, extractor.Options{})
	e.want(second.First, "missing id-u002", "committed 3")
	if second.Missing != 3 || second.NewlyMissing != 1 {
		t.Errorf("%+v", second)
	}
	c.wait(e, 3*day)
	full := c.pass(e, extractor.Options{Full: true}) // from here on the stream is folded
	if got := e.published(full.First); !slices.Equal(got[len(got)-7:], []string{
		"user id-u000 missing", "user id-u001 missing", "user id-u002 missing",
		"missing id-u000", "missing id-u001", "missing id-u002", "committed 4",
	}) {
		t.Errorf("%q", got)
	}
	e.wantLosses()
	e.hire("u001") // returns
	delta := c.pass(e, extractor.Options{})
	e.want(delta.First, "user id-u001", "committed 5")
	c.wait(e, day+time.Minute)
	delta = c.pass(e, extractor.Options{})
	e.want(delta.First, "removed id-u000 "+dn("u000"), "committed 6")
	e.wantLosses() // she was counted when she was found missing
	if delta.Missing != 1 || delta.Users.Removed != 1 {
		t.Errorf("%+v", delta)
	}
	e.hire("u000")
	if s := c.pass(e, extractor.Options{}); s.Users.Added != 1 {
		t.Errorf("%+v", s.Users)
	}
	c.wait(e, 3*day)
	delta = c.pass(e, extractor.Options{})
	e.want(delta.First, "removed id-u002 "+dn("u002"), "committed 8")
	e.leave("u000") // and again: a new grace
	delta = c.pass(e, extractor.Options{})
	e.want(delta.First, "missing id-u000", "committed 9")
}

func TestMissingCountForTheLimits(t *testing.T) {
	e, c := graceful(t, 100)
	e.leaveAll(uids(0, 5))
	c.pass(e, extractor.Options{})
	e.leaveAll(uids(5, 7))
	s := c.pass(e, extractor.Options{})
	e.wantHeld(s, "user removed: 2 of 95")
	s = c.pass(e, extractor.Options{Verdicts: []*proto.Verdict{{Hash: s.Held[0].Hash, Decision: proto.Decision_DECISION_APPROVE}}})
	e.wantHeld(s)
	e.wantPublished(s.First, "missing id-u005", "missing id-u006")
	e.wantLosses()
	c.wait(e, 8*day)
	s = c.pass(e, extractor.Options{})
	if s.Users.Removed != 7 { // the limits aren't asked again
		t.Errorf("%+v", s.Users)
	}
	e.wantLosses()
}

// Whose grace is over stays as long as the listing can't tell who is gone, and if the question is another one.
func TestGraceEndsByAGoodListingOnly(t *testing.T) {
	e, c := graceful(t, 40)
	e.leaveAll(uids(0, 2))
	before := c.pass(e, extractor.Options{})
	c.wait(e, 8*day)
	users := e.users
	e.users = nil
	if s := c.pass(e, extractor.Options{}); s.Users.Removed != 0 || s.Missing != 2 {
		t.Errorf("%+v", s)
	}
	e.users = users
	id := e.user("u020").ID
	e.user("u020").ID = ""
	if s := c.pass(e, extractor.Options{}); s.Users.Removed != 0 || s.Missing != 2 {
		t.Errorf("%+v", s)
	}
	for i := range e.users {
		if e.users[i].ID == "" {
			e.users[i].ID = id
		}
	}
	e.hide["id-u000"], e.filter = true, "(uid=u*)"
	e.hire("u000") // the listing lacks her, the second look doesn't
	s := c.pass(e, extractor.Options{})
	e.wantHeld(s, "user removed: 1 of 38")
	if s.Missing != 1 {
		t.Errorf("%+v", s)
	}
	full := c.pass(e, extractor.Options{Full: true})
	e.wantHeld(full, "user removed: 1 of 38")
	s = c.pass(e, extractor.Options{Verdicts: []*proto.Verdict{{Hash: full.Held[0].Hash, Decision: proto.Decision_DECISION_APPROVE}}})
	e.wantHeld(s)
	e.wantPublished(before.Last, append(e.lines(full.First, full.Last), "user id-u000", "removed id-u001 "+dn("u001"))...)
}

// lines are what the events of a full snapshot say, without brackets.
func (e *env) lines(first, last uint64) []string {
	var lines []string
	for ev, err := range e.log.Read(e.t.Context(), first, last) {
		if err != nil {
			e.t.Fatal(err)
		}
		if ev.Type.Entry() {
			lines = append(lines, describe(e.t, ev)...)
		}
	}
	return lines
}

// A full snapshot that ends in the middle must not begin anybody's grace anew, nor forget it.
func TestAbortedFullKeepsGraceAndHolds(t *testing.T) {
	for at := 2; at < 9; at++ {
		e, c := graceful(t, 40)
		e.leaveAll(uids(0, 2))
		c.pass(e, extractor.Options{})
		e.lose("mail", uids(10, 30)...)
		held := c.pass(e, extractor.Options{})
		c.wait(e, 4*day)
		e.leave("u002")
		e.cfg.FullEvery = time.Nanosecond
		e.kill(c, at)
		e.cfg.FullEvery = 1000 * time.Hour
		c.wait(e, 2*day)
		s := c.pass(e, extractor.Options{})
		e.wantHeld(s, "user attribute mail: 20 of 38")
		if s.Held[0].Hash != held.Held[0].Hash || s.Missing != 3 {
			t.Errorf("killed at %d: %+v", at, s)
		}
		c.wait(e, day+time.Hour)
		if at%2 == 0 { // and a pass that removes them ends in the middle, too
			e.kill(c, 3)
		}
		if s = c.pass(e, extractor.Options{}); s.Users.Removed != uint64(1+at%2) || s.Missing != 1 {
			t.Errorf("killed at %d: %+v", at, s)
		}
		got := map[string]int{}
		for ev, err := range e.log.Read(t.Context(), 1, s.Last) {
			if err != nil {
				t.Fatal(err)
			}
			count(t, got, ev)
		}
		if got["user removed"] != 3 {
			t.Errorf("killed at %d: %v", at, got)
		}
	}
}

// Who returns from missing with a change that is held is there again, as last known.
func TestMissingReturnsWithAHeldChange(t *testing.T) {
	e, c := graceful(t, 40)
	e.leaveAll(uids(0, 1))
	first := c.pass(e, extractor.Options{})
	e.hire("u000")
	e.lose("mail", uids(0, 20)...)
	s := c.pass(e, extractor.Options{})
	e.wantHeld(s, "user attribute mail: 20 of 40")
	if u := e.lastUser(first.Last); u.GetId() != "id-u000" || len(u.GetAttributes()) != 2 {
		t.Errorf("%+v", u)
	}
	s = c.pass(e, extractor.Options{})
	e.want(s.First, "committed 4")
	if s.Missing != 0 {
		t.Errorf("%+v", s)
	}
}

// Without a grace, or with a shorter one, whoever is missing is removed by the next pass.
func TestGraceTakenAway(t *testing.T) {
	e, c := graceful(t, 40)
	e.leaveAll(uids(0, 2))
	c.pass(e, extractor.Options{})
	e.cfg.Grace = 0
	s := c.pass(e, extractor.Options{})
	e.want(s.First, append(removed(uids(0, 2)), "committed 3")...)
}

// Who is back and can't be read is back: when she leaves again, her grace is a new one.
func TestUnreadableReturnEndsTheGrace(t *testing.T) {
	e, c := graceful(t, 60)
	r := *e.user("u000")
	e.leave("u000")
	c.pass(e, extractor.Options{})
	c.wait(e, 8*day)
	r.Skip = "garbled"
	e.users = append(e.users, r)
	at := e.last()
	if s := c.pass(e, extractor.Options{}); s.Missing != 0 {
		t.Errorf("%+v", s)
	}
	e.wantPublished(at, "user id-u000")
	at = e.last()
	c.pass(e, extractor.Options{})
	if got := e.published(at); len(got) != 2 {
		t.Errorf("%q", got)
	}
	e.leave("u000")
	at = e.last()
	c.pass(e, extractor.Options{})
	e.wantPublished(at, "missing id-u000")
	e.wantLosses("user removed: 1")
	at = e.last()
	c.pass(e, extractor.Options{})
	e.wantPublished(at)
}

// That another question doesn't find her says nothing of how long she has been gone.
func TestAnotherQuestionBeginsTheGraceAnew(t *testing.T) {
	e, c := graceful(t, 60)
	e.leave("u000")
	c.pass(e, extractor.Options{})
	c.wait(e, 5*day)
	e.filter = "(ou=elsewhere)"
	at := e.last()
	c.pass(e, extractor.Options{})
	e.wantPublished(at, "missing id-u000")
	e.wantLosses()
	for _, full := range []bool{false, true} {
		c.wait(e, 3*day)
		at = e.last()
		e.wantHeld(c.pass(e, extractor.Options{Full: full}))
		if slices.Contains(e.published(at), removed([]string{"u000"})[0]) {
			t.Error("her grace ended by a question that never knew her")
		}
	}
	c.wait(e, 2*day)
	at = e.last()
	c.pass(e, extractor.Options{})
	e.wantPublished(at, removed([]string{"u000"})...)
}

// Who returned and leaves again has a grace of her own, and counts again.
func TestSecondAbsenceHasItsOwnGrace(t *testing.T) {
	for name, back := range map[string]func(e *env, c *clocked){
		"after a return": func(*env, *clocked) {},
		"after a removal": func(e *env, c *clocked) {
			r := *e.user("u000")
			e.leave("u000")
			c.pass(e, extractor.Options{})
			e.cfg.Grace = 0
			c.pass(e, extractor.Options{}) // removed
			e.cfg.Grace = 7 * day
			e.users = append(e.users, r)
			c.pass(e, extractor.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, c := graceful(t, 60)
			r := *e.user("u000")
			e.leave("u000")
			c.pass(e, extractor.Options{})
			e.users = append(e.users, r)
			c.pass(e, extractor.Options{})
			back(e, c)
			c.wait(e, 8*day)
			e.leave("u000")
			c.pass(e, extractor.Options{})
			e.wantLosses("user removed: 1")
			at := e.last()
			c.pass(e, extractor.Options{})
			e.wantPublished(at)
		})
	}
}

// A missing member of a group that is held returns though nothing but that group has changed.
func TestMissingReturnsWithNothingButAHeldGroupChanged(t *testing.T) {
	e := company(t, 60, "a", "b", "c", "d", "e", "f", "g", "h")
	e.cfg.Grace = time.Hour
	u := *e.user("u000")
	e.leave("u000")
	e.pass()
	e.groups = e.groups[6:]
	e.users = append(e.users, u)
	at := e.last()
	e.wantHeld(e.pass(), "group removed: 6 of 8")
	if got := e.entries(at); len(got) != 1 {
		t.Errorf("she returned: %q", got)
	}
}

// Who was missing and is removed isn't subtracted for ever from those who are there.
func TestRemovedAreMissingNoMore(t *testing.T) {
	e, c := graceful(t, 60)
	e.leave("u000")
	c.pass(e, extractor.Options{})
	c.wait(e, 8*day)
	c.pass(e, extractor.Options{})
	e.leaveAll(uids(1, 7))
	e.wantHeld(c.pass(e, extractor.Options{}), "user removed: 6 of 59")
}
