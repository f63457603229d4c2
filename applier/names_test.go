package applier

import (
	"slices"
	"testing"

	"ldapsync/proto"
)

// Of somebody who was gone, returned and is missing again, all of it unseen, the name isn't given to another one in the batch that tells so.
func TestWhoIsMissingInTheSameBatchKeepsHerName(t *testing.T) {
	for _, replay := range []bool{false, true} {
		e := newEnv(t)
		e.upsert("1:ada", "2:bob")
		e.full(1)
		e.mustApply()
		e.remove("2")
		e.mustApply()
		e.deactivate("2")
		e.wantLink("2", Gone, 3, "sync")
		e.upsert("2:bob")
		e.retain("2:bob")
		e.miss("2")
		e.upsert("1:bob")
		second := e.full(5)
		if replay {
			if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), second); err != nil {
				t.Fatal(err)
			}
		} else {
			e.stream.cut = 5
			e.mustApply()
		}
		e.want("1 ada", "2 bob inactive")
		e.wantLink("2", Missing, 6, "sync")
	}
}

// Whose name somebody had when she was missing already has no account, and needs none.
func TestWhoIsMissingWithoutAnAccountIsNoDifference(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada")
	e.full(1)
	e.mustApply()
	e.upsert("1:bob")
	e.upsert("2:ada")
	e.publish(proto.TypeUserMissing, &proto.UserMissing{User: user("2:ada"), Reason: "not found"})
	e.cfg.BatchEntries = 1
	e.retain("2:ada")
	e.publish(proto.TypeUserMissing, &proto.UserMissing{User: user("2:ada"), Reason: "not found"})
	e.upsert("1:bob")
	e.full(6)
	e.stream.cut = 6
	e.mustApply()
	e.want("1 bob")
	for _, repair := range []bool{false, true} {
		if got := e.differences(repair); got != nil {
			t.Errorf("found %q", got)
		}
	}
	e.want("1 bob")
}

// What another entry's letter would change, too, is no difference: the next end of a snapshot does both.
func TestVerifyLeavesAloneWhatALetterWaitsFor(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:bob")
	e.commitSnapshot()
	e.mustApply()
	e.remove("2")
	e.upsert("1:bob")
	e.commitSnapshot()
	e.mustApply()
	e.deactivate("2")
	if got := e.differences(false); got != nil {
		t.Errorf("found %q", got)
	}
	e.commitSnapshot()
	e.mustApply()
	e.want("1 bob", "2 bob-gone-2 inactive")
	// Where no letter tells of it, it is one.
	row := e.over.rows[proto.KindUser]["1"]
	row.Name, row.Values = "ada", slices.Clone(row.Values)
	row.Values[0] = "ada"
	delete(e.over.byName[proto.KindUser]["bob"], "1")
	put(e.over.byName[proto.KindUser], "ada", "1")
	e.over.rows[proto.KindUser]["1"] = row
	if got := e.differences(false); !slices.Equal(got, []string{"update user 1 ada→bob +0 -0"}) {
		t.Errorf("found %q", got)
	}
}

// A row that is only planned says nothing of its active column where that gets its default.
func TestAPlannedRowIsActive(t *testing.T) {
	e := newEnv(t)
	e.local("zoe", false)
	e.upsert("1:ada")
	e.group("dev") // the next ones are another batch
	e.remove("1")
	e.group("ops")
	e.upsert("2:ada inactive")
	planned, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(func(proto.Event) error) error { return nil }, nil)
	if err != nil || planned.Users.Relinked != 1 || planned.Users.Deactivated != 1 {
		t.Errorf("%+v, %v", planned.Users, err)
	}
	e.mustApply()
	if e.sum.Users != planned.Users {
		t.Errorf("planned %+v, did %+v", planned.Users, e.sum.Users)
	}
}
