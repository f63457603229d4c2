package applier

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ldapsync/proto"
)

// TestRandom: random directories, with refusals and rivals in between, valid at each snapshot's end, end right.
func TestRandomHistoriesEndRight(t *testing.T) {
	fails := 0
	for seed := uint64(0); seed < 3000 && fails < 4; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		e := newEnv(t)
		e.cfg.BatchEntries = 1 + r.IntN(5)
		if seed%2 == 1 {
			e.farsighted()
		}
		now := map[int]string{}
		e.bad = "zz"
		e.fail = func() error {
			if r.IntN(6) == 0 {
				return ErrMoved
			}
			return nil
		}
		var story []string
		for round := range 4 {
			next := maps.Clone(now)
			used := func(n string) bool {
				for _, x := range next {
					if Fold(x) == Fold(n) {
						return true
					}
				}
				return false
			}
			for range 4 {
				id := 1 + r.IntN(5)
				if r.IntN(3) == 0 {
					delete(next, id)
					continue
				}
				n := string("abcde"[r.IntN(5)])
				if r.IntN(4) == 0 {
					n = strings.ToUpper(n)
				}
				old := next[id]
				delete(next, id)
				if used(n) && (round == 3 || r.IntN(2) == 0) {
					// swap
					for k, x := range next {
						if Fold(x) == Fold(n) {
							if old != "" {
								next[k] = old
							} else {
								delete(next, k)
							}
						}
					}
				}
				next[id] = n
			}
			if round == 3 { // no duplicates at the end
				ids := slices.Sorted(maps.Keys(next))
				seen := map[string]bool{}
				for _, id := range ids {
					if seen[Fold(next[id])] {
						delete(next, id)
					} else {
						seen[Fold(next[id])] = true
					}
				}
			}
			var add, change, gone []string
			for id, n := range next {
				switch o, ok := now[id]; {
				case !ok:
					add = append(add, fmt.Sprintf("%d:%s", id, n))
				case o != n:
					change = append(change, fmt.Sprintf("%d:%s", id, n))
				}
			}
			for id := range now {
				if _, ok := next[id]; !ok {
					gone = append(gone, fmt.Sprint(id))
				}
			}
			slices.Sort(add)
			slices.Sort(change)
			slices.Sort(gone)
			r.Shuffle(len(add), func(i, j int) { add[i], add[j] = add[j], add[i] })
			r.Shuffle(len(change), func(i, j int) { change[i], change[j] = change[j], change[i] })
			emit := func(specs []string) {
				for len(specs) > 0 {
					n := 1 + r.IntN(len(specs))
					var with []string
					for _, sp := range specs[:n] {
						if r.IntN(5) == 0 {
							sp += " mail=zz"
						}
						with = append(with, sp)
					}
					e.upsert(with...)
					story = append(story, fmt.Sprint(with))
					story = append(story, fmt.Sprint("upsert ", specs[:n]))
					specs = specs[n:]
					if r.IntN(5) == 0 {
						e.mustApply()
						story = append(story, fmt.Sprint("  did ", e.did))
					}
				}
			}
			emit(add)
			emit(change)
			for _, g := range gone {
				e.remove(g)
				story = append(story, "remove "+g)
			}
			e.commitSnapshot()
			if r.IntN(3) > 0 {
				e.mustApply()
				story = append(story, fmt.Sprint("  did ", e.did))
			}
			now = next
		}
		e.mustApply()
		story = append(story, fmt.Sprint("  did ", e.did))
		e.bad = ""
		for range 4 {
			for id, l := range e.over.links[proto.KindUser] { // the delete callback
				if l.State == Gone && l.PK != "" {
					row := e.over.rows[proto.KindUser][l.PK]
					delete(e.over.rows[proto.KindUser], l.PK)
					delete(e.over.byName[proto.KindUser][Fold(row.Name)], l.PK)
					delete(e.over.owned[proto.KindUser], l.PK)
					l.State, l.PK = Deleted, ""
					e.over.links[proto.KindUser][id] = l
				}
			}
			e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: 1, Full: true})
			e.mustApply()
			story = append(story, fmt.Sprint("  deleted, did ", e.did))
		}
		bad := ""
		for id, n := range now {
			l := e.over.links[proto.KindUser][fmt.Sprint(id)]
			if l.State != Present || e.over.rows[proto.KindUser][l.PK].Name != n {
				bad += fmt.Sprintf("%d should be %s: link %s %s row %q; ", id, n, l.State, l.PK, e.over.rows[proto.KindUser][l.PK].Name)
			}
		}
		owners := map[string]int{}
		for id, l := range e.over.links[proto.KindUser] {
			if l.PK != "" {
				owners[l.PK]++
				if owners[l.PK] > 1 {
					bad += "two links to row " + l.PK + "; "
				}
			}
			var n int
			fmt.Sscan(id, &n)
			if _, ok := now[n]; !ok && l.State == Present {
				bad += id + " should be gone; "
			}
		}
		for id, l := range e.over.letters[proto.KindUser] {
			if l != nil {
				bad += "letter " + id + " " + l.Reason + "; "
			}
		}
		if bad != "" {
			fails++
			t.Errorf("seed %d, batch %d: %s\n%s", seed, e.cfg.BatchEntries, bad, strings.Join(story, "\n"))
		}
	}
}
