package applier

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// flagTable is table with the columns of the flags.
type flagTable struct{ table }

func (flagTable) ColumnNames() []string {
	return []string{"username", "email", "is_active", "is_staff", "is_superuser"}
}

func (t flagTable) Convert(column string, value any) (any, error) {
	if _, is := value.(bool); is {
		return value, nil
	}
	return t.table.Convert(column, value)
}

// flagged is an env whose users have flags, and whose limits are all met by a second loss.
func flagged(t *testing.T) *env {
	e := newEnv(t)
	var err error
	e.cfg.Users, err = NewMapping(flagTable{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}},
		{Column: "is_staff", Flag: "staff"}, {Column: "is_superuser", Flag: "superuser"}})
	if err != nil {
		t.Fatal(err)
	}
	one := limit.Limit{Count: 1, Percent: 1, On: true}
	e.cfg.Limit = one
	e.cfg.Limits = Limits{Groups: one, Memberships: one, GroupMemberships: one, Staff: one, Superusers: one, Deactivated: one, Attributes: one}
	return e
}

// grown has zoe alone in its first snapshot, and ada and bob besides in what is applied: a replay of the first one takes two of three.
func grown(t *testing.T) (e *env, first Snapshot) {
	e = flagged(t)
	e.upsert("zoe")
	first = e.full(1)
	e.upsert("ada", "bob")
	e.full(1)
	e.mustApply()
	return e, first
}

// flags publishes users with these flags.
func (e *env) flags(active, staff, superuser bool, specs ...string) {
	m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
	for _, spec := range specs {
		u := user(spec)
		u.Active, u.Staff, u.Superuser = &active, &staff, &superuser
		d := proto.DigestUser(u)
		m.Users, m.Ids, m.Digests = append(m.Users, u), append(m.Ids, u.Id), append(m.Digests, d[:]...)
	}
	e.publish(proto.TypeUserUpserted, m)
}

// unread publishes users whose groups aren't known.
func (e *env) unread(specs ...string) {
	m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
	for _, spec := range specs {
		u := user(spec)
		u.GroupsUnknown = true
		d := proto.DigestUser(u)
		m.Users, m.Ids, m.Digests = append(m.Users, u), append(m.Ids, u.Id), append(m.Digests, d[:]...)
	}
	e.publish(proto.TypeUserUpserted, m)
}

// stops replays, which must be stopped for this reason before anything is written but what is held.
func (e *env) stops(at Snapshot, reason string) *Held {
	e.t.Helper()
	rows, writes, cp := maps.Clone(e.over.rows[proto.KindUser]), e.writes, *e.checkpoint
	planned, err := New(e.cfg, e.memory, e.stream).PreviewReplay(e.t.Context(), at, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	done, err := New(e.cfg, e.memory, e.stream).Replay(e.t.Context(), at)
	if err != nil {
		e.t.Fatal(err)
	}
	if done.Stopped == nil || planned.Stopped == nil {
		e.t.Fatalf("stopped: planned %+v, done %+v", planned.Stopped, done.Stopped)
	}
	if got := done.Stopped.Reason; got != reason || planned.Stopped.Reason != reason || planned.Stopped.Hash != done.Stopped.Hash {
		e.t.Errorf("stopped for %q, planned %q, not %q", got, planned.Stopped.Reason, reason)
	}
	if e.writes != writes || *e.checkpoint != cp || len(rows) != len(e.over.rows[proto.KindUser]) {
		e.t.Errorf("%d writes, checkpoint %+v", e.writes-writes, e.checkpoint)
	}
	if len(e.held) != 1 || e.held[0].Hash != done.Stopped.Hash {
		e.t.Errorf("held: %+v", e.held)
	}
	return done.Stopped
}

const over = ": more than 1 and more than 1 %"

func TestReplayIsStoppedByEachLimit(t *testing.T) {
	for name, c := range map[string]struct {
		then, now func(*env)
		reason    string
	}{
		"deactivated": {
			func(e *env) { e.flags(false, false, false, "ada", "bob"); e.upsert("eve") },
			func(e *env) { e.flags(true, false, false, "ada", "bob") },
			"2 of 3 active users would be deactivated" + over,
		},
		"staff": {
			func(e *env) { e.flags(true, false, false, "ada", "bob") },
			func(e *env) { e.flags(true, true, false, "ada", "bob") },
			"2 of 2 staff users would lose staff status or count as removed" + over,
		},
		"staff who came since": {
			func(e *env) { e.upsert("eve") },
			func(e *env) { e.cfg.Limit.On = false; e.flags(true, true, false, "ada", "bob") },
			"2 of 2 staff users would lose staff status or count as removed" + over,
		},
		"memberships": {
			func(e *env) { e.group("dev", "ops"); e.upsert("ada", "bob") },
			func(e *env) { e.upsert("ada in dev", "bob in ops") },
			"2 of 2 memberships would be taken" + over,
		},
		"memberships of a group": {
			func(e *env) { e.cfg.Limits.Memberships.On = false; e.group("dev"); e.upsert("ada", "bob") },
			func(e *env) { e.upsert("ada in dev", "bob in dev", "eve in dev") },
			"2 of 3 members would leave the group dev" + over,
		},
		"groups": {
			func(e *env) { e.upsert("ada") },
			func(e *env) { e.group("dev", "ops") },
			"2 of 2 groups would count as removed" + over,
		},
		"memberships of groups that go": {
			func(e *env) { e.upsert("ada", "bob") },
			func(e *env) { e.group("dev"); e.upsert("ada in dev", "bob in dev") },
			"2 of 2 memberships would be taken" + over + "; 2 of 2 members would leave the group dev" + over,
		},
		"memberships of a group that goes, whose members' groups weren't read": {
			func(e *env) { e.unread("ada", "bob") },
			func(e *env) { e.group("dev"); e.upsert("ada in dev", "bob in dev") },
			"2 of 2 memberships would be taken" + over + "; 2 of 2 members would leave the group dev" + over,
		},
		"a column": {
			func(e *env) { e.upsert("ada", "bob", "eve mail=e@x") },
			func(e *env) { e.upsert("ada mail=a@x", "bob mail=b@x") },
			"2 of 3 users would lose their email" + over,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := flagged(t)
			c.then(e)
			first := e.full(1)
			e.mustApply()
			c.now(e)
			e.full(1)
			e.mustApply()
			held := e.stops(first, c.reason)

			// Yes to something else is no yes; to what was shown it is, and takes the hold with it.
			replayed, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first, Approval{Hash: strings.Repeat("0", 32)})
			if err != nil || replayed.Stopped == nil {
				t.Fatalf("%+v, %v", replayed.Stopped, err)
			}
			replayed, err = New(e.cfg, e.memory, e.stream).Replay(t.Context(), first, Approval{Hash: held.Hash, By: "grace"})
			if err != nil || replayed.Stopped != nil || len(e.held) != 0 {
				t.Fatalf("%+v, %v, held %+v", replayed.Stopped, err, e.held)
			}
			if snapshot, is := e.checkpoint.Pinned(); !is || e.checkpoint.Mode != modePinned+snapshot {
				t.Errorf("mode %q", e.checkpoint.Mode)
			}
		})
	}
}

