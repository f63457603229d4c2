package extractor

import (
	"fmt"
	"slices"
	"testing"

	"ldapsync/proto"
)

// A pass over users of whom so many in a thousand have changed, fold included.
func BenchmarkPass(b *testing.B) {
	for _, perMille := range []int{0, 10, 1000} {
		b.Run(fmt.Sprintf("changed=%d‰", perMille), func(b *testing.B) {
			users := benchRecords()
			d := &listed{users: users, groups: benchGroups(users)}
			log := &MemoryLog{}
			if _, err := New(benchConfig(), d, log).Pass(b.Context(), Options{}); err != nil {
				b.Fatal(err)
			}
			for i := range perMille * benchUsers / 1000 {
				u := &users[(i*1000/perMille)%benchUsers]
				u.Attributes = append(slices.Clone(u.Attributes[:2]), Attribute{Name: "sn", Values: []string{"Other"}}, u.Attributes[3])
			}
			b.ReportAllocs()
			log.Gets = 0
			for b.Loop() {
				s, err := New(benchConfig(), d, log).Preview(b.Context(), false, func(proto.Event) error { return nil })
				if err != nil || int(s.Users.Changed) != perMille*benchUsers/1000 {
					b.Fatal(s, err)
				}
			}
			perEntry(b, benchUsers)
			b.ReportMetric(float64(log.Gets)/float64(b.N), "gets/pass")
		})
	}
}

// Counting who has something to lose: once for each user of every pass.
func BenchmarkCensus(b *testing.B) {
	p, records := benchPass(), benchRecords()
	users := make([]*proto.User, len(records))
	groups := make([][]uint32, len(records))
	for i, r := range records {
		users[i], groups[i] = p.user(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		var c census
		for i := range users {
			c.asIs(users[i], groups[i])
		}
		if c.memberships != benchUsers {
			b.Fatal(c.memberships)
		}
	}
	perEntry(b, benchUsers)
}
