package applier

import (
	"context"
	"crypto/sha256"
	"iter"

	"ldapsync/proto"
)

// State at S: what the stream says of every entry after its first S sequences. It takes two passes over the messages from the last
// committed full snapshot on. The first one finds the last sequence that carries each entry, 24 bytes for each; the second hands
// out each entry once.

type entryKey [16]byte

func keyOf(kind proto.Kind, id string) entryKey {
	sum := sha256.Sum256([]byte(string(kind) + ":" + id))
	return entryKey(sum[:16])
}

// stateAt hands out the present entries of the state at sequence to, in batches of about size entries. from is where the last
// committed full snapshot begins.
func stateAt(ctx context.Context, stream Stream, from, to uint64, size int) iter.Seq2[[]batch, error] {
	return func(yield func([]batch, error) bool) {
		last := map[entryKey]uint64{}
		for e, err := range stream.Read(ctx, from, to) {
			if err == nil {
				err = note(last, e)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		var b batches
		for e, err := range stream.Read(ctx, from, to) {
			var all batches
			if err == nil {
				err = all.event(e)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, run := range all.runs {
				for _, it := range run.items {
					if !it.removed && last[keyOf(run.kind, it.id)] == e.Sequence {
						b.add(run.kind, it)
					}
				}
			}
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

func note(last map[entryKey]uint64, e proto.Event) error {
	if !e.Type.Entry() {
		return nil
	}
	ix, err := proto.ReadIndex(e)
	if err != nil {
		return err
	}
	kind := proto.KindUser
	if ix.Group {
		kind = proto.KindGroup
	}
	for _, id := range ix.IDs {
		last[keyOf(kind, id)] = e.Sequence
	}
	return nil
}
