package applier

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// full commits a full snapshot that began with sequence from.
func (e *env) full(from uint64) Snapshot {
	e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Full: true, FullSequence: from})
	return Snapshot{Number: uint64(len(e.events)), From: from, To: uint64(len(e.events))}
}

// present are the ids of users whose links are present, sorted.
func (e *env) present() (ids []string) {
	for id, l := range e.over.links[proto.KindUser] {
		if l.State == Present {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (e *env) wantPresent(ids ...string) {
	e.t.Helper()
	if got := e.present(); !slices.Equal(got, ids) {
		e.t.Errorf("present: %q, not %q", got, ids)
	}
}

func TestGapIsSweptAtTheLastSnapshot(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob", "eve")
	e.full(1)
	e.mustApply()
	e.remove("id-bob") // seen by nobody: it is cut off
	e.upsert("kim")
	e.upsert("ada mail=a@x", "eve", "kim")
	e.full(5)
	e.upsert("zoe") // behind the snapshot
	e.stream.cut = 5
	e.mustApply()
	e.want("1 ada a@x", "2 bob", "3 eve", "4 kim", "5 zoe")
	e.wantPresent("id-ada", "id-eve", "id-kim", "id-zoe")
	if l := e.over.links[proto.KindUser]["id-bob"]; l.State != Gone || l.GoneReason != sweptBecause || l.GoneSequence != 6 {
		t.Errorf("bob's link: %+v", l)
	}
	if e.checkpoint.Mode != modeLive || e.checkpoint.Sequence != 7 {
		t.Errorf("checkpoint: %+v", e.checkpoint)
	}
}

// Killed in the middle of catching up, it begins again and forgets nothing of it.
func TestRule3CatchingUpSurvivesACrashAtEachCommit(t *testing.T) {
	for crash := 1; ; crash++ {
		e := newEnv(t)
		e.cfg.BatchEntries = 1
		e.upsert("ada", "bob", "eve")
		e.full(1)
		e.mustApply()
		e.remove("id-bob")
		e.upsert("ada mail=a@x", "eve", "kim")
		e.full(4)
		e.stream.cut = 4
		commits := 0
		e.fail = func() error {
			if commits++; commits == crash {
				return errors.New("killed")
			}
			return nil
		}
		err := e.apply()
		e.fail = nil
		if err == nil {
			if crash < 6 {
				t.Errorf("only %d commits", crash-1)
			}
			return
		}
		e.mustApply()
		e.wantPresent("id-ada", "id-eve", "id-kim")
		if e.checkpoint.Mode != modeLive {
			t.Fatalf("crash at commit %d: %+v", crash, e.checkpoint)
		}
	}
}

func TestAcceptedStreamIsSweptUnderTheLimit(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{Count: 1, Percent: 5, On: true}
	e.upsert("ada", "bob", "eve", "kim")
	e.full(1)
	e.mustApply()
	e.stream = &stream{id: "s2"}
	e.upsert("ada", "zoe")
	e.full(1)
	e.cfg.AcceptStream = true
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim", "id-zoe")
	if len(e.held) != 1 || e.held[0].Change != ChangeSweep || e.held[0].Count != 3 || !strings.Contains(e.held[0].Reason, "3 of 5 users") {
		t.Fatalf("held: %+v", e.held)
	}
	// The next end of a snapshot carries out what was approved, and only that.
	e.held[0].Decision = Approved
	e.upsert("ada", "bob", "zoe")
	e.full(3)
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim", "id-zoe")
	if len(e.held) != 1 || e.held[0].Count != 2 || e.held[0].Decision != Undecided {
		t.Fatalf("held: %+v", e.held)
	}
	e.held[0].Decision = Approved
	e.upsert("ada", "bob", "zoe")
	e.full(5)
	e.mustApply()
	e.wantPresent("id-ada", "id-bob", "id-zoe")
	if len(e.held) != 0 {
		t.Errorf("held: %+v", e.held)
	}
}

func TestReplayMakesAPastAndReleaseThePresent(t *testing.T) {
	e := newEnv(t)
	e.group("dev", "ops")
	e.upsert("1:ada mail=a@x in dev", "2:bob", "3:eve in ops")
	first := e.full(1)
	e.mustApply()
	e.upsert("1:bob mail=b@x in ops", "2:ada", "4:kim")
	e.remove("3")
	e.full(1)
	e.mustApply()
	e.want("3 bob b@x in ops", "4 ada", "5 eve in ops", "6 kim")

	replay := func(at Snapshot) Replayed {
		t.Helper()
		planned, err := New(e.cfg, e.memory, e.stream).PreviewReplay(t.Context(), at, nil)
		if err != nil {
			t.Fatal(err)
		}
		done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		planned.Users.Unchanged, done.Users.Unchanged = 0, 0 // what is done already isn't even planned
		if planned.Users != done.Users {
			t.Errorf("planned %+v, done %+v", planned.Users, done.Users)
		}
		return done
	}
	replay(first)
	e.want("3 ada a@x in dev", "4 bob", "5 eve in ops", "6 kim")
	e.wantPresent("1", "2", "3")
	if e.checkpoint.Mode != modePinned+"3" { // env numbers snapshots by their last sequence
		t.Errorf("mode: %q", e.checkpoint.Mode)
	}
	writes, updates := e.writes, e.updates
	if done := replay(first); e.writes != writes || e.updates != updates || done.Users.Updated != 0 {
		t.Errorf("again: %d writes in %d transactions", e.writes-writes, e.updates-updates)
	}
	if err := e.apply(); err == nil || !strings.Contains(err.Error(), "pinned to snapshot") {
		t.Errorf("the live applier: %v", err)
	}
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.want("3 bob b@x in ops", "4 ada", "5 eve in ops", "6 kim")
	e.wantPresent("1", "2", "4")
	e.mustApply()
	e.wantPresent("1", "2", "4")
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err == nil {
		t.Error("released twice")
	}
}

func TestReplayIntoAnEmptyDatabase(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada in dev", "bob")
	first := e.full(1)
	e.remove("id-ada")
	e.full(1)
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	e.want("2 ada in dev", "3 bob")
}

func TestReplayIsStoppedByTheLimit(t *testing.T) {
	e := newEnv(t)
	e.cfg.Limit = limit.Limit{Count: 1, Percent: 5, On: true}
	e.upsert("ada")
	first := e.full(1)
	e.upsert("ada mail=a@x", "bob", "eve", "kim")
	e.full(1)
	e.mustApply()
	done, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first)
	if err != nil || done.Stopped == nil || done.Stopped.Count != 4 { // ada loses her mail
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	e.want("1 ada a@x", "2 bob", "3 eve", "4 kim")
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-kim")
	e.held[0].Decision = Approved
	if done, err = New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || done.Stopped != nil || done.Held != nil {
		t.Fatalf("%+v, %+v, %v", done.Stopped, done.Held, err)
	}
	e.wantPresent("id-ada")
	if len(e.held) != 0 {
		t.Errorf("held: %+v", e.held)
	}
}

// A live applier at work while a replay pins the target is told so with its next commit, and moves nothing.
func TestReplayStopsTheLiveApplier(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	first := e.full(1)
	e.mustApply()
	e.upsert("ada mail=new@x")
	stale := *e.checkpoint
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var b batches
	if err := b.event(e.events[2]); err != nil {
		t.Fatal(err)
	}
	live := follower{Applier: New(e.cfg, e.memory, e.stream), checkpoint: &stale}
	if err := live.take(t.Context(), chunk{runs: b.runs, last: 3}); !errors.Is(err, ErrMoved) {
		t.Errorf("the live applier: %v", err)
	}
	e.want("1 ada")
}

// What was cut off isn't an entry less: nobody is swept for it.
func TestReplayOfWhatWasCutOffIsRefused(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.upsert("bob")
	first := e.full(1)
	e.upsert("ada", "bob")
	e.full(4)
	e.mustApply()
	e.stream.cut = 2
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err == nil || !strings.Contains(err.Error(), "was cut off") {
		t.Errorf("replayed: %v", err)
	}
	if _, err := New(e.cfg, e.memory, e.stream).PreviewReplay(t.Context(), first, nil); err == nil {
		t.Error("planned")
	}
	if e.checkpoint.Mode != modeLive {
		t.Errorf("mode %q", e.checkpoint.Mode)
	}
	e.wantPresent("id-ada", "id-bob")
}

// A plan of more changes than are kept in mind is told to be rough, and forgets nobody.
func TestPlanOfManyChangesIsRough(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.group("dev")
	e.upsert("ada in dev", "bob in dev", "eve in dev", "kim")
	state, err := New(e.cfg, e.memory, e.stream).readState(t.Context(), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var sum Summary
	p := previewer{Applier: New(e.cfg, e.memory, e.stream), over: newOverlay(memoryTx{e.memory, e.over.clone()}), sum: &sum, each: func(proto.Kind, Change) {}, most: 2}
	if err := p.state(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if !p.rough || sum.Users.Created != 4 || sum.Users.Joined != 3 || len(p.over.links[proto.KindUser]) > 2 {
		t.Errorf("rough %v, %+v, %d in mind", p.rough, sum.Users, len(p.over.links[proto.KindUser]))
	}
}

// A release while the live applier looks again: both bring it to the present, and neither fails.
func TestReleaseBesideALiveApplier(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	first := e.full(1)
	e.upsert("ada mail=a@x", "bob")
	e.full(3)
	e.mustApply()
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	moved := false
	e.fail = func() error {
		if e.checkpoint.CatchingUp() && !moved {
			moved = true // the live applier has seen the release, and ends first
			live := Checkpoint{Source: e.checkpoint.Source, StreamID: e.checkpoint.StreamID, Sequence: 4, Mapping: e.checkpoint.Mapping, Mode: modeLive}
			e.checkpoint = &live
		}
		return nil
	}
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !moved || !e.checkpoint.Live() {
		t.Errorf("moved %v, mode %q", moved, e.checkpoint.Mode)
	}
}

// Who comes late gets the state as it is: nobody who has left meanwhile, names as they are, and what follows then.
func TestLateTargetGetsTheStateAsItIs(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("1:ada in dev", "2:bob")
	e.full(1)
	e.remove("2")
	e.upsert("3:bob mail=new@x", "1:eve in dev")
	e.commitSnapshot()
	e.upsert("4:ada")
	planned, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(func(proto.Event) error) error { return nil }, nil)
	if err != nil || planned.Users.Created != 3 || planned.Users.Removed != 0 {
		t.Errorf("planned %+v, %v", planned.Users, err)
	}
	e.mustApply()
	e.want("2 bob new@x", "3 eve in dev", "4 ada")
	if len(e.over.links[proto.KindUser]) != 3 || !e.checkpoint.Live() || e.checkpoint.Sequence != 7 {
		t.Errorf("%d links, %+v", len(e.over.links[proto.KindUser]), e.checkpoint)
	}
}

// A name that somebody had in the past may belong to one who came since, and is gone in that past: her account gives it up, and has it back when she is.
func TestReplayTakesNamesFromWhoIsGone(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada mail=a@x")
	first := e.full(1)
	e.mustApply()
	e.upsert("1:countess mail=a@x")
	e.upsert("2:ada mail=b@x")
	e.full(1)
	e.mustApply()
	e.want("1 countess a@x", "2 ada b@x")
	planned, err := New(e.cfg, e.memory, e.stream).PreviewReplay(t.Context(), first, nil)
	if err != nil || planned.Users.Removed != 1 {
		t.Errorf("planned %+v, %v", planned.Users, err)
	}
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	e.want("1 ada a@x", "2 ada-gone-2 b@x")
	e.wantLetters()
	writes := e.writes
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil || e.writes != writes {
		t.Errorf("again: %d writes, %v", e.writes-writes, err)
	}
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.want("1 countess a@x", "2 ada b@x")
	e.wantLetters()
}

// Without leave, the account of a superuser who is gone keeps its name.
func TestReplayLeavesPrivilegedNames(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada")
	first := e.full(1)
	e.mustApply()
	e.upsert("1:countess")
	e.upsert("2:ada")
	e.full(1)
	e.mustApply()
	row := e.over.rows[proto.KindUser]["2"]
	row.Privileged = true
	e.over.rows[proto.KindUser]["2"] = row
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	e.want("1 countess", "2 ada")
	e.wantLetters(`1 parked=false "ada" is still the name of uid=ada, who is gone: rename or delete that row (id 2)`)
}

// The name that an account gets instead fits the column: of 20 characters here.
func TestANameThatIsGivenUpFitsTheColumn(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:adaaugustakinglovel1")
	first := e.full(1)
	e.upsert("1:countess")
	e.upsert("2:adaaugustakinglovel1")
	e.full(1)
	e.mustApply()
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	e.want("1 adaaugustakinglovel1", "2 adaaugustakin-gone-2")
}
