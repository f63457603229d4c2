package applier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestJoinChangeLeaveReturn(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada mail=a@x in dev", "bob")
	e.mustApply()
	e.want("2 ada a@x in dev", "3 bob")
	e.upsert("ada mail=b@x")
	e.remove("id-bob")
	e.mustApply()
	e.want("2 ada b@x", "3 bob")
	if l := e.over.links[proto.KindUser]["id-bob"]; l.State != Gone || l.GoneSequence != 4 || l.GoneReason != "not found" {
		t.Errorf("link: %+v", l)
	}
	e.upsert("bob")
	e.mustApply()
	if l := e.over.links[proto.KindUser]["id-bob"]; l.State != Present || l.GoneSequence != 0 || l.PK != "3" {
		t.Errorf("link: %+v", l)
	}
}

func TestEventAppliedTwiceChangesNothing(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada in dev", "bob")
	e.mustApply()
	writes := e.writes
	e.checkpoint.Sequence = 0 // as if it had been lost
	e.mustApply()
	if e.writes != writes || e.sum.Users.Unchanged != 2 {
		t.Errorf("%d writes; %+v", e.writes-writes, e.sum.Users)
	}
}

func TestRenamesWithinABatch(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want []string }{
		"swap":       {[]string{"1:ada", "2:bob"}, []string{"1:bob", "2:ada"}, []string{"1 bob", "2 ada"}},
		"cycle":      {[]string{"1:a", "2:b", "3:c"}, []string{"1:b", "2:c", "3:a"}, []string{"1 b", "2 c", "3 a"}},
		"chain":      {[]string{"1:a", "2:b", "3:c"}, []string{"1:b", "2:c", "3:d"}, []string{"1 b", "2 c", "3 d"}},
		"newcomer":   {[]string{"1:a"}, []string{"2:a", "1:b"}, []string{"1 b", "2 a"}},
		"case":       {[]string{"1:ada"}, []string{"1:Ada"}, []string{"1 Ada"}},
		"swap, case": {[]string{"1:ada", "2:bob"}, []string{"1:BOB", "2:Ada"}, []string{"1 BOB", "2 Ada"}},
	} {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, split %v", name, split), func(t *testing.T) {
				e := newEnv(t)
				if split {
					e.cfg.BatchEntries = 1
				}
				e.upsert(c.before...)
				e.mustApply()
				for _, spec := range c.after {
					e.upsert(spec)
				}
				e.commitSnapshot()
				e.mustApply()
				e.want(c.want...)
				e.wantLetters()
			})
		}
	}
}

func TestTakenNameIsParkedThenDead(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:ADA", "3:bob")
	e.mustApply()
	e.want("1 ada", "2 bob")
	e.wantLetters(`2 parked=true "ADA" is taken by uid=ada`)
	e.commitSnapshot()
	e.mustApply()
	e.wantLetters(`2 parked=false "ADA" is taken by uid=ada`)
	updates := e.updates
	e.commitSnapshot()
	e.mustApply()
	if e.updates != updates {
		t.Error("a letter that stays as it is was written again")
	}
	e.upsert("1:eve")
	e.mustApply()
	e.want("1 eve", "2 bob", "3 ADA")
	e.wantLetters()
}

func TestReplacedAccountIsRelinked(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada")
	e.mustApply()
	e.upsert("2:ada") // additions come before removals
	e.remove("1")
	e.mustApply()
	e.want("1 ada")
	links := e.over.links[proto.KindUser]
	if links["2"].PK != "1" || links["2"].How != Relinked || links["1"].State != Deleted || links["1"].PK != "" {
		t.Errorf("links: %+v", links)
	}
	e.remove("2")
	e.mustApply()
	e.upsert("3:ada")
	e.mustApply()
	if links["3"].PK != "1" || links["2"].PK != "" {
		t.Errorf("links: %+v", links)
	}
}

