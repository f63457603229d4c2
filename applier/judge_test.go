package applier

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// Whatever comes and goes, nobody goes who was held and not approved since, and no judgement lets more go than the limit and the approvals allow.
func TestJudgementsOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limit.Limit{Count: 2, Percent: 20, All: 2, On: true}
		there := map[string]bool{}
		held := []Held{}
		waiting := map[string]bool{} // held, and neither approved nor away since
		approved := map[string]bool{}
		for step := range rapid.IntRange(1, 12).Draw(t, "steps") {
			for i := range rapid.IntRange(0, 4).Draw(t, "new") {
				there[fmt.Sprintf("%d.%d", step, i)] = true
			}
			for _, pk := range slices.Sorted(maps.Keys(there)) {
				if rapid.IntRange(0, 5).Draw(t, "leaves") == 0 {
					delete(there, pk)
					delete(waiting, pk)
					delete(approved, pk)
				}
			}
			for i := range held {
				switch rapid.IntRange(0, 3).Draw(t, "decision") {
				case 0:
					held[i].Decision = Approved
					for pk := range waiting {
						if slices.Contains(entriesOf(held[i]), proto.EntryKey(pk)) {
							approved[pk] = true
						}
					}
				case 1:
					held[i].Decision = Rejected
				}
			}
			var rows []Row
			for _, pk := range slices.Sorted(maps.Keys(there)) {
				rows = append(rows, Row{PK: pk})
			}
			v := judge(l, "corp", ChangeOrphans, rows, len(rows)+3, held)
			fresh := 0
			for _, row := range v.release {
				if waiting[row.PK] && !approved[row.PK] {
					t.Fatalf("%s goes, which is held", row.PK)
				}
				if !approved[row.PK] {
					fresh++
				}
				delete(there, row.PK)
				delete(waiting, row.PK)
				delete(approved, row.PK)
			}
			if why := l.Exceeded(fresh, len(rows)+3); why != "" {
				t.Fatalf("%d go: %s", fresh, why)
			}
			for _, h := range slices.Concat(v.drop, v.settled) {
				held = slices.DeleteFunc(held, func(o Held) bool { return o.Hash == h.Hash })
			}
			held = append(held, v.put...)
			seen := map[[16]byte]bool{}
			for _, h := range held {
				if h.Hash != proto.HoldHash(proto.KindUser, ChangeOrphans, "", h.Entries, nil) || h.Count == 0 || h.Count*16 != len(h.Entries) {
					t.Fatalf("%+v", h)
				}
				for _, k := range entriesOf(h) {
					if seen[k] {
						t.Fatal("held twice")
					}
					seen[k] = true
				}
			}
			for pk := range there {
				if !seen[proto.EntryKey(pk)] {
					t.Fatalf("%s neither goes nor is held", pk)
				}
				waiting[pk] = true
			}
			if again := judge(l, "corp", ChangeOrphans, slices.DeleteFunc(rows, func(r Row) bool { return !there[r.PK] }), len(rows)+3, held); !again.empty() {
				t.Fatalf("a second look finds more: %+v", again)
			}
		}
	})
}

func entriesOf(h Held) (keys [][16]byte) {
	for e := h.Entries; len(e) >= 16; e = e[16:] {
		keys = append(keys, [16]byte(e))
	}
	return keys
}
