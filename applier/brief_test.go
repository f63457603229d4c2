package applier

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"ldapsync/proto"
)

// briefly is a memory in which nobody can write while somebody reads.
type briefly struct {
	*memory
	viewing atomic.Int32
}

func (b *briefly) Brief() {}

func (b *briefly) View(ctx context.Context, fn func(Reader) error) error {
	b.viewing.Add(1)
	defer b.viewing.Add(-1)
	return b.memory.View(ctx, fn)
}

// awaited is a stream that takes its time whenever it is read.
type awaited struct {
	*stream
	read func()
}

func (s awaited) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	s.read()
	return s.stream.Read(ctx, from, to)
}

// What a replay takes is weighed as long as the history takes to read. Nobody waits for that.
func TestApplicationsWriteWhileAReplayIsWeighed(t *testing.T) {
	e, first := grown(t)
	b := &briefly{memory: e.memory}
	reads := 0
	s := awaited{e.stream, func() {
		if reads++; b.viewing.Load() > 0 {
			t.Errorf("read %d: within a transaction", reads)
		}
	}}
	done, err := New(e.cfg, b, s).Replay(t.Context(), first)
	if err != nil || done.Stopped == nil {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	if done, err = New(e.cfg, b, s).Replay(t.Context(), first, Approval{Hash: done.Stopped.Hash}); err != nil || done.Stopped != nil {
		t.Fatalf("%+v, %v", done.Stopped, err)
	}
	if done, err = New(e.cfg, b, s).Release(t.Context()); err != nil || done.Stopped != nil || reads < 6 {
		t.Fatalf("%+v, %v, %d reads", done.Stopped, err, reads)
	}
}