// One loss in each respect is everyday life.
func TestReplayWithinTheLimitsIsntStopped(t *testing.T) {
	e := flagged(t)
	e.group("dev")
	e.flags(false, false, false, "ada")
	e.upsert("bob", "eve")
	first := e.full(1)
	e.mustApply()
	e.flags(true, true, false, "ada in dev")
	e.upsert("kim mail=k@x")
	e.full(1)
	e.mustApply()
	done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first)
	if err != nil || done.Stopped != nil || len(e.held) != 0 {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	e.wantPresent("id-ada", "id-bob", "id-eve")
}

// What a person has approved counts no more; what came since counts by itself, and one who loses more than was shown is somebody else.
func TestReplayApprovalIsForWhatWasShown(t *testing.T) {
	e, first := grown(t)
	e.stops(first, "2 of 3 users would count as removed"+over)
	e.held[0].Decision = Approved
	e.upsert("eve", "kim")
	e.full(1)
	e.mustApply()
	done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first)
	if err != nil || done.Stopped == nil || done.Stopped.Count != 2 {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim", "id-zoe")
	for i := range e.held {
		e.held[i].Decision = Approved
	}
	if done, err = New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || done.Stopped != nil || done.Held != nil {
		t.Fatalf("%+v, %+v, %v", done.Stopped, done.Held, err)
	}
	e.wantPresent("id-zoe")
}

