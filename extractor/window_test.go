package extractor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// stopping is a stream whose writer is killed when it publishes event number at.
type stopping struct {
	extractor.Log
	at int
}

var errKilled = errors.New("killed")

func (s *stopping) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if s.at--; s.at <= 0 {
		return 0, errKilled
	}
	return s.Log.Publish(ctx, e)
}

// kill makes a pass whose writer is killed when it publishes event number at.
func (e *env) kill(log extractor.Log, at int) {
	e.t.Helper()
	if _, err := extractor.New(e.cfg, e.directory, &stopping{Log: log, at: at}).Pass(e.t.Context(), extractor.Options{}); !errors.Is(err, errKilled) {
		e.t.Fatal(at, err)
	}
	if _, err := e.log.Flush(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
}

func TestSlowBleedingIsHeldByTheWindow(t *testing.T) {
	e := company(t, 200)
	for i := range 2 {
		e.leaveAll(uids(5*i, 5*i+5))
		e.wantHeld(e.pass())
		e.wantLosses("user removed: 5")
	}
	e.leaveAll(uids(10, 15))
	s := e.pass() // 15 of 200
	e.wantHeld(s, "user removed: 5 of 190")
	n := e.approve(s.Held[0])
	e.wantHeld(n)
	e.leaveAll(uids(15, 16)) // 11 of 200, since those five were approved
	e.wantHeld(e.pass(), "user removed: 1 of 185")
	e.cfg.Limits.Window = 0
	e.leaveAll(uids(16, 17))
	e.wantHeld(e.pass(), "user removed: 1 of 185") // held is held
}

func TestApprovedDoesNotCountForTheWindow(t *testing.T) {
	e := company(t, 200)
	e.leaveAll(uids(0, 50))
	e.wantHeld(e.approve(e.pass().Held[0]))
	e.leaveAll(uids(50, 55))
	e.wantHeld(e.pass())
	e.wantLosses("user removed: 5")
}

func TestChangesCountForTheWindow(t *testing.T) {
	e := company(t, 100, "all", "other")
	for i := range 2 {
		e.lose("mail", uids(5*i, 5*i+5)...)
		e.team("all", uids(5*i+5, 100)...)
		e.wantHeld(e.pass())
		e.wantLosses("user attribute mail: 5", "user membership: 5", "user membership gid-all: 5")
	}
	e.lose("mail", "u050")
	e.wantHeld(e.pass(), "user attribute mail: 1 of 90")
}

// Each of the events may be the last one that a pass publishes: what was taken is counted once.
func TestCrashNeitherLosesNorDoublesCounts(t *testing.T) {
	for _, closes := range []bool{true, false} { // whether it could close its snapshot itself
		for at := 2; at <= 7; at++ {
			e := company(t, 200, "all", "few")
			e.team("few", uids(20, 21)...)
			e.cfg.Limits = extractor.Limits{}
			e.pass()
			e.leaveAll(uids(0, 3))
			e.lose("mail", uids(10, 13)...)
			e.team("all", uids(5, 200)...)
			e.groups = e.groups[1:]
			_, last, _ := e.log.Bounds(t.Context())
			var log extractor.Log = &stopping{Log: e.log, at: at}
			if closes {
				log = &stoppingOnce{stopping{Log: e.log, at: at}}
			}
			if _, err := extractor.New(e.cfg, e.directory, log).Pass(t.Context(), extractor.Options{}); !errors.Is(err, errKilled) {
				t.Fatal(at, err)
			}
			if _, err := e.log.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			e.pass()
			got := map[string]int{}
			for ev, err := range e.log.Read(t.Context(), last+1, last+100) {
				if err != nil {
					t.Fatal(err)
				}
				count(t, got, ev)
			}
			for what, n := range map[string]int{"user removed": 3, "user attribute mail": 3, "user membership": 3, "user membership gid-all": 2, "group removed": 1} {
				if got[what] != n {
					t.Errorf("closes=%v, killed at event %d: %s: %d, wanted %d (%v)", closes, at, what, got[what], n, got)
				}
			}
			if s := e.published(last); !slices.Contains(s, "aborted 3") || !slices.Contains(s, "committed 4") {
				t.Errorf("%q", s)
			}
		}
	}
}

// stoppingOnce lets the writer close its snapshot.
type stoppingOnce struct{ stopping }

func (s *stoppingOnce) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if e.Type == proto.TypeSnapshotAborted {
		return s.Log.Publish(ctx, e)
	}
	return s.stopping.Publish(ctx, e)
}

