package extractor

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"ldapsync/proto"
)

// hold is a proto.Hold: what waits for a person in one respect, 16 or 32 bytes an entry.
type hold struct {
	respect
	name     string
	reason   string
	of       int
	hash     string
	rejected bool
	since    time.Time // zero in the pass that holds it first
	entries  []byte    // keys, 16 bytes each, in ascending order
	digests  []byte    // 16 bytes each, zeros of one that is gone; empty for removals
}

func (h *hold) len() int { return len(h.entries) / 16 }

// find returns the number of an entry, or -1.
func (h *hold) find(k key) int {
	if h == nil {
		return -1
	}
	n := sort.Search(h.len(), func(i int) bool { return bytes.Compare(h.entries[16*i:16*i+16], k[:]) >= 0 })
	if n < h.len() && key(h.entries[16*n:]) == k {
		return n
	}
	return -1
}

func (h *hold) has(k key) bool { return h.find(k) >= 0 }

// isGone tells whether this stands for the digest of an entry that the directory doesn't have any more.
func isGone(d proto.Digest) bool { return d == proto.Digest{} }

// digest is that of entry number n.
func (h *hold) digest(n int) proto.Digest {
	if len(h.digests) == 0 {
		return proto.Digest{}
	}
	return proto.Digest(h.digests[16*n:])
}

// hasGone tells whether entries of the hold were gone when it was made.
func (h *hold) hasGone() bool {
	for n := range h.len() {
		if isGone(h.digest(n)) {
			return true
		}
	}
	return false
}

// shown tells whether an entry is one of the hold's and still as it was shown: the same digest, or still gone.
func (h *hold) shown(k key, d proto.Digest) bool {
	n := h.find(k)
	return n >= 0 && h.digest(n) == d
}

// proto is the hold as it is published, without its entries.
func (h *hold) proto() *proto.Hold {
	m := &proto.Hold{
		Kind: string(h.kind), Change: h.change, Key: h.key, Name: h.name, Count: uint64(h.len()), Of: uint64(h.of),
		Reason: h.reason, Hash: h.hash, Rejected: h.rejected,
	}
	if !h.since.IsZero() {
		m.Since = proto.Timestamp(h.since)
	}
	return m
}

func (h *hold) summary() Hold {
	return Hold{
		Kind: h.kind, Change: h.change, Key: h.key, Name: h.name, Count: h.len(), Of: h.of,
		Reason: h.reason, Hash: h.hash, Rejected: h.rejected, Since: h.since,
	}
}

// holding is all that is held at one time.
type holding struct {
	snapshot, sequence uint64
	time               time.Time
	holds              []*hold
	index              map[respect]*holdsOf // made by look
}

// holdsOf are the holds of one respect; nil where there is none.
type holdsOf struct{ open, rejected *hold }

// in returns the holds of a respect.
func (h *holding) in(r respect) (open, rejected *hold) {
	if of := h.index[r]; of != nil {
		return of.open, of.rejected
	}
	return nil, nil
}

// look makes the index.
func (h *holding) look() {
	h.index = make(map[respect]*holdsOf, len(h.holds))
	for _, held := range h.holds {
		of := h.index[held.respect]
		if of == nil {
			of = &holdsOf{}
			h.index[held.respect] = of
		}
		if held.rejected {
			of.rejected = held
		} else {
			of.open = held
		}
	}
}

// hashes identify what is held: two holdings with the same ones hold the same.
func (h *holding) hashes() []string {
	var all []string
	for _, held := range h.holds {
		mark := "open "
		if held.rejected {
			mark = "rejected "
		}
		all = append(all, mark+held.hash)
	}
	slices.Sort(all)
	return all
}

// sort puts the open holds first, and orders them by their respects.
func (h *holding) sort() {
	slices.SortStableFunc(h.holds, func(a, b *hold) int {
		if a.rejected != b.rejected {
			if b.rejected {
				return -1
			}
			return 1
		}
		return a.compare(b.respect)
	})
}

// heldEntry is one entry of a hold in the making.
type heldEntry struct {
	key    key
	digest proto.Digest
}

// newHold makes a hold of entries, whose order it changes.
func newHold(r respect, rejected bool, entries []heldEntry) *hold {
	slices.SortFunc(entries, func(a, b heldEntry) int { return bytes.Compare(a.key[:], b.key[:]) })
	h := &hold{respect: r, rejected: rejected, entries: make([]byte, 0, 16*len(entries))}
	if r.change != proto.ChangeRemoved {
		h.digests = make([]byte, 0, 16*len(entries))
	}
	for _, e := range entries {
		h.entries = append(h.entries, e.key[:]...)
		if r.change != proto.ChangeRemoved {
			h.digests = append(h.digests, e.digest[:]...)
		}
	}
	h.hash = proto.HoldHash(r.kind, r.change, r.key, h.entries, h.digests)
	return h
}
