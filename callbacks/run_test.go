package callbacks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ldapsync/callbacks"
	"ldapsync/internal/fault"
)

// start runs a service until the test's end, in the test's bubble.
func start(t *testing.T, a *accounts, wake <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- callbacks.New(callbacks.Config{Target: "default", Callbacks: []string{callbacks.Deactivate}}, a).Run(ctx, wake)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	synctest.Wait()
}

func wantLooks(t *testing.T, a *accounts, want int, when string) {
	t.Helper()
	synctest.Wait()
	if got := a.looked(); got != want {
		t.Errorf("%s: %d looks; want %d", when, got, want)
	}
}

func TestRunLooksAtStartAtWakeUpsAndAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, waker := newAccounts(t), callbacks.NewWaker(nil)
		start(t, a, waker.C())
		wantLooks(t, a, 1, "at start")
		waker.Wake()
		wantLooks(t, a, 2, "woken")
		time.Sleep(time.Minute - time.Nanosecond)
		wantLooks(t, a, 2, "just before the interval's end")
		time.Sleep(time.Nanosecond)
		wantLooks(t, a, 3, "at the interval's end")
	})
}

func TestAWakeUpDuringALookIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, waker := newAccounts(t), callbacks.NewWaker(nil)
		a.left(1)
		a.before = func(string, int) { // too late for this look, whose page is read
			a.before = nil
			a.left(1)
			for range 5 {
				waker.Wake()
			}
		}
		start(t, a, waker.C())
		wantLooks(t, a, 2, "five wake-ups during the first look")
		for _, p := range a.people {
			if p.active {
				t.Errorf("%s is still active", p.Username)
			}
		}
	})
}

func TestRunTriesAgainWhenARetryIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		p := a.left(1)
		p.refuse = "locked"
		start(t, a, nil)
		due := time.Until(p.letters[callbacks.Deactivate].next)
		if due <= 0 || due >= time.Minute {
			t.Fatalf("due in %s; want before the interval ends", due)
		}
		time.Sleep(due - time.Nanosecond)
		wantLooks(t, a, 1, "before the retry")
		a.set(func() { p.refuse = "" })
		time.Sleep(time.Nanosecond)
		wantLooks(t, a, 2, "when the retry is due")
		if p.active {
			t.Error("still active")
		}
	})
}

func TestRunNeverGivesUpOnADatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, waker := newAccounts(t), callbacks.NewWaker(nil)
		p := a.left(1)
		a.down = fault.New(fault.Database, "", "password authentication failed")
		start(t, a, waker.C())
		wantLooks(t, a, 1, "at start")
		waker.Wake()
		wantLooks(t, a, 1, "woken while the database is down")
		for i, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			time.Sleep(wait*time.Second - time.Nanosecond)
			wantLooks(t, a, i+1, "during the back-off")
			time.Sleep(time.Nanosecond)
			wantLooks(t, a, i+2, "after the back-off")
		}
		time.Sleep(24 * time.Hour)
		a.set(func() { a.down = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		if p.active {
			t.Error("still active after the database came back")
		}
		looks := a.looked()
		a.set(func() { a.down = errors.New("down again") })
		time.Sleep(2 * time.Minute) // the rest of the interval, then six failures at 1 s, 2 s, 4 s, …
		synctest.Wait()
		if got := a.looked() - looks; got < 6 {
			t.Errorf("%d looks in two minutes: the back-off wasn't reset", got)
		}
	})
}

func TestAClosedWakeUpChannelDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		wake := make(chan struct{})
		start(t, a, wake)
		close(wake)
		wantLooks(t, a, 2, "closed")
		time.Sleep(time.Minute)
		wantLooks(t, a, 3, "one interval later")
	})
}

func TestARetryThatNobodyFindsDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &stuck{accounts: newAccounts(t)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := callbacks.New(callbacks.Config{Callbacks: []string{callbacks.Delete}}, a).Run(ctx, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if n := a.looked(); n > 11 {
			t.Errorf("%d looks in ten seconds", n)
		}
	})
}

// stuck says for ever that an attempt is due, which it never hands out.
type stuck struct{ *accounts }

func (stuck) NextDue(context.Context, callbacks.DueQuery) (time.Time, error) {
	return noon.Add(-50 * 365 * 24 * time.Hour), nil
}

// TestEachLookWaitsUntilItIsReady: the look at start, and one at the interval; the error of Ready is tried again.
func TestEachLookWaitsUntilItIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccounts(t)
		ready := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		cfg := callbacks.Config{Target: "default", Callbacks: []string{callbacks.Deactivate}, Ready: func(ctx context.Context) error {
			select {
			case err := <-ready:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		go func() { ended <- callbacks.New(cfg, a).Run(ctx, nil) }()
		time.Sleep(time.Hour)
		wantLooks(t, a, 0, "not ready")
		ready <- errors.New("the stream is gone")
		time.Sleep(time.Hour)
		wantLooks(t, a, 0, "not to be known")
		ready <- nil
		wantLooks(t, a, 1, "ready")
		time.Sleep(time.Hour)
		wantLooks(t, a, 1, "not ready at the interval")
		ready <- nil
		wantLooks(t, a, 2, "ready again")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}
