package extractor_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// world is a random directory, its source, and what somebody who only reads the stream knows.
type world struct {
	*directory
	t        *rapid.T
	log      *extractor.MemoryLog
	cfg      extractor.Config
	hired    int
	read     int                    // events
	users    map[string]*proto.User // by their ids
	missing  map[string]bool
	approved map[string]proto.Digest // what a person approved in this pass: the digests by ids, zero of a removal
	gone     []time.Time             // when users were lost whom nobody had approved
	mails    []time.Time             // and when users lost their mail
	staff    []time.Time             // and when users lost the flag, or went with it
}

// Random directories, faults, runs and decisions: what the stream says follows the directory but for what is held; what nobody approved stays
// within the limits; nothing is counted twice or not at all; a pass in which nothing changed publishes two events.
func TestRandomRunsKeepTheRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{
			directory: newDirectory(), t: rt, log: &extractor.MemoryLog{Now: time.Unix(1e9, 0)},
			users: map[string]*proto.User{}, missing: map[string]bool{},
		}
		w.cfg = extractor.Config{
			Source: "corp", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true,
			Flags:  staffBy("staff"),
			Limits: extractor.DefaultLimits(), FullEvery: 1e6 * time.Hour, SpoolMemory: 500,
			ContentType: rapid.SampledFrom([]string{proto.ContentTypeProtobuf, proto.ContentTypeJSON}).Draw(rt, "encoding"),
			MaxMessage:  rapid.SampledFrom([]int{6 << 10, 1 << 20}).Draw(rt, "largest"),
			Grace:       rapid.SampledFrom([]time.Duration{0, 30 * time.Hour}).Draw(rt, "grace"),
		}
		w.hireSome(rapid.IntRange(10, 60).Draw(rt, "users"))
		w.team("all", uids(0, w.hired)...)
		w.pass(extractor.Options{}, false)
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			w.change()
			w.log.Now = w.log.Now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 5, 31}).Draw(rt, "hours")) * time.Hour)
			w.run()
		}
	})
}

func (w *world) hireSome(n int) {
	w.hire(uids(w.hired, w.hired+n)...)
	for i := range n {
		if (w.hired+i)%3 == 0 {
			w.set(fmt.Sprintf("u%03d", w.hired+i), "role", "staff")
		}
	}
	w.hired += n
}

// some draws a few of those who are there.
func (w *world) some() []string {
	var all []string
	for _, r := range w.directory.users {
		all = append(all, r.UID)
	}
	if len(all) == 0 {
		return nil
	}
	from := rapid.IntRange(0, len(all)-1).Draw(w.t, "from")
	n := rapid.SampledFrom([]int{1, 1, 2, 4, 7, len(all)}).Draw(w.t, "n")
	return all[from:min(len(all), from+n)]
}

func (w *world) change() {
	for range rapid.IntRange(0, 3).Draw(w.t, "changes") {
		switch rapid.SampledFrom([]string{"hire", "leave", "return", "lose", "mail", "name", "role", "rule", "group", "filter"}).Draw(w.t, "change") {
		case "hire":
			w.hireSome(rapid.IntRange(1, 3).Draw(w.t, "n"))
		case "leave":
			w.leaveAll(w.some())
		case "return":
			uid := fmt.Sprintf("u%03d", rapid.IntRange(0, w.hired-1).Draw(w.t, "who"))
			w.leave(uid)
			w.hire(uid)
		case "lose":
			w.lose("mail", w.some()...)
		case "mail":
			w.setAll("mail", "new@x", w.some())
		case "name":
			w.setAll("sn", fmt.Sprint(w.log.Now), w.some())
		case "role":
			w.setAll("role", rapid.SampledFrom([]string{"staff", "none"}).Draw(w.t, "role"), w.some())
		case "rule":
			w.cfg.Flags = rapid.SampledFrom([]extractor.Flags{{}, staffBy("staff"), staffBy("stuff")}).Draw(w.t, "rule")
		case "group":
			w.team("all", w.some()...)
		case "filter":
			w.filter += " "
		}
	}
}

