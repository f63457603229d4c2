package history

import (
	"crypto/sha256"
	"encoding/binary"

	"ldapsync/proto"
)

// key stands for an entry: 16 bytes of the SHA-256 of its kind and id.
type key [16]byte

func keyOf(kind proto.Kind, id string) key {
	var room [128]byte
	b := append(append(append(room[:0], kind...), ':'), id...)
	sum := sha256.Sum256(b)
	return key(sum[:16])
}

// row is what two states say of one entry: 48 bytes.
type row struct {
	key    key
	digest [2]uint64 // its first 8 bytes: between two versions of one entry that is enough
	mark   [2]uint64 // the sequence of the event with the last word on it, and the flags below
}

const (
	flagThere   = 1 << 63
	flagMissing = 1 << 62
	flagGroup   = 1 << 61
	sequences   = 1<<61 - 1
)

func (r *row) there(side int) bool      { return r.mark[side]&flagThere != 0 }
func (r *row) sequence(side int) uint64 { return r.mark[side] & sequences }
func (r *row) group() bool              { return (r.mark[0]|r.mark[1])&flagGroup != 0 }
func (r *row) carried(side int) uint64  { return r.mark[side] & (flagThere | sequences) }
func short(d proto.Digest) uint64       { return binary.LittleEndian.Uint64(d[:8]) }
func (r *row) missing(side int) bool    { return r.mark[side]&flagMissing != 0 }
func (r *row) copied(from int, to int)  { r.digest[to], r.mark[to] = r.digest[from], r.mark[from] }
func (r *row) fate() (came, went, changed bool) {
	before, after := r.there(0), r.there(1)
	differs := r.digest[0] != r.digest[1] || r.missing(0) != r.missing(1)
	return !before && after, before && !after, before && after && differs
}

// table is a flat table: 48 bytes a row, and an index by open addressing with linear probing. Growing copies the index alone.
type table struct {
	chunks [][]row
	n      int
	index  []uint32 // number of the row + 1, or 0
}

const chunkLen = 1 << 12

func (t *table) at(n int) *row { return &t.chunks[n/chunkLen][n%chunkLen] }

// find returns the row with this key; nil if there is none.
func (t *table) find(k key) *row {
	if len(t.index) == 0 {
		return nil
	}
	if n := t.index[t.probe(k)]; n != 0 {
		return t.at(int(n - 1))
	}
	return nil
}

// put returns the row with this key, made if it isn't there. Rows don't move.
func (t *table) put(k key) *row {
	if t.n*5 >= len(t.index)*4 {
		t.grow()
	}
	i := t.probe(k)
	if n := t.index[i]; n != 0 {
		return t.at(int(n - 1))
	}
	if t.n%chunkLen == 0 {
		t.chunks = append(t.chunks, make([]row, chunkLen))
	}
	t.n++
	t.index[i] = uint32(t.n)
	r := t.at(t.n - 1)
	r.key = k
	return r
}

// probe returns the place of the key in the index, or the place where it belongs.
func (t *table) probe(k key) int {
	mask := len(t.index) - 1
	i := int(binary.LittleEndian.Uint64(k[:8])) & mask
	for t.index[i] != 0 && t.at(int(t.index[i]-1)).key != k {
		i = (i + 1) & mask
	}
	return i
}

func (t *table) grow() {
	t.index = make([]uint32, max(1024, 2*len(t.index)))
	for n := range t.n {
		t.index[t.probe(t.at(n).key)] = uint32(n + 1)
	}
}
