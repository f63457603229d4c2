package applier

import (
	"context"
	"iter"

	"ldapsync/proto"
)

// stateAt hands out the entries that the state at sequence to has, in batches of about size entries. from is where the last
// committed full snapshot begins. A missing user is one of them.
func stateAt(ctx context.Context, stream Stream, from, to uint64, size int) iter.Seq2[[]batch, error] {
	return func(yield func([]batch, error) bool) {
		state, err := proto.ReadState(ctx, stream, from, to)
		if err != nil {
			yield(nil, err)
			return
		}
		var b batches
		for e, err := range state.Entries(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			b.add(e.Kind, stated(e))
			if b.n >= size {
				if !yield(b.runs, nil) {
					return
				}
				b = batches{}
			}
		}
		if b.n > 0 {
			yield(b.runs, nil)
		}
	}
}

// stated makes an item of an entry of a state.
func stated(e proto.StateEntry) item {
	it := item{id: e.ID(), entry: e.User, digest: e.Digest, seq: e.Sequence, old: e.Retained != 0, kept: e.Missing}
	if e.Kind == proto.KindGroup {
		it.entry = e.Group
	}
	return it
}
