package applier

import "testing"

// gap applies a full snapshot of these users, before which something was cut off.
func (e *env) gap(specs ...string) {
	e.t.Helper()
	e.upsert("seen-by-nobody")
	e.upsert(specs...)
	e.stream.cut = e.full(uint64(len(e.events))).From
	e.mustApply()
}

// A person's yes to a replay that is never carried out excuses nothing that the live applier would sweep.
func TestApprovalIsForItsReplayAlone(t *testing.T) {
	e, first := grown(t)
	e.stops(first, "2 of 3 users would count as removed"+over)
	e.held[0].Decision = Approved
	e.gap("zoe")
	e.wantPresent("id-ada", "id-bob", "id-zoe")
	e.wantHeld("2 of 3: 2 of 3 users aren't in the snapshot"+over, "2 of 3: 2 of 3 users would count as removed"+over+" approved")
}

func TestHoldsTellAUserFromAGroupOfTheSameID(t *testing.T) {
	t.Run("replay", func(t *testing.T) {
		e := flagged(t)
		e.upsert("zoe")
		first := e.full(1)
		e.group("a", "b")
		e.upsert("gid-a:a", "gid-b:b")
		e.full(1)
		e.mustApply()
		if done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || done.Stopped == nil || done.Stopped.Count != 4 || len(done.Stopped.Keys()) != 4 {
			t.Errorf("%+v, %v", done.Stopped, err)
		}
	})
	t.Run("sweep", func(t *testing.T) {
		e := flagged(t)
		e.upsert("zoe", "gid-a:a", "gid-b:b")
		e.full(1)
		e.mustApply()
		e.gap("zoe")
		e.wantHeld("2 of 3: 2 of 3 users aren't in the snapshot" + over)
		e.decide(Rejected) // of users
		e.group("a", "b")
		e.mustApply()
		for _, id := range []string{"gid-a", "gid-b"} {
			e.remove(id)
		}
		e.mustApply()
		e.gap("zoe")
		e.wantHeld("2 of 1: 2 of 2 groups aren't in the snapshot" + over)
	})
}
