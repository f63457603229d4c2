package applier

import (
	"context"
	"errors"
	"sync"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"

	"github.com/cenkalti/backoff/v4"
)

// Applier applies one source's stream to one target.
type Applier struct {
	cfg    Config
	store  Store
	stream Stream

	mu       sync.Mutex
	summary  Summary
	entries  uint64        // applied since the start
	position uint64        // sequence up to which everything is applied
	moved    chan struct{} // closed and made anew when position moves
}

// New returns an applier. stream may be nil for one that only previews, of a source that has no stream yet.
func New(cfg Config, store Store, stream Stream) *Applier {
	return &Applier{cfg: cfg.withDefaults(), store: store, stream: stream, moved: make(chan struct{})}
}

// Summary returns what was done since New.
func (a *Applier) Summary() Summary {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.summary
}

// WaitFor blocks until everything up to and including a sequence is applied, or ctx is done.
func (a *Applier) WaitFor(ctx context.Context, sequence uint64) error {
	for {
		a.mu.Lock()
		position, moved := a.position, a.moved
		a.mu.Unlock()
		if position >= sequence {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Run applies the stream until ctx is done (its error is returned then), or until something retrying can't mend is met.
func (a *Applier) Run(ctx context.Context) error {
	cuts := 0
	for {
		err := a.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, ErrMoved):
			a.cfg.Logger.Info("another applier is at work; starting over", "target", a.cfg.Target, "source", a.cfg.Source)
		case errors.Is(err, proto.ErrCut) && cuts < mostCuts:
			cuts++
			a.cfg.Logger.Info("the history changed while it was read; starting over", "target", a.cfg.Target, "source", a.cfg.Source, "because", err)
		default:
			return err
		}
	}
}

// mostCuts is how often a history may be cut, or entries erased, while Run catches up: more is a history that is damaged.
const mostCuts = 5

// follow applies from the checkpoint on.
func (a *Applier) follow(ctx context.Context) error {
	var cp *Checkpoint
	err := a.retry(ctx, func() (err error) {
		cp, err = a.store.Checkpoint(ctx, a.cfg.Source)
		return err
	})
	if err != nil {
		return err
	}
	b, err := a.start(ctx, cp)
	if err != nil {
		return err
	}
	from, cp := b.from, b.checkpoint
	if b.behind {
		if cp, _, err = a.catchUp(ctx, cp); err != nil {
			return err
		}
		from = cp.Sequence + 1
	}
	if cp != nil && cp.Mapping != a.cfg.hash() {
		if cp, err = a.remap(ctx, *cp); err != nil {
			return err
		}
	}
	f := follower{Applier: a, checkpoint: cp}
	if b.behind {
		if err := f.settle(ctx, true, cp.Sequence); err != nil {
			return err
		}
	}
	a.reached(from - 1)
	for c, err := range a.ahead(ctx, from, b.full) {
		if err == nil {
			err = f.take(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// LastFull returns where the last committed full snapshot of a stream begins; 0 if there is none.
func LastFull(ctx context.Context, stream Stream) (uint64, error) {
	e, err := stream.LastOf(ctx, proto.TypeSnapshotCommitted)
	if errors.Is(err, proto.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	var m proto.SnapshotCommitted
	if err := proto.Unmarshal(e, &m); err != nil {
		return 0, err
	}
	return m.GetFullSequence(), nil
}

// remap brings every link to the present mapping, from the stream: the directory isn't asked.
func (a *Applier) remap(ctx context.Context, cp Checkpoint) (*Checkpoint, error) {
	if cp.StreamID != a.stream.StreamID() {
		return &cp, nil
	}
	a.cfg.Logger.Info("the mapping changed: applying it from the stream", "target", a.cfg.Target, "source", a.cfg.Source)
	state, err := a.unmapped(ctx, &cp)
	if err != nil {
		return nil, err
	}
	if err := a.bring(ctx, &cp, state); err != nil {
		return nil, err
	}
	next := cp
	next.Mapping = a.cfg.hash()
	return &next, a.commit(ctx, &cp, next, nil, false)
}

// commit applies batches and moves the checkpoint from prev to next in one transaction, and counts what was done.
func (a *Applier) commit(ctx context.Context, prev *Checkpoint, next Checkpoint, runs []batch, atEnd bool) error {
	return a.commitBy(ctx, a.store.Update, prev, next, runs, atEnd)
}

// commitBy is commit with what stands for the store's Update.
func (a *Applier) commitBy(ctx context.Context, update Updater, prev *Checkpoint, next Checkpoint, runs []batch, atEnd bool) error {
	return a.retry(ctx, func() error {
		var d done
		err := update(ctx, func(tx Tx) (err error) {
			d = nil
			if err := tx.Advance(ctx, prev, next); err != nil {
				return err
			}
			if prev != nil && (prev.StreamID != next.StreamID || next.CatchingUp() && *prev != next) {
				if err := a.forgetLetters(ctx, tx); err != nil {
					return err
				}
			}
			if d, err = a.write(ctx, tx, runs, atEnd); err != nil {
				return err
			}
			return a.putOutcomes(ctx, tx, next, d)
		})
		if err == nil {
			a.count(d)
		}
		return err
	})
}

// retry calls fn until it succeeds, fails in a way that retrying can't mend, or the time for that is over.
func (a *Applier) retry(ctx context.Context, fn func() error) error {
	pause := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(a.cfg.RetryFor), backoff.WithMaxInterval(30e9))
	return backoff.RetryNotify(func() error {
		err := fn()
		var f *fault.Error
		if err == nil || errors.As(err, &f) && !f.Permanent && ctx.Err() == nil {
			return err
		}
		return backoff.Permanent(err)
	}, backoff.WithContext(pause, ctx), func(err error, wait time.Duration) {
		a.cfg.Logger.Warn("trying again", "target", a.cfg.Target, "error", err, "in", wait.Round(time.Millisecond))
	})
}

func (a *Applier) count(d done) {
	a.mu.Lock()
	for _, run := range d {
		for _, c := range run.changes {
			a.summary.add(run.kind, c)
			a.entries++
		}
	}
	entries := a.entries
	a.mu.Unlock()
	for _, run := range d {
		for _, c := range run.changes {
			if c.Action != Unchanged && c.Action != Touch {
				a.cfg.OnChange(run.kind, c)
			}
		}
	}
	a.cfg.OnProgress(entries)
}

func (a *Applier) reached(sequence uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sequence > a.position {
		a.position = sequence
		close(a.moved)
		a.moved = make(chan struct{})
	}
}

// follower is one run along the stream.
type follower struct {
	*Applier
	checkpoint *Checkpoint
	ended      bool   // a snapshot ended since the letters were last tried
	full       bool   // a full one
	committed  uint64 // where the last one was committed; 0 for none
	complete   bool   // the target knows that the source was applied as a whole
}

// take applies a chunk. When a snapshot has ended and nothing more waits it tries the letters, and judges the accounts that no entry stands
// behind. Brackets alone don't move the checkpoint.
func (f *follower) take(ctx context.Context, c chunk) error {
	if len(c.runs) > 0 {
		next := Checkpoint{Source: f.cfg.Source, StreamID: f.stream.StreamID(), Sequence: c.last, Mapping: f.cfg.hash(), Mode: modeLive}
		if err := f.commit(ctx, f.checkpoint, next, c.runs, false); err != nil {
			return err
		}
		f.checkpoint = &next
	}
	f.ended, f.full = f.ended || c.ended, f.full || c.full
	if c.whole {
		f.committed = c.last
	}
	if f.ended && c.idle {
		if err := f.settle(ctx, f.full, f.committed); err != nil {
			return err
		}
		f.ended, f.full, f.committed = false, false, 0
	}
	f.reached(c.last)
	return nil
}

// settle does what the end of a snapshot brings. committed is where one was committed; 0: none was.
func (f *follower) settle(ctx context.Context, full bool, committed uint64) error {
	if err := f.tryLetters(ctx, full); err != nil {
		return err
	}
	if err := f.judgeHeld(ctx, f.checkpoint, full); err != nil {
		return err
	}
	if committed == 0 {
		return nil
	}
	return f.sweep(ctx, committed)
}
