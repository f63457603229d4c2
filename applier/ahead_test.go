package applier

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"ldapsync/proto"
)

// live is a stream behind whose events nothing ever waits. The first comes by itself, the others once the first is being committed.
type live struct {
	*stream
	committing, all chan struct{} // closed when the first commit begins, and when all events are told
}

func (s live) Follow(context.Context, uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for i, e := range s.events {
			if i == 1 {
				<-s.committing
			}
			if !yield(e, nil) {
				return
			}
		}
		close(s.all)
		yield(proto.Event{}, errEnd)
	}
}

func TestWhatArrivesDuringACommitIsCommittedTogether(t *testing.T) {
	e := newEnv(t)
	want := make([]string, 9)
	for i := range want {
		want[i] = fmt.Sprintf("%d user%d", i+1, i)
		e.upsert(fmt.Sprintf("user%d", i))
	}
	s := live{e.stream, make(chan struct{}), make(chan struct{})}
	first := true
	e.fail = func() error {
		if first {
			close(s.committing)
			select {
			case <-s.all:
			case <-time.After(10 * time.Second):
				t.Error("nothing more is read during a commit")
			}
		}
		first = false
		return nil
	}
	if err := New(e.cfg, e.memory, s).Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	e.want(want...)
	if e.updates != 2 {
		t.Errorf("%d commits", e.updates)
	}
}