// run makes a pass that something may happen to, or that decides something.
func (w *world) run() {
	var o extractor.Options
	o.Full = rapid.Bool().Draw(w.t, "full")
	w.approved = map[string]proto.Digest{}
	broken := false
	switch rapid.SampledFrom([]string{"", "", "", "cut", "lookup", "kill", "decide", "decide"}).Draw(w.t, "event") {
	case "cut":
		w.failAfter = rapid.IntRange(0, len(w.directory.users)).Draw(w.t, "after")
		broken = true
	case "lookup":
		w.noLookup, broken = true, true
	case "kill":
		at := rapid.IntRange(2, 8).Draw(w.t, "at")
		_, _ = extractor.New(w.cfg, w.directory, &stopping{Log: w.log, at: at}).Pass(w.t.Context(), o)
		w.follow()
	case "decide":
		o.Verdicts = w.verdicts()
	}
	w.pass(o, broken)
	w.failAfter, w.noLookup = -1, false
}

// verdicts decides about one of the holds.
func (w *world) verdicts() []*proto.Verdict {
	held := w.held()
	if len(held.Holds) == 0 {
		return nil
	}
	h := rapid.SampledFrom(held.Holds).Draw(w.t, "hold")
	d := rapid.SampledFrom([]proto.Decision{proto.Decision_DECISION_APPROVE, proto.Decision_DECISION_REJECT}).Draw(w.t, "decision")
	if d == proto.Decision_DECISION_APPROVE {
		maps.Copy(w.approved, w.entries(held, h))
	}
	return []*proto.Verdict{{Hash: h.Hash, Decision: d}}
}

