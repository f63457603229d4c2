package applier

import (
	"bytes"
	"slices"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// verdict is what is to be done about a set of accounts that would become gone.
type verdict struct {
	release []Row  // these become gone
	put     []Held // to be written
	drop    []Held // to be deleted: first
	settled []Held // to be deleted once all of release is gone
	waiting []Held // what waits for a person then
}

// empty tells that nothing is to be written.
func (v *verdict) empty() bool {
	return len(v.release)+len(v.put)+len(v.drop)+len(v.settled) == 0
}

// judge decides about rows, of all accounts, that would become gone, by what is held already. What was held stays held, whatever the limit says
// now, until it is approved or isn't among rows any more: else it would go in small portions. What was approved goes, as far as it was
// shown. The rest goes if it doesn't meet the limit together with what waits.
func judge(l limit.Limit, source, change string, rows []Row, all int, held []Held) verdict {
	held = slices.DeleteFunc(slices.Clone(held), func(h Held) bool { return h.Change != change })
	fresh, of := divide(rows, held)
	var v verdict
	var waiting []Row
	var open []Held
	for i, h := range held {
		switch {
		case h.Decision == Approved:
			v.release, v.settled = append(v.release, of[i]...), append(v.settled, h)
		case h.Decision == Rejected && len(of[i]) < h.Count:
			v.replace([]Held{h}, h.only(of[i]))
		case h.Decision == Undecided:
			waiting, open = append(waiting, of[i]...), append(open, h)
		}
	}
	now := Held{Source: source, Change: change, Reason: l.Exceeded(len(waiting)+len(fresh), all)}
	if now.Reason != "" {
		waiting = append(waiting, fresh...)
	} else {
		v.release = append(v.release, fresh...)
	}
	for _, h := range open { // the oldest first
		if now.Since.IsZero() {
			now.Since = h.Since
		}
		if now.Reason == "" {
			now.Reason = h.Reason
		}
	}
	now = now.only(waiting)
	now.Of = all
	v.replace(open, now)
	return v
}

// replace puts h in the place of others, or keeps the one that is the same.
func (v *verdict) replace(others []Held, h Held) {
	if len(others) == 1 && others[0].Hash == h.Hash {
		v.wait(others[0])
		return
	}
	v.drop = append(v.drop, others...)
	if h.Count > 0 {
		v.put = append(v.put, h)
		v.wait(h)
	}
}

func (v *verdict) wait(h Held) {
	if h.Decision == Undecided {
		v.waiting = append(v.waiting, h)
	}
}

// divide tells which of rows are held by none of held, and which by each of them.
func divide(rows []Row, held []Held) (fresh []Row, of [][]Row) {
	holder := map[[16]byte]int{}
	for i, h := range held {
		for entries := h.Entries; len(entries) >= 16; entries = entries[16:] {
			holder[[16]byte(entries)] = i
		}
	}
	of = make([][]Row, len(held))
	for _, row := range rows {
		if i, ok := holder[proto.EntryKey(row.PK)]; ok {
			of[i] = append(of[i], row)
		} else {
			fresh = append(fresh, row)
		}
	}
	return fresh, of
}

// only returns h for these rows.
func (h Held) only(rows []Row) Held {
	keys := make([][16]byte, len(rows))
	for i, row := range rows {
		keys[i] = proto.EntryKey(row.PK)
	}
	slices.SortFunc(keys, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	h.Entries = make([]byte, 0, 16*len(keys))
	for _, k := range keys {
		h.Entries = append(h.Entries, k[:]...)
	}
	h.Count, h.Hash = len(rows), hashHeld(h.Change, h.Entries)
	return h
}
