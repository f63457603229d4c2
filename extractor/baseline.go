package extractor

import (
	"encoding/binary"
	"iter"

	"ldapsync/proto"
)

// baseline is what the stream says about the entries of one kind: a flat table, 40 bytes an entry and 5 to 10 for its index.
type baseline struct {
	chunks [][]known
	n      int
	index  []uint32 // open addressing with linear probing: number of the entry + 1, or 0
	live   int      // entries that aren't removed
}

const chunkLen = 1 << 12

// key stands for an id, see proto.EntryKey.
type key [16]byte

func keyOf(id string) key { return proto.EntryKey(id) }

// known is one entry of the baseline.
type known struct {
	key    key
	digest proto.Digest
	mark   uint64 // the sequence of the message that last carried it, and the flags below
}

const (
	flagSeen    = 1 << 63 // the pass has met it
	flagCarried = 1 << 62 // the pass has published it
	flagRemoved = 1 << 61
	flagMissing = 1 << 60
	flagSkipped = 1 << 59 // the pass has met it and couldn't read it
	flagHeld    = 1 << 58 // the pass holds its removal or change
	sequences   = 1<<58 - 1
)

func (k *known) sequence() uint64     { return k.mark & sequences }
func (k *known) is(flags uint64) bool { return k.mark&flags != 0 }
func (k *known) set(flags uint64)     { k.mark |= flags }
func (k *known) clear(flags uint64)   { k.mark &^= flags }
func (k *known) carriedBy(seq uint64) { k.mark = k.mark&^sequences | seq }

func (b *baseline) at(n int) *known { return &b.chunks[n/chunkLen][n%chunkLen] }

// find returns the entry with this key, removed or not; nil if there is none.
func (b *baseline) find(k key) *known {
	if len(b.index) == 0 {
		return nil
	}
	if n := b.index[b.probe(k)]; n != 0 {
		return b.at(int(n - 1))
	}
	return nil
}

// put returns the entry with this key, made if it isn't there. Entries don't move.
func (b *baseline) put(k key) *known {
	if b.n*5 >= len(b.index)*4 {
		b.grow()
	}
	i := b.probe(k)
	if n := b.index[i]; n != 0 {
		return b.at(int(n - 1))
	}
	if b.n%chunkLen == 0 {
		b.chunks = append(b.chunks, make([]known, chunkLen))
	}
	b.n++
	b.index[i] = uint32(b.n)
	e := b.at(b.n - 1)
	e.key = k
	e.set(flagRemoved)
	return e
}

// upsert notes that message seq carries the entry.
func (b *baseline) upsert(k key, d proto.Digest, seq uint64, retained proto.Retained) *known {
	e := b.put(k)
	if e.is(flagRemoved) {
		b.live++
	}
	e.clear(flagRemoved)
	if retained != proto.Retained_RETAINED_MISSING { // then an event of its own says whether she is
		e.clear(flagMissing)
	}
	e.digest = d
	e.carriedBy(seq)
	return e
}

// remove notes that the entry is gone. Whether it was missing before is still to be seen then.
func (b *baseline) remove(k key) {
	if e := b.find(k); e != nil && !e.is(flagRemoved) {
		e.set(flagRemoved)
		b.live--
	}
}

// all hands out the entries that aren't removed.
func (b *baseline) all() iter.Seq[*known] {
	return func(yield func(*known) bool) {
		for n := range b.n {
			if e := b.at(n); !e.is(flagRemoved) && !yield(e) {
				return
			}
		}
	}
}

// probe returns the place of the key in the index, or the place where it belongs.
func (b *baseline) probe(k key) int {
	mask := len(b.index) - 1
	i := int(binary.LittleEndian.Uint64(k[:8])) & mask
	for b.index[i] != 0 && b.at(int(b.index[i]-1)).key != k {
		i = (i + 1) & mask
	}
	return i
}

func (b *baseline) grow() {
	b.index = make([]uint32, max(1024, 2*len(b.index)))
	for n := range b.n {
		b.index[b.probe(b.at(n).key)] = uint32(n + 1)
	}
}
