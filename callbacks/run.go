package callbacks

import (
	"context"
	"time"
)

// slowest is the longest wait for a database that fails.
const slowest = time.Minute

// quickest is the shortest wait for a retry: an attempt that is due, but that the look didn't find, must not spin.
const quickest = time.Second

// Run looks at start, at every wake-up, when a failed attempt is due again, and at intervals, until ctx is done; it returns ctx's
// error then. A database that fails, and a Ready that does, is tried again, ever more slowly, for ever; only a configuration that is wrong ends it.
//
// A wake-up that arrives during a look leads to another one if wake holds it: give it a buffer of one, as Waker does. wake may be
// nil.
func (s *Service) Run(ctx context.Context, wake <-chan struct{}) error {
	if err := s.cfg.Validate(); err != nil {
		return err
	}
	reconnect := schedule(s.cfg.Reconnect, slowest, 0)
	failing := false
	for ctx.Err() == nil {
		sum, err := s.RunOnce(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			failing = true
			wait := reconnect.NextBackOff()
			s.cfg.Logger.Warn("callbacks wait", "target", s.cfg.Target, "error", err, "wait", wait)
			pause(ctx, wait, nil) // whoever wakes meanwhile is heard behind it
		default:
			if failing {
				failing = false
				reconnect.Reset()
				s.cfg.Logger.Info("callbacks go on", "target", s.cfg.Target)
			}
			if !pause(ctx, s.rest(sum), wake) {
				wake = nil
			}
		}
	}
	return ctx.Err()
}

// rest is how long nothing has to be done.
func (s *Service) rest(sum *Summary) time.Duration {
	if sum.NextDue.IsZero() {
		return s.cfg.Interval
	}
	return min(s.cfg.Interval, max(quickest, sum.NextDue.Sub(s.cfg.Now())))
}

// pause waits until the time has passed, a wake-up arrives or ctx is done. False: wake is closed, and will wake nobody any more.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case _, open := <-wake:
		return open
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}
