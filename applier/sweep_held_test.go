package applier

import (
	"testing"

	"ldapsync/internal/limit"
)

func TestAKindThatIsNotAppliedHoldsNoSweep(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{Count: 1, Percent: 5, All: 1, On: true}
	e.group("a", "b", "c")
	e.upsert("ada", "bob", "eve")
	e.mustApply()
	e.full(1)
	e.cfg.Groups, e.cfg.Memberships = nil, false // the groups' filter was taken out
	e.upsert("ada", "eve")                       // a full without groups; bob is gone
	e.full(4)
	e.stream.cut = 4
	e.mustApply()
	e.wantPresent("id-ada", "id-eve")
	if len(e.held) > 0 {
		t.Errorf("held: %+v", e.held)
	}
}

func TestAHeldSweepShrinksWithWhoReturns(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{Count: 1, Percent: 5, On: true}
	e.upsert("ada", "bob", "eve", "kim")
	e.mustApply()
	e.full(1)
	e.upsert("ada", "kim")
	e.full(3)
	e.stream.cut = 3
	e.mustApply()
	if len(e.held) != 1 {
		t.Fatal(e.held)
	}
	e.upsert("ada", "bob", "kim") // bob is back; eve alone wouldn't be held
	e.full(5)
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim")
	if len(e.held) != 1 || e.held[0].Count != 1 {
		t.Fatal(e.held)
	}
	e.upsert("ada", "bob", "eve", "kim")
	e.full(7)
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim")
	if len(e.held) != 0 {
		t.Errorf("held though everybody is there: %+v", e.held[0])
	}
}

func TestARejectedSweepStaysRejected(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{Count: 1, Percent: 5, On: true}
	e.upsert("ada", "bob", "eve", "kim")
	e.mustApply()
	e.full(1)
	e.upsert("ada", "kim")
	e.full(3)
	e.stream.cut = 3
	e.mustApply()
	e.held[0].Decision = Rejected
	done, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Held == nil || done.Held.Decision != Rejected {
		t.Errorf("%+v", done.Held)
	}
	found, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{}, nil)
	if err != nil || found.Differences() != 0 || found.Held == nil || found.Held.Decision != Rejected {
		t.Errorf("%d differences, %+v, %v", found.Differences(), found.Held, err)
	}
	e.decide(Undecided)
	if found, err = New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{}, nil); err != nil || found.Differences() != 2 || found.Held != nil {
		t.Errorf("%d differences, %+v, %v", found.Differences(), found.Held, err)
	}
}

func TestAHoldOfAScopeThatIsOverDissolves(t *testing.T) {
	e := newEnv(t)
	e.all()
	e.crowd(10, "old")
	e.upsert("ada", "bob")
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld("10 of 12: more than 5 and more than 5 %")
	e.cfg.Scope = ScopeLinked
	e.commitSnapshot()
	e.mustApply()
	e.wantHeld()
}
