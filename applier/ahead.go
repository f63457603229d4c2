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

// ahead follows the stream in a goroutine of its own, so that the next chunk is read and decoded while this one is committed. The
// goroutine ends with the loop over it. full is where the last full snapshot begins.
func (a *Applier) ahead(ctx context.Context, from, full uint64) iter.Seq2[chunk, error] {
	return func(yield func(chunk, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		chunks := make(chan chunk)
		var failed error
		var reading sync.WaitGroup
		defer reading.Wait()
		defer cancel()
		reading.Go(func() {
			defer close(chunks)
			failed = a.assemble(ctx, from, full, func(c chunk) bool {
				select {
				case chunks <- c:
					return true
				case <-ctx.Done():
					return false
				}
			})
		})
		for c := range chunks {
			if !yield(c, nil) {
				return
			}
		}
		if failed != nil {
			yield(chunk{}, failed)
		}
	}
}

// batchesAhead hands out the entries of a state as batchesOf does, mapped: the next batch is read and decoded in a goroutine of its own while this one
// is planned or committed. The goroutine ends with the loop over it.
func (a *Applier) batchesAhead(ctx context.Context, state *proto.State) iter.Seq2[[]batch, error] {
	return func(yield func([]batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		ready := make(chan []batch)
		var failed error
		var reading sync.WaitGroup
		defer reading.Wait()
		defer cancel()
		reading.Go(func() {
			defer close(ready)
			for runs, err := range batchesOf(ctx, state, a.cfg.BatchEntries) {
				if failed = err; err != nil {
					return
				}
				a.mapAll(runs)
				select {
				case ready <- runs:
				case <-ctx.Done():
					failed = ctx.Err()
					return
				}
			}
		})
		for runs := range ready {
			if !yield(runs, nil) {
				return
			}
		}
		if failed != nil {
			yield(nil, failed)
		}
	}
}

// assemble puts chunks together: each ends with its snapshot, when it is large enough, or when nothing more waits.
func (a *Applier) assemble(ctx context.Context, from, full uint64, hand func(chunk) bool) error {
	var b batches
	for e, err := range a.stream.Follow(ctx, from) {
		if err == nil {
			err = b.event(e)
		}
		if err != nil {
			return err
		}
		c := chunk{last: e.Sequence, idle: e.Pending == 0}
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
		if !c.ended && !c.idle && !b.full(a.cfg.BatchEntries) {
			continue
		}
		date(b.runs, full)
		a.mapAll(b.runs)
		c.runs = b.runs
		b = batches{}
		if !hand(c) {
			return nil
		}
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