// count adds the losses of a bracket.
func count(t *testing.T, to map[string]int, ev proto.Event) {
	t.Helper()
	if err := countInto(to, ev); err != nil {
		t.Fatal(err)
	}
}

func countInto(to map[string]int, ev proto.Event) error {
	var losses []*proto.Loss
	var err error
	switch ev.Type {
	case proto.TypeSnapshotCommitted:
		var m proto.SnapshotCommitted
		err = proto.Unmarshal(ev, &m)
		losses = m.Losses
	case proto.TypeSnapshotAborted:
		var m proto.SnapshotAborted
		err = proto.Unmarshal(ev, &m)
		losses = m.Losses
	}
	for _, l := range losses {
		what := l.Kind + " " + l.Change
		if l.Key != "" {
			what += " " + l.Key
		}
		to[what] += int(l.Count)
	}
	return err
}

// What an aborted snapshot took away counts.
func TestLossesOfAnAbortedSnapshotCount(t *testing.T) {
	e := company(t, 60)
	e.leaveAll(uids(0, 5))
	if _, err := extractor.New(e.cfg, e.directory, &uncommitted{e.log}).Pass(t.Context(), extractor.Options{}); err == nil {
		t.Fatal("it committed")
	}
	if got := e.losses(proto.TypeSnapshotAborted); !slices.Equal(got, []string{"user removed: 5"}) {
		t.Fatalf("%q", got)
	}
	e.leave("u005")
	e.wantHeld(e.pass(), "user removed: 1 of 55")
}

// uncommitted is a stream that takes no end of a snapshot but an abort.
type uncommitted struct{ extractor.Log }

func (u *uncommitted) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if e.Type == proto.TypeSnapshotCommitted {
		return 0, errors.New("disk full")
	}
	return u.Log.Publish(ctx, e)
}

// What a person approved counts no more when the snapshot that carried it out was left open.
func TestApprovedRemovalsOfAnOpenSnapshotAreNoLosses(t *testing.T) {
	e := company(t, 60)
	e.leaveAll(uids(0, 10))
	s := e.pass()
	v := []*proto.Verdict{{Hash: s.Held[0].Hash, Decision: proto.Decision_DECISION_APPROVE}}
	dead := &deadAtTheEnd{Log: e.log}
	if _, err := extractor.New(e.cfg, e.directory, dead).Pass(t.Context(), extractor.Options{Verdicts: v}); err == nil {
		t.Fatal("it committed")
	}
	e.pass()
	if got := e.losses(proto.TypeSnapshotAborted); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// A preview doesn't close what is open, but counts it.
func TestPreviewCountsTheOpenSnapshot(t *testing.T) {
	e := company(t, 60)
	e.leaveAll(uids(0, 5))
	if _, err := extractor.New(e.cfg, e.directory, &deadAtTheEnd{Log: e.log}).Pass(t.Context(), extractor.Options{}); err == nil {
		t.Fatal("it committed")
	}
	e.leave("u005")
	s, err := e.extractor().Preview(t.Context(), false, func(proto.Event) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Held) != 1 {
		t.Errorf("%v", s.Held)
	}
}

// deadAtTheEnd is killed when it would close its snapshot.
type deadAtTheEnd struct{ extractor.Log }

func (d *deadAtTheEnd) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if e.Type == proto.TypeSnapshotCommitted || e.Type == proto.TypeSnapshotAborted {
		if _, err := d.Flush(ctx); err != nil {
			return 0, err
		}
		return 0, errors.New("killed")
	}
	return d.Log.Publish(ctx, e)
}

// The window is as long as it is said to be: what was lost just before doesn't count, what was lost just within does.
func TestWindowEndsWhereItSays(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		held []string
	}{{25 * time.Hour, nil}, {23 * time.Hour, []string{"user removed: 1 of 55"}}} {
		e := company(t, 60)
		clock := &clocked{Log: e.log}
		e.leaveAll(uids(0, 5))
		clock.pass(e, extractor.Options{})
		clock.wait(e, c.ago)
		e.leave("u005")
		e.wantHeld(clock.pass(e, extractor.Options{}), c.held...)
	}
}
