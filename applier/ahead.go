package applier

import (
	"context"
	"iter"
	"sync"

	"ldapsync/proto"
)

// chunk is what one transaction takes: the entries of some events that follow each other.
type chunk struct {
	runs  []batch
	last  uint64 // sequence of the last of the events
	ended bool   // a snapshot ended in it, with its last event
	full  bool   // a full one
	whole bool   // and that was committed
	idle  bool   // the stream held nothing behind it
}

// inAdvance hands out what produce makes in a goroutine of its own, each while the one before is worked on: plans or transactions for runs of it. The
// goroutine ends with the loop.
func inAdvance[T any](ctx context.Context, runs func(T) []batch, produce func(ctx context.Context, out chan<- T) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		out := make(chan T)
		var failed error
		var producing sync.WaitGroup
		defer producing.Wait()
		defer cancel()
		producing.Go(func() {
			defer close(out)
			failed = produce(ctx, out)
		})
		for one := range out {
			if !yield(one, nil) {
				return
			}
			nothingMore(runs(one))
		}
		if failed != nil {
			var none T
			yield(none, failed)
		}
	}
}

// ahead follows the stream: the next chunk is read and decoded while this one is committed. full is where the last full snapshot begins.
func (a *Applier) ahead(ctx context.Context, from, full uint64) iter.Seq2[chunk, error] {
	return inAdvance(ctx, func(c chunk) []batch { return c.runs }, func(ctx context.Context, chunks chan<- chunk) error {
		ctx, cancel := context.WithCancel(ctx)
		events := make(chan told)
		var telling sync.WaitGroup
		defer telling.Wait()
		defer cancel()
		telling.Go(func() {
			defer close(events)
			a.tell(ctx, from, events)
		})
		return a.assemble(ctx, events, full, chunks)
	})
}

// told is what following the stream told last.
type told struct {
	event proto.Event
	err   error
}

func (a *Applier) tell(ctx context.Context, from uint64, events chan<- told) {
	for e, err := range a.stream.Follow(ctx, from) {
		select {
		case events <- told{e, err}:
		case <-ctx.Done():
			return
		}
	}
}

// batchesAhead hands out the entries of a state as batchesOf does, mapped: the next batch is read and decoded while this one is planned or committed.
func (a *Applier) batchesAhead(ctx context.Context, state *proto.State) iter.Seq2[[]batch, error] {
	return inAdvance(ctx, func(runs []batch) []batch { return runs }, func(ctx context.Context, ready chan<- []batch) error {
		f := forerunner{Applier: a}
		for runs, err := range batchesOf(ctx, state, a.cfg.BatchEntries) {
			if err != nil {
				return err
			}
			a.mapAll(runs)
			f.prepare(ctx, runs)
			select {
			case ready <- runs:
				f.handed(runs)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
}

// assemble puts chunks together: each ends with its snapshot, or when it is large enough. One behind which nothing waited may be taken as it is, and
// grows until it is: what arrives during a commit goes into the next one together.
func (a *Applier) assemble(ctx context.Context, events <-chan told, full uint64, chunks chan<- chunk) (failed error) {
	var b batches
	var c chunk
	f := forerunner{Applier: a}
	for {
		var take <-chan told
		var hand chan<- chunk
		complete := c.ended || b.full(a.cfg.BatchEntries)
		if !complete {
			take = events
		}
		if complete || c.idle {
			date(b.runs, full)
			a.mapAll(b.runs)
			c.runs, hand = b.runs, chunks
		}
		if complete {
			f.prepare(ctx, c.runs)
		}
		if take == nil && hand == nil {
			return failed
		}
		select {
		case t, more := <-take:
			if !more || t.err != nil {
				events, failed = nil, t.err
				continue
			}
			if err := b.event(t.event); err != nil {
				return err
			}
			if err := c.reach(t.event); err != nil {
				return err
			}
		case hand <- c:
			f.handed(c.runs)
			b, c = batches{}, chunk{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reach has the chunk end with an event.
func (c *chunk) reach(e proto.Event) error {
	c.last, c.idle = e.Sequence, e.Pending == 0
	switch e.Type {
	case proto.TypeSnapshotAborted:
		c.ended = true
	case proto.TypeSnapshotCommitted:
		var m proto.SnapshotCommitted
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		c.ended, c.full, c.whole = true, m.GetFull(), true
	}
	return nil
}

// mapAll maps what will most likely be applied.
func (a *Applier) mapAll(runs []batch) {
	for _, run := range runs {
		m := a.cfg.mapping(run.kind)
		if m == nil {
			continue
		}
		for i := range run.items {
			if it := &run.items[i]; !it.absent() {
				it.values(m)
			}
		}
	}
}
