package extractor

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"ldapsync/proto"
)

// memoryLog is a stream in memory.
type memoryLog struct {
	Log
	events []proto.Event
	gets   int
}

func (l *memoryLog) Bounds(context.Context) (first, last uint64, err error) {
	return 1, uint64(len(l.events)), nil
}

func (l *memoryLog) Get(_ context.Context, sequence uint64) (proto.Event, error) {
	l.gets++
	return l.events[sequence-1], nil
}

func (l *memoryLog) LastOf(_ context.Context, t proto.Type) (proto.Event, error) {
	for _, e := range slices.Backward(l.events) {
		if e.Type == t {
			return e, nil
		}
	}
	return proto.Event{}, proto.ErrNotFound
}

func (l *memoryLog) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range l.events[from-1 : to] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (l *memoryLog) Since(context.Context, time.Time, ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(func(proto.Event, error) bool) {}
}

func (l *memoryLog) StreamID() string                      { return "bench" }
func (l *memoryLog) Begin(uint64)                          {}
func (l *memoryLog) Flush(context.Context) (uint64, error) { return uint64(len(l.events)), nil }
func (l *memoryLog) Publish(_ context.Context, e proto.Event) (uint64, error) {
	e.Sequence, e.Time = uint64(len(l.events)+1), time.Now()
	l.events = append(l.events, e)
	return e.Sequence, nil
}

// A pass over users of whom so many in a thousand have changed, fold included.
func BenchmarkPass(b *testing.B) {
	for _, perMille := range []int{0, 10, 1000} {
		b.Run(fmt.Sprintf("changed=%d‰", perMille), func(b *testing.B) {
			users := benchRecords()
			d := &listed{users: users, groups: benchGroups(users)}
			log := &memoryLog{}
			if _, err := New(benchConfig(), d, log).Pass(b.Context(), Options{}); err != nil {
				b.Fatal(err)
			}
			for i := range perMille * benchUsers / 1000 {
				u := &users[(i*1000/perMille)%benchUsers]
				u.Attributes = append(slices.Clone(u.Attributes[:2]), Attribute{Name: "sn", Values: []string{"Other"}}, u.Attributes[3])
			}
			b.ReportAllocs()
			log.gets = 0
			for b.Loop() {
				s, err := New(benchConfig(), d, log).Preview(b.Context(), false, func(proto.Event) error { return nil })
				if err != nil || int(s.Users.Changed) != perMille*benchUsers/1000 {
					b.Fatal(s, err)
				}
			}
			perEntry(b, benchUsers)
			b.ReportMetric(float64(log.gets)/float64(b.N), "gets/pass")
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
