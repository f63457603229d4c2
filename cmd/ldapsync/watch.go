package main

import (
	"context"
	"sync"
	"time"

	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
)

// Who waits for a service's work mustn't wait for ever: the service may end, or get nowhere.
const (
	watchInterval    = 5 * time.Second // between two questions whether the service is there
	leastPatience    = time.Minute     // for an idle service to begin the pass it is asked for
	snapshotPatience = time.Hour       // for it to end the pass that it is at before
)

// gone is what waiting ends with when the service is no longer there.
func gone(what string) error {
	return fault.Passing(fault.Stream, "start it again, or run again without it", "%s: the service is gone", what)
}

// watch ends the wait for a pass when its service is gone or doesn't begin it.
type watch struct {
	bus      *bus.Bus
	source   string
	patience time.Duration // for an idle service to begin
	seen     bool          // the service was there: one that never was may yet come

	mu    sync.Mutex
	limit time.Duration // 0: it has begun, and ends some time
	since time.Time
}

// expect sets how long the next sign of the pass may take from now on.
func (w *watch) expect(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit, w.since = limit, time.Now()
}

// overdue tells for how long nothing has come, if that is too long.
func (w *watch) overdue() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waited := time.Since(w.since)
	return waited, w.limit > 0 && waited > w.limit
}

// run calls end with a fault, unless ctx is done before. The clock of a service that comes late starts when it comes.
func (w *watch) run(ctx context.Context, end context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchInterval):
		}
		_, active, err := w.bus.Active(ctx, roleExtractor, w.source)
		switch waited, late := w.overdue(); {
		case err != nil:
			end(err)
		case w.seen && !active:
			end(gone("source " + w.source))
		case !active:
		case !w.seen:
			w.seen = true
			w.expect(w.patience)
		case late:
			end(fault.Passing(fault.Directory, "see the service's log", "source %s: the service hasn't begun the pass in %s", w.source, waited.Round(time.Second)))
		}
	}
}