func TestReleaseIsStoppedByTheLimits(t *testing.T) {
	e := flagged(t)
	e.flags(true, true, false, "ada", "bob", "eve")
	first := e.full(1)
	e.mustApply()
	e.flags(true, false, false, "ada", "bob")
	e.full(1)
	e.mustApply()
	if done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || done.Stopped != nil {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	planned, err := New(e.cfg, e.memory, e.stream).PreviewRelease(t.Context(), nil)
	if err != nil || planned.Stopped == nil || planned.Users.Updated != 2 {
		t.Fatalf("%+v, %+v, %v", planned.Stopped, planned.Users, err)
	}
	done, err := New(e.cfg, e.memory, e.stream).Release(t.Context())
	if err != nil || done.Stopped == nil || e.checkpoint.Live() {
		t.Fatalf("%+v, %v, mode %q", done.Stopped, err, e.checkpoint.Mode)
	}
	done, err = New(e.cfg, e.memory, e.stream).Release(t.Context(), Approval{Hash: planned.Stopped.Hash})
	if err != nil || done.Stopped != nil || !e.checkpoint.Live() || len(e.held) != 0 {
		t.Fatalf("%+v, %v, mode %q, held %+v", done.Stopped, err, e.checkpoint.Mode, e.held)
	}
}

// Killed at each commit, the one that holds and that which notes the approval among them, it asks for the approval once.
func TestRule3ApprovedReplaySurvivesACrashAtEachCommit(t *testing.T) {
	for crash := 1; ; crash++ {
		e := flagged(t)
		e.cfg.BatchEntries = 1
		e.group("dev")
		e.flags(true, false, false, "ada", "bob")
		first := e.full(1)
		e.mustApply()
		e.flags(true, true, false, "ada in dev", "bob in dev")
		e.upsert("eve", "kim")
		e.full(1)
		e.mustApply()
		commits := 0
		e.fail = func() error {
			if commits++; commits == crash {
				return errors.New("killed")
			}
			return nil
		}
		replay := func(yes ...Approval) (Replayed, error) {
			return New(e.cfg, e.memory, e.stream).Replay(t.Context(), first, yes...)
		}
		stopped, err := replay()
		if err != nil { // killed as it noted what it holds
			stopped, err = replay()
		}
		if err != nil || stopped.Stopped == nil {
			t.Fatalf("crash at commit %d: %+v, %v", crash, stopped.Stopped, err)
		}
		yes := Approval{Hash: stopped.Stopped.Hash}
		_, err = replay(yes)
		survived := err == nil
		if !survived && e.checkpoint.Mode != modeLive {
			yes = Approval{} // it was begun: the approval stands
		}
		if !survived {
			if done, err := replay(yes); err != nil || done.Stopped != nil {
				t.Fatalf("crash at commit %d: %+v, %v", crash, done.Stopped, err)
			}
		}
		e.wantPresent("id-ada", "id-bob")
		if len(e.held) != 0 || !strings.HasPrefix(e.checkpoint.Mode, modePinned) {
			t.Fatalf("crash at commit %d: held %+v, mode %q", crash, e.held, e.checkpoint.Mode)
		}
		if survived && commits < crash {
			if crash < 9 {
				t.Errorf("only %d commits", commits)
			}
			return
		}
	}
}

// A replay that nobody wants any more is held by nobody: a rejected one ends with the next snapshot, one that nobody has decided about with the next full one.
func TestHeldReplayEnds(t *testing.T) {
	for _, decision := range []Decision{Rejected, Undecided} {
		e, first := grown(t)
		held := e.stops(first, "2 of 3 users would count as removed"+over)
		e.held[0].Decision = decision
		if done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || done.Stopped == nil || done.Stopped.Decision != decision || len(e.held) != 1 {
			t.Errorf("%q: %+v, %v", decision, done.Stopped, err)
		}
		e.commitSnapshot()
		e.mustApply()
		if want := decision == Undecided; (len(e.held) == 1) != want || want && e.held[0].Hash != held.Hash {
			t.Errorf("%q: held %+v", decision, e.held)
		}
		e.full(1)
		e.mustApply()
		if len(e.held) != 0 {
			t.Errorf("%q: held %+v", decision, e.held)
		}
	}
}

// An approval ends with the release from the replay that it was for, also where neither was finished: it excuses nothing that comes later.
func TestApprovalEndsWithTheRelease(t *testing.T) {
	t.Run("released", func(t *testing.T) { approvalEnds(t, false) })
	t.Run("interrupted", func(t *testing.T) { approvalEnds(t, true) })
}

func approvalEnds(t *testing.T, interrupted bool) {
	e, first := grown(t)
	e.stops(first, "2 of 3 users would count as removed"+over)
	e.held[0].Decision = Approved
	commits := 0
	e.fail = func() error {
		if commits++; commits > 1 {
			return errors.New("killed")
		}
		return nil
	}
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err == nil {
		t.Fatal("finished")
	}
	begun := false
	e.fail = func() error {
		if interrupted && begun {
			return errors.New("killed")
		}
		begun = e.checkpoint.CatchingUp()
		return nil
	}
	done, err := New(e.cfg, e.memory, e.stream).Release(t.Context())
	if e.fail = nil; done.Stopped != nil || interrupted != (err != nil) {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	e.mustApply()
	if len(e.held) != 0 {
		t.Errorf("held: %+v", e.held)
	}
	e.upsert("zoe", "ada", "bob")
	at := e.full(uint64(len(e.events)))
	e.upsert("zoe")
	at = e.full(at.To + 1)
	e.stream.cut = at.From
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-zoe")
	if len(e.held) != 1 || e.held[0].Change != ChangeSweep {
		t.Errorf("held: %+v", e.held)
	}
}

// What those lose who wait for the names of accounts that the replay removes is weighed, too.
func TestReplayWeighsWhatHappensAtItsEnd(t *testing.T) {
	e := flagged(t)
	e.cfg.Limit.On = false
	e.upsert("1:ada", "2:bob", "3:eve mail=e@x")
	first := e.full(1)
	e.mustApply()
	e.upsert("1:ann mail=a@x", "2:ben mail=b@x")
	e.upsert("4:ada", "5:bob")
	e.full(1)
	e.mustApply()
	e.want("1 ann a@x", "2 ben b@x", "3 eve e@x", "4 ada", "5 bob")
	held := e.stops(first, "2 of 3 users would lose their email"+over)
	if done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first, Approval{Hash: held.Hash}); err != nil || done.Stopped != nil {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	e.want("1 ada", "2 bob", "3 eve e@x", "4 ada-gone-4", "5 bob-gone-5")
}
