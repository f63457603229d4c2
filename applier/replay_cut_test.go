package applier

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// cutting cuts a stream, or doesn't, the n-th time that it is read.
type cutting struct {
	*stream
	reads, at int
	cutTo     uint64
	then      func()
}

func (c *cutting) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	if c.reads++; c.reads == c.at {
		if c.then != nil {
			c.then()
		}
		c.cut = max(c.cut, c.cutTo)
	}
	return c.stream.Read(ctx, from, to)
}

// The history is cut, up to a full snapshot that was just committed, while a release reads the one before: it takes the new one.
func TestReleaseStartsOverWhenTheHistoryIsCut(t *testing.T) {
	for at := 1; at <= 4; at++ {
		e := flagged(t)
		e.cfg.RetryFor = 1 // nanosecond: what is right isn't a matter of patience
		e.upsert("ada", "bob")
		first := e.full(1)
		e.mustApply()
		if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		c := &cutting{stream: e.stream, at: at, cutTo: 3, then: func() {
			e.upsert("ada mail=new@x", "bob")
			e.full(3)
		}}
		done, err := New(e.cfg, e.memory, c).Release(t.Context())
		if err != nil || done.Stopped != nil || !e.checkpoint.Live() {
			t.Fatalf("cut at read %d of %d: %+v, %v", at, c.reads, done.Stopped, err)
		}
		if c.reads >= at {
			e.want("1 ada new@x", "2 bob")
		}
	}
}

// Where the snapshot itself is cut off while it is replayed, it is gone: that is said, and what is left is named.
func TestReplayOfASnapshotThatIsCutOffMeanwhile(t *testing.T) {
	for at := 1; at <= 3; at++ {
		e := flagged(t)
		e.upsert("ada", "bob")
		first := e.full(1)
		e.upsert("ada mail=new@x", "bob")
		e.full(3)
		e.mustApply()
		c := &cutting{stream: e.stream, at: at, cutTo: 3}
		_, err := New(e.cfg, e.memory, c).Replay(t.Context(), first)
		if err == nil || errors.Is(err, proto.ErrCut) || !strings.Contains(err.Error(), "snapshot 2 of source corp is gone") {
			t.Errorf("cut at read %d: %v", at, err)
		}
		if _, hint := fault.Of(err); !strings.Contains(hint, "snapshots list") {
			t.Errorf("hint: %q", hint)
		}
		e.wantPresent("id-ada", "id-bob")
	}
}

// A pinned target whose stream was lost takes the new one when a person accepts it, by a replay or by the release, under the limits.
func TestPinnedTargetTakesAnotherStream(t *testing.T) {
	for _, release := range []bool{false, true} {
		e := flagged(t)
		e.upsert("ada", "bob", "eve")
		first := e.full(1)
		e.mustApply()
		if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		e.stream = &stream{id: "s2"}
		e.upsert("ada mail=new@x", "zoe")
		first = e.full(1)
		do := func(yes ...Approval) (Replayed, error) {
			a := New(e.cfg, e.memory, e.stream)
			if release {
				return a.Release(t.Context(), yes...)
			}
			return a.Replay(t.Context(), first, yes...)
		}
		_, err := do()
		if _, hint := fault.Of(err); err == nil || !strings.Contains(hint, "--accept-stream") {
			t.Fatalf("release %v: %v, hint %q", release, err, hint)
		}
		e.cfg.AcceptStream = true
		done, err := do()
		if err != nil || done.Stopped == nil || done.Stopped.Reason != "2 of 3 users would count as removed"+over || e.checkpoint.StreamID != "s1" {
			t.Fatalf("release %v: %+v, %v", release, done.Stopped, err)
		}
		if done, err = do(Approval{Hash: done.Stopped.Hash}); err != nil || done.Stopped != nil || done.Held != nil {
			t.Fatalf("release %v: %+v, %+v, %v", release, done.Stopped, done.Held, err)
		}
		e.wantPresent("id-ada", "id-zoe")
		if e.checkpoint.StreamID != "s2" || e.checkpoint.Live() != release {
			t.Errorf("release %v: %+v", release, e.checkpoint)
		}
		if got := slices.Sorted(maps.Keys(e.over.rows[proto.KindUser])); len(got) != 4 {
			t.Errorf("rows: %v", got)
		}
	}
}
