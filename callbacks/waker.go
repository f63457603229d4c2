package callbacks

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"ldapsync/proto"
)

// Waker collapses any number of wake-ups into one that waits until it is heard. Its methods may be called by several goroutines.
type Waker struct {
	c      chan struct{}
	logger *slog.Logger
}

// NewWaker returns a waker. logger gets a line when a wait for the applier begins to fail; nil: none.
func NewWaker(logger *slog.Logger) *Waker {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Waker{c: make(chan struct{}, 1), logger: logger}
}

// C is what Service.Run listens to.
func (w *Waker) C() <-chan struct{} { return w.c }

// Wake wakes who listens to C: now, or when it listens again. It never blocks.
func (w *Waker) Wake() {
	select {
	case w.c <- struct{}{}:
	default: // one waits already, and what it leads to begins later than this
	}
}

// Positions tells how far a source's stream is applied to a target; Accounts does.
type Positions interface {
	Position(ctx context.Context, source string) (uint64, error)
}

// How often the position is asked for.
const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = 5 * time.Second
)

// Follow wakes for each event of a source's stream, but not before the target's position has passed it: an event may arrive before
// the applier has made its link gone, and a look would find nothing. The next event is asked for, and this one thereby acknowledged,
// only then; a database that fails is asked again. It returns when the events end: nil, their error, or ctx's.
func (w *Waker) Follow(ctx context.Context, source string, positions Positions, events iter.Seq2[proto.Event, error]) error {
	var reached uint64
	for e, err := range events {
		if err != nil {
			return err
		}
		if e.Sequence > reached {
			if reached, err = w.await(ctx, source, positions, e.Sequence); err != nil {
				return err
			}
		}
		w.Wake()
	}
	return ctx.Err()
}

// await returns the position once it has reached sequence; its only error is ctx's.
func (w *Waker) await(ctx context.Context, source string, positions Positions, sequence uint64) (uint64, error) {
	poll := schedule(firstPoll, lastPoll, 0)
	failing := false
	for {
		reached, err := positions.Position(ctx, source)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil:
			if !failing {
				w.logger.Warn("can't read the target's position", "source", source, "error", err)
			}
		case reached >= sequence:
			return reached, nil
		}
		failing = err != nil
		pause(ctx, poll.NextBackOff(), nil)
	}
}