func (w *world) held() *extractor.Held {
	held, err := extractor.ReadHeld(w.t.Context(), w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	return held
}

func (w *world) entries(held *extractor.Held, h extractor.Hold) map[string]proto.Digest {
	ids := map[string]proto.Digest{}
	for e, err := range held.Entries(w.t.Context(), h.Hash) {
		if err != nil {
			w.t.Fatal(err)
		}
		ids[e.User.GetId()+e.Group.GetId()] = e.Digest
	}
	if len(ids) != h.Count {
		w.t.Fatalf("%s: %d entries", line(h), len(ids))
	}
	return ids
}

// pass makes a pass, and if it commits, checks what the stream says then.
func (w *world) pass(o extractor.Options, broken bool) {
	s, err := extractor.New(w.cfg, w.directory, w.log).Pass(w.t.Context(), o)
	w.follow()
	if err != nil {
		if !broken {
			w.t.Fatal(err)
		}
		return
	}
	w.compare()
	w.approved = map[string]proto.Digest{}
	again, err := extractor.New(w.cfg, w.directory, w.log).Pass(w.t.Context(), extractor.Options{})
	if !broken && (err != nil || again.Last != s.Last+2) {
		w.t.Fatalf("nothing changed, and %d events were published (%v)", again.Last-s.Last, err)
	}
	w.follow()
}

// compare holds what the stream says equal to the directory, but for what is held.
func (w *world) compare() {
	held := w.held()
	waits := map[string]proto.Digest{}
	for _, h := range held.Holds {
		maps.Copy(waits, w.entries(held, h))
	}
	there := map[string]bool{}
	for _, r := range w.directory.users {
		there[r.ID] = true
		u := w.users[r.ID]
		if u == nil || w.missing[r.ID] {
			w.t.Fatalf("%s is there, and the stream doesn't say so", r.ID)
		}
		if _, held := waits[r.ID]; held {
			continue
		}
		in := slices.ContainsFunc(w.groups, func(g extractor.Record) bool { return slices.Contains(g.Members, r.DN) })
		if len(u.GetAttributes()) != len(r.Attributes) || in != (len(u.GetGroupIds()) > 0) {
			w.t.Fatalf("%v is published as %v", r, u)
		}
		if got, want := u.GetStaff(), w.isStaff(r); got != want || (u.Staff == nil) != (w.cfg.Flags.Staff == nil) {
			w.t.Fatalf("%v is published as %v", r, u)
		}
		for _, a := range r.Attributes { // in whatever order
			if !slices.ContainsFunc(u.GetAttributes(), func(p *proto.Attribute) bool {
				return p.GetName() == a.Name && slices.Equal(p.GetValues(), a.Values)
			}) {
				w.t.Fatalf("%v is published as %v", r, u)
			}
		}
	}
	for id := range w.users {
		if _, held := waits[id]; !there[id] && !held && !w.missing[id] {
			w.t.Fatalf("%s is gone, and neither removed nor held", id)
		}
	}
}

// follow reads what was published since, and counts what was lost.
func (w *world) follow() {
	for _, e := range w.log.Events[w.read:] {
		w.take(e)
	}
	w.read = len(w.log.Events)
	w.within("users", w.gone, 5)
	w.within("mail", w.mails, 9) // of at most 100 users
	w.within("staff", w.staff, 2)
	if w.log.Events[len(w.log.Events)-1].Type == proto.TypeSnapshotCommitted {
		got := tellLosses(w.t, w.log.Events)
		if got["user removed"] != len(w.gone) || got["user attribute mail"] != len(w.mails) || got["user staff"] != len(w.staff) {
			w.t.Fatalf("told %v, lost %d, %d and %d", got, len(w.gone), len(w.mails), len(w.staff))
		}
	}
}

// within checks that no more than so many were lost in any 24 hours.
func (w *world) within(what string, lost []time.Time, most int) {
	n := 0
	for _, at := range lost {
		if at.After(w.log.Now.Add(-24 * time.Hour)) {
			n++
		}
	}
	if n > most {
		w.t.Fatalf("%s: %d were lost within a day, and nobody approved it", what, n)
	}
}

func tellLosses(t *rapid.T, events []proto.Event) map[string]int {
	got := map[string]int{}
	for _, e := range events {
		if err := countInto(got, e); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func (w *world) take(e proto.Event) {
	must := func(m proto.Message) {
		if err := proto.Unmarshal(e, m); err != nil {
			w.t.Fatal(err)
		}
	}
	switch e.Type {
	case proto.TypeUserUpserted:
		var m proto.UserUpserted
		must(&m)
		for i, u := range m.GetUsers() {
			was := w.users[u.GetId()]
			if d, ok := w.approved[u.GetId()]; was != nil && (!ok || d != proto.DigestUser(u)) {
				if hasMail(was) && !hasMail(u) {
					w.mails = append(w.mails, e.Time)
				}
				if was.GetStaff() && !u.GetStaff() || was.Staff == nil && u.Staff != nil && !w.anyStaff() {
					w.staff = append(w.staff, e.Time)
				}
			}
			w.users[u.GetId()] = u
			if len(m.GetRetained()) == 0 || m.GetRetained()[i] != proto.Retained_RETAINED_MISSING {
				delete(w.missing, u.GetId())
			}
		}
	case proto.TypeUserMissing:
		var m proto.UserMissing
		must(&m)
		id := m.GetUser().GetId()
		w.loses(id, m.GetApproved(), e.Time)
		w.missing[id] = true
	case proto.TypeUserRemoved:
		var m proto.UserRemoved
		must(&m)
		id := m.GetUser().GetId()
		w.loses(id, m.GetApproved(), e.Time)
		if d, ok := w.approved[id]; m.GetApproved() != "" && (!ok || d != proto.Digest{}) {
			w.t.Fatalf("%s: nobody has approved it by %q", id, m.GetApproved())
		}
		delete(w.users, id)
		delete(w.missing, id)
	}
}

// loses notes that a user is gone, unless she was missing before, or somebody approved it.
func (w *world) loses(id, approved string, at time.Time) {
	if w.missing[id] || approved != "" {
		return
	}
	w.gone = append(w.gone, at)
	if w.users[id].GetStaff() {
		w.staff = append(w.staff, at)
	}
}

// isStaff tells whether the rule makes a record staff.
func (w *world) isStaff(r extractor.Record) bool {
	rule := w.cfg.Flags.Staff
	return rule != nil && slices.ContainsFunc(r.Attributes, func(a extractor.Attribute) bool {
		return a.Name == rule.Attribute && slices.Equal(a.Values, rule.Equals)
	})
}

// anyStaff tells whether the rule makes anybody staff.
func (w *world) anyStaff() bool { return slices.ContainsFunc(w.directory.users, w.isStaff) }

func hasMail(u *proto.User) bool {
	return slices.ContainsFunc(u.GetAttributes(), func(a *proto.Attribute) bool { return a.GetName() == "mail" })
}
