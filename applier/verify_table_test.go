package applier

import (
	"math/rand/v2"
	"testing"
)

// Records are found by entry and by row, whatever the keys are like.
func TestRecordsAreFound(t *testing.T) {
	const n = 20_000
	r := rand.New(rand.NewPCG(1, 2))
	for name, key := range map[string]func(i int) uint64{
		"a sequence":       func(i int) uint64 { return uint64(i) + 7 },
		"a sequence, late": func(i int) uint64 { return 1<<40 + uint64(i) },
		"with gaps":        func(i int) uint64 { return uint64(i)*3 + 1 },
		"large steps":      func(i int) uint64 { return uint64(i+1) << 22 },
		"hashes":           func(int) uint64 { return r.Uint64() },
	} {
		var all records
		pks := make([]uint64, n)
		for i := range n {
			pks[i] = key(i)
			all.add(record{id: uint64(i) * 0x9e3779b97f4a7c15, pk: pks[i], sum: uint64(i)})
		}
		all.add(record{id: 1 << 63, sum: n}) // has no row
		steps := 0
		for i := range n {
			byID, byKey := all.entry(uint64(i)*0x9e3779b97f4a7c15), all.row(pks[i])
			if byID == nil || byKey != byID || byID.sum != uint64(i) {
				t.Fatalf("%s: record %d isn't found", name, i)
			}
			for at := all.place(pks[i]) & uint64(len(all.pks)-1); all.at(int(all.pks[at]-1)) != byKey; at = (at + 1) & uint64(len(all.pks)-1) {
				steps++
			}
		}
		if steps > 5*n {
			t.Errorf("%s: %d steps for %d rows", name, steps, n)
		}
		if all.entry(1<<63) == nil || all.entry(12345) != nil || all.row(1<<62+12345) != nil {
			t.Errorf("%s: somebody else is found", name)
		}
	}
	var none records
	if none.entry(1) != nil || none.row(1) != nil {
		t.Error("found in nothing")
	}
}
