package callbacks_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldapsync/callbacks"
	"ldapsync/proto"
)

// sequence hands out what arrives, and counts in acknowledged what was left behind.
func sequence(events <-chan uint64, acknowledged *atomic.Uint64, end error) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for seq := range events {
			if !yield(proto.Event{Type: proto.TypeUserRemoved, Sequence: seq}, nil) {
				return
			}
			acknowledged.Store(seq)
		}
		if end != nil {
			yield(proto.Event{}, end)
		}
	}
}

func woken(w *callbacks.Waker) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func TestFollowWaitsUntilTheApplierHasPassedTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, waker := newAccounts(t), callbacks.NewWaker(nil)
		var asked atomic.Int64
		a.asked = func(source string) {
			if asked.Add(1); source != "corp" {
				t.Errorf("asked for the position in %q", source)
			}
		}
		a.position["corp"] = 9
		events, acknowledged, ended := make(chan uint64, 10), new(atomic.Uint64), make(chan error)
		go func() { ended <- waker.Follow(t.Context(), "corp", a, sequence(events, acknowledged, nil)) }()

		events <- 10
		time.Sleep(time.Hour)
		synctest.Wait()
		if woken(waker) || acknowledged.Load() != 0 {
			t.Fatal("woke before the link was gone")
		}
		if n := asked.Load(); n < 700 || n > 760 {
			t.Errorf("asked for the position %d times in an hour; want one in 5 s", n)
		}
		a.set(func() { a.position["corp"] = 12 })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !woken(waker) || acknowledged.Load() != 10 {
			t.Fatal("didn't wake after the applier had passed the event")
		}

		before := asked.Load()
		events <- 11
		events <- 12
		synctest.Wait()
		if !woken(waker) || woken(waker) || acknowledged.Load() != 12 || asked.Load() != before {
			t.Error("events behind the position: want one wake-up, and no question")
		}
		close(events)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestFollowOutlivesTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a, waker := newAccounts(t), callbacks.NewWaker(slog.New(slog.NewTextHandler(&log, nil)))
		a.down, a.position["corp"] = errors.New("connection refused"), 1
		events, acknowledged, ended := make(chan uint64, 1), new(atomic.Uint64), make(chan error)
		lost := errors.New("the stream is gone")
		go func() { ended <- waker.Follow(t.Context(), "corp", a, sequence(events, acknowledged, lost)) }()
		events <- 1
		time.Sleep(time.Minute)
		a.set(func() { a.down = nil })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !woken(waker) {
			t.Error("didn't wake when the database came back")
		}
		if n := strings.Count(log.String(), "connection refused"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, &log)
		}
		close(events)
		if err := <-ended; !errors.Is(err, lost) {
			t.Errorf("ended with %v; want the events' error", err)
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, waker := newAccounts(t), callbacks.NewWaker(nil)
		ctx, cancel := context.WithCancel(t.Context())
		events, acknowledged, ended := make(chan uint64, 1), new(atomic.Uint64), make(chan error)
		go func() { ended <- waker.Follow(ctx, "corp", a, sequence(events, acknowledged, nil)) }()
		events <- 1
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || acknowledged.Load() != 0 || woken(waker) {
			t.Errorf("ended with %v, acknowledged %d", err, acknowledged.Load())
		}
	})
}
