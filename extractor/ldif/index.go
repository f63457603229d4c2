package ldif

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// index finds the records that have a text: 16 bytes each. Two texts may have the same hash: whoever finds a record looks at it.
type index []place

type place struct {
	hash   uint64
	offset int64
}

// seed is that of all indexes of a process: the hash of a text is the same in each.
var seed = maphash.MakeSeed()

func (x *index) add(text string, offset int64) {
	*x = append(*x, place{maphash.String(seed, text), offset})
}

// sort readies the index for look-ups.
func (x index) sort() {
	slices.SortFunc(x, func(a, b place) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return cmp.Compare(a.offset, b.offset)
	})
}

// find returns the offsets of the records that may have a text, in the order of the file.
func (x index) find(text string) []int64 {
	hash := maphash.String(seed, text)
	i, _ := slices.BinarySearchFunc(x, hash, func(p place, h uint64) int { return cmp.Compare(p.hash, h) })
	var found []int64
	for ; i < len(x) && x[i].hash == hash; i++ {
		found = append(found, x[i].offset)
	}
	return found
}
