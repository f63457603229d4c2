package proto

import (
	"crypto/sha256"
	"encoding/binary"
)

// stateKey stands for an entry: 16 bytes of the SHA-256 of its kind and id.
type stateKey [16]byte

func stateKeyOf(kind Kind, id string) stateKey {
	var room [128]byte
	b := append(append(append(room[:0], kind...), ':'), id...)
	sum := sha256.Sum256(b)
	return stateKey(sum[:16])
}

// stateRow is one entry of a state.
type stateRow struct {
	key  stateKey
	mark uint64 // the sequence of the event with the last word on it, and whether that removes it
}

const stateRemoved = 1 << 63

func (r *stateRow) live() bool { return r.mark != 0 && r.mark&stateRemoved == 0 }

// stateTable is a flat table: 24 bytes a row, and an index by open addressing with linear probing. Growing copies the index alone.
type stateTable struct {
	chunks [][]stateRow
	n      int
	index  []uint32 // number of the row + 1, or 0
}

const stateChunk = 1 << 12

func (t *stateTable) at(n int) *stateRow { return &t.chunks[n/stateChunk][n%stateChunk] }

// find returns the row with this key; nil if there is none.
func (t *stateTable) find(k stateKey) *stateRow {
	if len(t.index) == 0 {
		return nil
	}
	if n := t.index[t.probe(k)]; n != 0 {
		return t.at(int(n - 1))
	}
	return nil
}

// put returns the row with this key, made if it isn't there. Rows don't move.
func (t *stateTable) put(k stateKey) *stateRow {
	if t.n*5 >= len(t.index)*4 {
		t.grow()
	}
	i := t.probe(k)
	if n := t.index[i]; n != 0 {
		return t.at(int(n - 1))
	}
	if t.n%stateChunk == 0 {
		t.chunks = append(t.chunks, make([]stateRow, stateChunk))
	}
	t.n++
	t.index[i] = uint32(t.n)
	r := t.at(t.n - 1)
	r.key = k
	return r
}

// probe returns the place of the key in the index, or the place where it belongs.
func (t *stateTable) probe(k stateKey) int {
	mask := len(t.index) - 1
	i := int(binary.LittleEndian.Uint64(k[:8])) & mask
	for t.index[i] != 0 && t.at(int(t.index[i]-1)).key != k {
		i = (i + 1) & mask
	}
	return i
}

func (t *stateTable) grow() {
	t.index = make([]uint32, max(1024, 2*len(t.index)))
	for n := range t.n {
		t.index[t.probe(t.at(n).key)] = uint32(n + 1)
	}
}
