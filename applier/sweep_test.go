package applier

import (
	"fmt"
	"slices"
	"testing"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// all makes the target's scope all accounts.
func (e *env) all() {
	e.cfg.Scope = ScopeAll
	e.cfg.Limit = limit.Limit{Count: 5, Percent: 5, Most: 500, All: 5, On: true}
}

// wantGone compares the names of the accounts whose links are gone.
func (e *env) wantGone(names ...string) {
	e.t.Helper()
	var got []string
	for _, l := range e.over.links[proto.KindUser] {
		if l.State == Gone {
			got = append(got, l.Name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		e.t.Errorf("gone: %v, want %v", got, names)
	}
}

// wantHeld compares "count of all: reason decision".
func (e *env) wantHeld(lines ...string) []Held {
	e.t.Helper()
	var got []string
	for _, h := range e.held {
		line := fmt.Sprintf("%d of %d: %s", h.Count, h.Of, h.Reason)
		if h.Decision != Undecided {
			line += " " + string(h.Decision)
		}
		got = append(got, line)
	}
	slices.Sort(got)
	if !slices.Equal(got, lines) {
		e.t.Errorf("held: %q, want %q", got, lines)
	}
	return e.held
}

func (e *env) decide(d Decision) { e.memory.held[0].Decision = d }

func (e *env) crowd(n int, name string) {
	for i := range n {
		e.local(fmt.Sprintf("%s%02d", name, i), false)
	}
}

// Rule 2 of the design.
func TestLocalSuperuserIsOutOfReach(t *testing.T) {
	for _, scope := range []Scope{ScopeLinked, ScopeAll} {
		e := newEnv(t)
		e.all()
		e.cfg.Scope = scope
		e.local("root", true)
		e.local("boss", true)
		e.local("clerk", false)
		e.upsert("ada", "root")
		e.commitSnapshot()
		e.mustApply()
		e.commitSnapshot()
		e.mustApply()
		for _, pk := range []string{"1", "2"} {
			if l := e.over.owned[proto.KindUser][pk]; len(l) > 0 {
				t.Errorf("scope %s: a superuser has links %v", scope, l)
			}
		}
		if scope == ScopeLinked {
			e.wantGone()
		} else {
			e.wantGone("clerk")
		}
	}
}

func TestAccountsWithoutEntriesGo(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.cfg.Exclude = []string{"Svc-*", "backup"}
	for _, name := range []string{"svc-mail", "BACKUP", "old", "Ada"} {
		e.local(name, false)
	}
	e.upsert("ada", "bob")
	e.mustApply()
	e.wantGone() // no snapshot was committed yet
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("old")
	l := e.link("orphan:3")
	if l.PK != "3" || l.How != Swept || l.GoneSequence != 2 || l.GoneReason != reasonSwept || l.Source != "corp" || e.sum.Users.Removed != 1 {
		t.Errorf("%+v, %+v", l, e.sum.Users)
	}
	updates := e.updates
	e.commitSnapshot()
	e.mustApply()
	if e.updates != updates {
		t.Error("rule 7: nothing changed, and a transaction was written")
	}
	// Whoever comes with the name has the account.
	e.deactivate("orphan:3")
	e.upsert("7:old")
	e.mustApply()
	if l := e.link("7"); l.PK != "3" || l.How != Relinked || e.link("orphan:3").State != Deleted {
		t.Errorf("%+v", l)
	}
	e.want("1 svc-mail", "2 BACKUP", "3 old", "4 ada", "5 bob")
}

func TestTheScopeIsLinkedUnlessItIsSaid(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{}
	e.local("old", false)
	e.upsert("ada")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone()
	if len(e.complete) > 0 {
		t.Error("something was written for a scope that isn't set")
	}
}

func TestAnEntryThatCouldNotBeAppliedStandsBehindItsAccount(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.cfg.Adopt.Existing = false
	e.local("ada", false)
	e.local("bob", false)
	e.local("eve", false)
	e.upsert("ada", "bob mail=far-too-long-for-the-column")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("eve")
	e.upsert("9:eve") // adoption is off
	e.mustApply()
	if l := e.link("9"); l.PK != "" {
		t.Errorf("%+v", l)
	}
}

func TestEverySourceMustHaveBeenApplied(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.cfg.Sources = []string{"corp", "lab"}
	e.local("old", false)
	e.upsert("ada")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone()
	lab, labs := e.cfg, &stream{id: "s2"}
	lab.Source = "lab"
	corps, at := e.stream, e.checkpoint
	e.stream, e.checkpoint = labs, nil
	cfg := e.cfg
	e.cfg = lab
	e.upsert("zoe")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone() // the first source's applier judges
	if !e.complete["lab"] || !e.complete["corp"] {
		t.Errorf("complete: %v", e.complete)
	}
	e.stream, e.checkpoint, e.cfg = corps, at, cfg
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("old")
	// An entry of the other source may have it as well.
	e.stream, e.cfg, e.checkpoint = labs, lab, &Checkpoint{Source: "lab", StreamID: "s2", Sequence: 2, Mode: "live", Mapping: lab.hash()}
	e.upsert("8:old")
	e.mustApply()
	if l := e.link("8"); l.PK != "1" || l.Source != "lab" {
		t.Errorf("%+v", l)
	}
	if l := e.link("orphan:1"); l.State != Deleted || l.Source != "corp" {
		t.Errorf("%+v", l)
	}
}

func TestAnAbortedSnapshotSweepsNobody(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.local("old", false)
	e.upsert("ada")
	e.publish(proto.TypeSnapshotAborted, &proto.SnapshotAborted{})
	e.mustApply()
	e.wantGone()
}

func TestHalfTheAccountsAreHeld(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.crowd(10, "old")
	e.upsert("ada", "bob")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone()
	h := e.wantHeld("10 of 12: more than 5 and more than 5 %")[0]
	if len(h.Entries) != 160 || h.Source != "corp" || h.Hash == "" || len(e.sum.Held) != 1 {
		t.Errorf("%+v, summary %+v", h, e.sum.Held)
	}
	_, of := divide([]Row{{PK: "1"}, {PK: "10"}, {PK: "11"}}, []Held{h})
	if len(of[0]) != 2 || of[0][1].PK != "10" {
		t.Errorf("%v", of)
	}
	updates := e.updates
	e.commitSnapshot()
	e.mustApply()
	if e.updates != updates || len(e.sum.Held) != 1 {
		t.Errorf("%d transactions for a hold that stays; summary %+v", e.updates-updates, e.sum.Held)
	}
	e.decide(Approved)
	e.cfg.BatchEntries = 3 // in transactions of bounded size
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld()
	e.wantGone("old00", "old01", "old02", "old03", "old04", "old05", "old06", "old07", "old08", "old09")
	if len(e.sum.Held) != 0 || e.sum.Users.Removed != 10 {
		t.Errorf("%+v", e.sum)
	}
}

func TestApprovalReleasesOnlyWhatWasShown(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.crowd(10, "old")
	e.upsert("ada")
	e.commitSnapshot()
	e.mustApply()
	e.decide(Approved)
	e.crowd(20, "later")
	e.upsert("old03") // she has an entry after all
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("old00", "old01", "old02", "old04", "old05", "old06", "old07", "old08", "old09")
	e.wantHeld("20 of 31: more than 5 and more than 5 %")
}

func TestWhatIsHeldDoesNotGoInPortions(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.crowd(8, "old")
	e.upsert("ada")
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld("8 of 9: more than 5 and more than 5 %")
	e.upsert("old00", "old01", "old02", "old03") // four are left, fewer than the limit
	e.commitSnapshot()
	e.mustApply()
	e.wantGone()
	h := e.wantHeld("4 of 9: more than 5 and more than 5 %")
	e.local("other", false)
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("other") // 5 of 10 altogether don't meet the limit
	if again := e.wantHeld("4 of 9: more than 5 and more than 5 %"); again[0].Hash != h[0].Hash {
		t.Error("the same hold has another hash")
	}
	e.crowd(2, "more")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("other")
	e.wantHeld("6 of 12: more than 5 and more than 5 %")
	e.upsert("old04", "old05", "old06", "old07", "more00", "more01")
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld() // dissolved
}

func TestWhatWasRejectedStays(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.crowd(8, "old")
	e.upsert("ada")
	e.commitSnapshot()
	e.mustApply()
	e.decide(Rejected)
	updates := e.updates
	e.commitSnapshot()
	e.mustApply()
	if len(e.sum.Held) != 0 || e.updates != updates {
		t.Errorf("asked again: %+v", e.sum.Held)
	}
	e.local("other", false)
	e.upsert("old00", "old01", "old02", "old03", "old04")
	e.commitSnapshot()
	e.mustApply()
	e.wantGone("other")
	e.wantHeld("3 of 9: more than 5 and more than 5 % rejected")
	e.crowd(7, "more")
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld("3 of 9: more than 5 and more than 5 % rejected", "7 of 17: more than 5 and more than 5 %")
}

func TestAPreviewTellsWhatWouldBeHeld(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.local("old", false)
	e.upsert("ada")
	e.commitSnapshot()
	preview := func(more ...string) (Summary, []string) {
		var did []string
		sum, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(apply func(proto.Event) error) error {
			if len(more) == 0 {
				return nil
			}
			before := len(e.events)
			e.upsert(more...)
			last := e.events[before]
			e.events = e.events[:before]
			return apply(last)
		}, func(_ proto.Kind, c Change) { did = append(did, string(c.Action)+" "+c.Name) })
		if err != nil {
			t.Fatal(err)
		}
		return sum, did
	}
	if _, did := preview(); !slices.Contains(did, "remove old") {
		t.Errorf("%v", did)
	}
	if _, did := preview("old"); slices.Contains(did, "remove old") || !slices.Contains(did, "adopt old") {
		t.Errorf("an account that is adopted goes: %v", did)
	}
	e.crowd(9, "more")
	sum, did := preview()
	if len(sum.Held) != 1 || sum.Held[0].Count != 10 || slices.Contains(did, "remove old") {
		t.Errorf("%+v, %v", sum.Held, did)
	}
	if e.wantGone(); len(e.held) > 0 {
		t.Error("a preview wrote")
	}
}
