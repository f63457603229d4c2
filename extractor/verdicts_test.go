package extractor_test

import (
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/proto"
)

func TestApprovalReleasesOnlyWhatWasShown(t *testing.T) {
	e := company(t, 60)
	e.lose("mail", uids(0, 30)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 30 of 60")
	shown := s.Held[0]
	e.set("u000", "mail", "u000@x") // healed
	e.set("u001", "sn", "other")    // changed again
	e.leave("u002")                 // gone
	e.lose("mail", uids(40, 50)...) // not shown
	e.set("u003", "uid", " ")       // can't be read
	s = e.approve(shown)
	var lines []string
	for _, uid := range uids(4, 30) {
		lines = append(lines, "user id-"+uid)
	}
	e.wantPublished(shownAt(t, e, shown), append(lines, removed([]string{"u002"})...)...)
	e.wantHeld(s, "user attribute mail: 12 of 58") // u001, u003, and those who weren't shown
	e.wantLosses("user removed: 1")
	if d := s.Decided[0]; d.Entries != 26 || d.Hold.Hash != shown.Hash || !strings.HasPrefix(d.Note, "4 of 30") || d.Verdict.By != "eve" {
		t.Errorf("%+v", d)
	}
	again := e.approve(shown)
	if d := again.Decided[0]; d.Entries != 0 || d.Hold != nil || d.Note == "" {
		t.Errorf("%+v", d)
	}
	e.wantHeld(again, "user attribute mail: 12 of 58")
}

// shownAt is the sequence of the snapshot that told of a hold last.
func shownAt(t *testing.T, e *env, h extractor.Hold) uint64 {
	t.Helper()
	var at uint64
	_, last, _ := e.log.Bounds(t.Context())
	for ev, err := range e.log.Read(t.Context(), 1, last) {
		if err != nil {
			t.Fatal(err)
		}
		var m proto.SnapshotHeld
		if ev.Type != proto.TypeSnapshotHeld {
			continue
		}
		if err := proto.Unmarshal(ev, &m); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(m.Holds, func(held *proto.Hold) bool { return held.Hash == h.Hash }) {
			at = ev.Sequence
		}
	}
	return at
}

func TestVerdictsNameOneHold(t *testing.T) {
	e := company(t, 60, "all")
	e.lose("mail", uids(0, 30)...)
	e.leaveAll(uids(40, 50))
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 30 of 50", "user removed: 10 of 60")
	verdicts := []*proto.Verdict{
		{Hash: s.Held[0].Hash[:7], Decision: proto.Decision_DECISION_APPROVE},
		{Hash: "00000000", Decision: proto.Decision_DECISION_APPROVE},
		{Hash: s.Held[0].Hash},
		{Hash: strings.ToUpper(s.Held[1].Hash[:8]), Decision: proto.Decision_DECISION_APPROVE},
	}
	n := e.passWith(extractor.Options{Verdicts: verdicts})
	e.wantHeld(n, "user attribute mail: 30 of 50")
	for i, d := range n.Decided {
		if want := []uint64{0, 0, 0, 10}[i]; d.Entries != want || (d.Note == "") != (want > 0) {
			t.Errorf("%d: %+v", i, d)
		}
	}
	if got := e.published(s.Last)[1:6]; !slices.Equal(got, []string{
		"decided approve 0", "decided approve 0", "decided unspecified 0", "decided approve 10", "held",
	}) {
		t.Errorf("%q", got)
	}
}

func TestRejectedStayRejected(t *testing.T) {
	e := company(t, 60)
	e.lose("mail", uids(0, 30)...)
	s := e.pass()
	s = e.reject(s.Held[0])
	e.wantHeld(s, "user attribute mail: 30 of 60, rejected")
	e.lose("mail", "u031", "u032") // aren't drawn into it: two are within the limits
	n := e.pass()
	e.wantHeld(n, "user attribute mail: 30 of 60, rejected")
	e.wantPublished(s.Last, "user id-u031", "user id-u032")
	e.lose("mail", uids(40, 50)...) // too many again
	n = e.passWith(extractor.Options{Full: true})
	e.wantHeld(n, "user attribute mail: 10 of 58", "user attribute mail: 30 of 60, rejected")
	e.set("u001", "mail", "u001@x")
	n = e.pass()
	e.wantHeld(n, "user attribute mail: 10 of 58", "user attribute mail: 29 of 60, rejected")
	n = e.reject(n.Held[0])
	e.wantHeld(n, "user attribute mail: 39 of 60, rejected")
	n = e.approve(n.Held[0]) // a person thinks better of it
	e.wantHeld(n)
	if n.Users.Changed != 39 {
		t.Errorf("%+v", n.Users)
	}
}

// Who is held in two respects is released by an approval of either: that change of hers was seen.
func TestApprovalReleasesAnEntryWhole(t *testing.T) {
	e := company(t, 60, "all")
	e.lose("mail", uids(0, 20)...)
	e.team("all", uids(15, 60)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 20 of 60", "user membership gid-all: 15 of 60")
	n := e.approve(s.Held[1])
	e.wantHeld(n, "user attribute mail: 5 of 60")
	if n.Users.Changed != 15 || n.Users.Held != 5 {
		t.Errorf("%+v", n.Users)
	}
	e.wantLosses()
}

func TestNobodyIsRemovedWhileEntriesHaveNoID(t *testing.T) {
	e := company(t, 40)
	e.leaveAll(uids(0, 10))
	s := e.pass()
	e.wantHeld(s, "user removed: 10 of 40")
	id := e.user("u020").ID
	r := e.user("u020")
	r.ID = ""
	n := e.approve(s.Held[0])
	e.wantHeld(n, "user removed: 11 of 40") // u020 can't be told from those who left
	if d := n.Decided[0]; d.Entries != 0 || !strings.Contains(d.Note, "no entryUUID") || d.Hold.GetHash() != s.Held[0].Hash {
		t.Errorf("%+v", d)
	}
	r.ID = id
	n = e.pass()
	e.wantHeld(n, "user removed: 10 of 40")
	if n.Held[0].Hash != s.Held[0].Hash {
		t.Error("the same ten have another hash")
	}
	e.wantPublished(s.Last)
	n = e.approve(n.Held[0])
	e.wantPublished(s.Last, removed(uids(0, 10))...)
	e.wantHeld(n)
}

// A pass that ends before it has committed has decided nothing: the request is delivered again.
func TestVerdictSurvivesAnAbortedPass(t *testing.T) {
	e := company(t, 40)
	e.leaveAll(uids(0, 10))
	s := e.pass()
	log := &stopping{Log: e.log, at: 8} // in the midst of the removals
	verdicts := []*proto.Verdict{{Hash: s.Held[0].Hash, Decision: proto.Decision_DECISION_APPROVE}}
	if _, err := extractor.New(e.cfg, e.directory, log).Pass(t.Context(), extractor.Options{Verdicts: verdicts}); err == nil {
		t.Fatal("passed")
	}
	if _, err := e.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if gone := len(e.published(s.Last)); gone < 5 {
		t.Fatalf("published %d", gone)
	}
	n := e.passWith(extractor.Options{Verdicts: verdicts})
	e.wantHeld(n)
	e.wantPublished(s.Last, removed(uids(0, 10))...)
	e.wantLosses()
}

// Somebody who has thought better of it before the next pass is heard.
func TestTheLastDecisionAboutAHoldCounts(t *testing.T) {
	approve, reject := proto.Decision_DECISION_APPROVE, proto.Decision_DECISION_REJECT
	for name, test := range map[string]struct {
		decisions []proto.Decision
		entries   []uint64
		held      []string
	}{
		"rejected":  {[]proto.Decision{approve, reject}, []uint64{0, 30}, []string{"user removed: 30 of 60, rejected"}},
		"approved":  {[]proto.Decision{reject, approve}, []uint64{0, 30}, nil},
		"twice":     {[]proto.Decision{approve, approve}, []uint64{0, 30}, nil},
		"undecided": {[]proto.Decision{approve, 0}, []uint64{30, 0}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := company(t, 60)
			e.leaveAll(uids(0, 30))
			s := e.pass()
			var verdicts []*proto.Verdict
			for i, d := range test.decisions {
				verdicts = append(verdicts, &proto.Verdict{Hash: s.Held[0].Hash[:8+i], Decision: d})
			}
			n := e.passWith(extractor.Options{Verdicts: verdicts})
			e.wantHeld(n, test.held...)
			for i, d := range n.Decided {
				if d.Entries != test.entries[i] || (d.Note == "") != (d.Entries > 0) {
					t.Errorf("%d: %+v", i, d)
				}
			}
		})
	}
}

// An approval of one hold doesn't let happen what was rejected in another.
func TestApprovalOfOneHoldRespectsRejectionOfAnother(t *testing.T) {
	e := company(t, 60)
	e.cfg.Flags = flags()
	e.setAll("role", "super", uids(0, 60))
	e.pass()
	e.setAll("role", "staff", uids(0, 10))
	e.lose("mail", uids(5, 25)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 20 of 60", "user superuser: 10 of 60")
	e.reject(s.Held[1])
	n := e.approve(s.Held[0])
	e.wantHeld(n, "user attribute mail: 5 of 60", "user superuser: 10 of 60, rejected")
	if d := n.Decided[0]; d.Entries != 15 || !strings.HasPrefix(d.Note, "5 of 20") {
		t.Errorf("%+v", d)
	}
	if n.Users.Changed != 15 {
		t.Errorf("%+v", n.Users)
	}
	n = e.approve(n.Held[1]) // a person thinks better of it
	e.wantHeld(n)
}

// Nor does an approval that somebody is removed, if it was rejected that an administrator is.
func TestApprovedRemovalRespectsRejectedAdministrators(t *testing.T) {
	e := administered(t)
	e.leaveAll(uids(0, 20))
	s := e.pass()
	e.wantHeld(s, "user removed: 20 of 200", "user staff: 5 of 5", "user superuser: 4 of 4")
	e.reject(s.Held[2])
	n := e.approve(s.Held[0])
	e.wantHeld(n, "user removed: 4 of 200", "user staff: 4 of 5", "user superuser: 4 of 4, rejected")
	if n.Users.Removed != 16 {
		t.Errorf("%+v", n.Users)
	}
}

// A rejection is of one respect: what else those users lose still waits.
func TestRejectionIsOfOneRespect(t *testing.T) {
	e := company(t, 60)
	e.cfg.Flags = flags()
	e.setAll("role", "super", uids(0, 60))
	e.pass()
	e.setAll("role", "staff", uids(0, 10))
	e.lose("mail", uids(0, 20)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 20 of 60", "user superuser: 10 of 60")
	s = e.reject(s.Held[0])
	e.wantHeld(s, "user superuser: 10 of 60", "user attribute mail: 20 of 60, rejected")
	if n := s.Decided[0].Entries; n != 20 {
		t.Errorf("%d entries rejected", n)
	}
}

// Nor if she has lost something more since: that waits openly, and is approved in the respect in which it was rejected.
func TestRejectionOutlivesAnotherChange(t *testing.T) {
	e := company(t, 60)
	e.cfg.Flags = flags()
	e.setAll("role", "super", uids(0, 60))
	e.pass()
	e.setAll("role", "staff", uids(0, 10))
	e.reject(e.pass().Held[0])
	e.lose("mail", uids(5, 25)...)
	s := e.pass()
	e.wantHeld(s, "user attribute mail: 20 of 60", "user superuser: 5 of 60", "user superuser: 10 of 60, rejected")
	n := e.approve(s.Held[0])
	e.wantHeld(n, "user attribute mail: 5 of 60", "user superuser: 5 of 60", "user superuser: 10 of 60, rejected")
	n = e.approve(n.Held[1])
	e.wantHeld(n, "user superuser: 5 of 60, rejected")
}