// Rule 2 of the design.
func TestRule2AdoptionNeedsLeave(t *testing.T) {
	e := newEnv(t)
	e.local("Ada", false)
	e.local("root", true)
	e.local("eve", false)
	e.local("EVE", false)
	e.upsert("1:ada", "2:root", "3:Eve", "4:eve")
	e.mustApply()
	e.wantLetters(
		`2 parked=false "root" exists already as staff or superuser, and adopt.privileged is off`,
		`3 parked=false "Eve" matches several accounts: "EVE", "eve"`)
	e.want("1 ada", "2 root", "3 eve", "4 EVE")
	if e.over.links[proto.KindUser]["4"].PK != "3" {
		t.Error("exact case doesn't win")
	}
	e.cfg.Adopt.Privileged = true
	e.commitSnapshot()
	e.mustApply()
	if e.over.links[proto.KindUser]["2"].How != Adopted {
		t.Error("root wasn't adopted")
	}
	e.cfg.Adopt.Existing = false
	e.local("kim", false)
	e.upsert("kim")
	e.mustApply()
	if l := e.over.letters[proto.KindUser]["id-kim"]; l == nil || !strings.Contains(l.Reason, "adopt.existing") {
		t.Errorf("letter: %+v", l)
	}
}

func TestOtherSourcesAccountIsLeftAlone(t *testing.T) {
	e := newEnv(t)
	pk := e.local("ada", false)
	e.over.owned[proto.KindUser][pk] = map[string]bool{"other": true}
	e.over.links[proto.KindUser]["other"] = Link{Source: "lab", ID: "other", PK: pk, State: Present}
	e.upsert("ada")
	e.mustApply()
	e.wantLetters(`id-ada parked=false "ada" belongs to source lab`)
}

// Rule 5 of the design.
func TestRule5OneBadEntryStopsNobody(t *testing.T) {
	e := newEnv(t)
	var specs []string
	for i := range 100 {
		specs = append(specs, fmt.Sprintf("u%02d mail=m%02d", i, i))
	}
	specs[17] = "u17 mail=" + strings.Repeat("x", 21)
	e.bad = "m42"
	e.upsert(specs...)
	e.mustApply()
	if n := len(e.over.rows[proto.KindUser]); n != 98 {
		t.Errorf("%d rows", n)
	}
	e.wantLetters("id-u17 parked=false email: 21 characters, at most 20 fit", "id-u42 parked=false the database refuses it: refused")
	e.bad = ""
	e.upsert("u17 mail=ok")
	e.commitSnapshot()
	e.mustApply()
	e.wantLetters("id-u42 parked=false the database refuses it: refused") // a delta doesn't try what may cost an id
	e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: 1, Full: true})
	e.mustApply()
	e.wantLetters()
	if n := len(e.over.rows[proto.KindUser]); n != 100 {
		t.Errorf("%d rows", n)
	}
}

func TestActive(t *testing.T) {
	const by, nobody = "sync", ""
	yes, no := true, false
	for _, c := range []struct {
		name    string
		rule    *bool
		written *bool
		by      string
		is      bool
		want    any
	}{
		{"no rule", nil, nil, nobody, true, Keep{}},
		{"no rule, a person deactivated", nil, nil, nobody, false, Keep{}},
		{"returns, sync deactivated", nil, nil, by, false, true},
		{"returns, a person deactivated", nil, nil, "other", false, Keep{}},
		{"returns disabled", &no, nil, by, false, Keep{}},
		{"returns enabled", &yes, nil, by, false, true},
		{"disabled", &no, nil, nobody, true, false},
		{"enabled again", &yes, &no, nobody, false, true},
		{"a person deactivated", &yes, &yes, nobody, false, Keep{}},
		{"a person deactivated before sync came", &yes, nil, nobody, false, Keep{}},
	} {
		u := &proto.User{Active: c.rule}
		got := decide(u, Link{ActiveWritten: c.written, DeactivatedBy: c.by}, c.is)
		if got.value != c.want {
			t.Errorf("%s: %v, wanted %v", c.name, got.value, c.want)
		}
	}
}

func TestActiveRuleGivesBackWhatItTook(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada active", "bob inactive")
	e.mustApply()
	e.want("1 ada", "2 bob inactive")
	e.upsert("ada inactive", "bob active")
	e.mustApply()
	e.want("1 ada inactive", "2 bob")
	e.upsert("ada active")
	e.mustApply()
	e.want("1 ada", "2 bob")
}

func TestChangedMappingIsAppliedFromTheStream(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada mail=a@x", "bob mail=b@x")
	e.mustApply()
	e.upsert("ada mail=c@x")
	e.remove("id-bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 ada c@x", "2 bob b@x")
	upper, err := NewMapping(table{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}, Upper: true}})
	if err != nil {
		t.Fatal(err)
	}
	e.cfg.Users = upper
	e.mustApply()
	e.want("1 ada C@X", "2 bob b@x") // whoever is gone stays as she was
	writes := e.writes
	e.mustApply()
	if e.writes != writes {
		t.Error("the same mapping was applied twice")
	}
}

func TestLateJoinerStartsAtTheLastFull(t *testing.T) {
	e := newEnv(t)
	e.upsert("old")
	e.upsert("ada")
	e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: 2})
	e.upsert("bob")
	e.mustApply()
	e.want("1 ada", "2 bob")
}

func TestAnotherStreamIsRefused(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.mustApply()
	e.stream = &stream{id: "s2"}
	e.upsert("ada", "bob")
	e.commitSnapshot()
	err := e.apply()
	if class, hint := fault.Of(err); class != fault.Stream || !strings.Contains(hint, "--accept-stream") {
		t.Fatalf("err = %v (%v, %q)", err, class, hint)
	}
	e.want("1 ada")
	e.cfg.AcceptStream = true
	e.mustApply()
	e.want("1 ada", "2 bob")
	e.cfg.AcceptStream = false
	e.mustApply()
}

// Rule 3 of the design: of two appliers one moves the checkpoint, and the other starts over.
func TestRule3SecondApplierStartsOver(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.upsert("bob")
	e.cfg.BatchEntries = 1
	once := false
	e.fail = func() error {
		if !once {
			once = true
			return ErrMoved
		}
		return nil
	}
	e.mustApply()
	e.want("2 ada", "3 bob") // the first attempt was rolled back
}

func TestGroupsThatAreNotThereYet(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada in dev")
	e.mustApply()
	e.want("1 ada")
	if e.sum.Users.Created != 1 {
		t.Errorf("%+v", e.sum)
	}
}

func TestUnknownGroupsLeaveMembershipsAlone(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada in dev")
	e.mustApply()
	u := user("ada mail=n")
	u.GroupsUnknown = true
	d := proto.DigestUser(u)
	e.publish(proto.TypeUserUpserted, &proto.UserUpserted{Ids: []string{u.Id}, Digests: d[:], Users: []*proto.User{u}})
	e.mustApply()
	e.want("2 ada n in dev")
}

func TestPreviewWritesNothingAndTellsAll(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:bob")
	e.mustApply()
	e.upsert("1:bob") // published, not applied
	writes := e.writes
	var got []string
	sum, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(apply func(proto.Event) error) error {
		other := newEnv(t)
		other.upsert("2:ada", "3:kim mail="+strings.Repeat("x", 30), "4:eve")
		other.upsert("5:EVE")
		for _, ev := range other.events {
			if err := apply(ev); err != nil {
				return err
			}
		}
		return nil
	}, func(_ proto.Kind, c Change) { got = append(got, string(c.Action)+" "+c.Name) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"update bob", "update ada", "skip ", "create eve", "park EVE"}
	if !slices.Equal(got, want) || e.writes != writes || e.memory.pk != 2 {
		t.Errorf("plan: %q\n wanted %q; %d writes", got, want, e.writes-writes)
	}
	if sum.Users.Created != 1 || sum.Users.Renamed != 2 {
		t.Errorf("%+v", sum.Users)
	}
}

func TestWaitFor(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.commitSnapshot()
	a := New(e.cfg, e.memory, e.stream)
	done := make(chan error, 1)
	go func() { done <- a.WaitFor(t.Context(), 2) }()
	if err := a.Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not woken")
	}
}

// Rule 4 of the design. (Nothing can be published from inside a transaction: the applier has nothing to publish with.)
func TestRule4NothingIsReachedBeforeItIsCommitted(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.commitSnapshot()
	lost := errors.New("the commit failed")
	e.fail = func() error { return lost }
	a := New(e.cfg, e.memory, e.stream)
	if err := a.Run(t.Context()); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.WaitFor(ctx, 1); err == nil {
		t.Error("a sequence was reached that isn't committed")
	}
	if e.checkpoint != nil || a.Summary().Users.Created != 0 {
		t.Errorf("checkpoint %+v, summary %+v", e.checkpoint, a.Summary())
	}
	e.fail = nil
	e.mustApply()
	if e.checkpoint.Sequence != 2 {
		t.Errorf("checkpoint %+v", e.checkpoint)
	}
}
