package history_test

import (
	"fmt"
	"testing"
	"time"

	"ldapsync/internal/bus"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// BenchmarkHistory reads 100,000 users from an embedded stream: two full snapshots, of which the second has another mail for every tenth.
func BenchmarkHistory(b *testing.B) {
	const n, size = 100_000, 400
	s := newTape(b)
	s.plain = true
	for pass := range 2 {
		s.begin(true)
		for i := 0; i < n; i += size {
			var batch []*proto.User
			for j := range size {
				mail := "old@example.org"
				if pass == 1 && j%10 == 0 {
					mail = "new@example.org"
				}
				batch = append(batch, user(fmt.Sprintf("6b5b3b2c-6a39-4d3c-9f0a-%012x", i+j), mail, "0d9d7f1f-6a39-4d3c-9f0a-6b5b3b2c6d01"))
			}
			s.users(batch...)
		}
		s.commit()
	}
	h := onBus(b, s)
	first, second := h.Point(&h.Snapshots[0]), h.Point(&h.Snapshots[1])
	for name, what := range map[string]func() error{
		"state": func() error { _, err := h.State(b.Context(), second); return err },
		"entries": func() error {
			state, err := h.State(b.Context(), second)
			if err != nil {
				return err
			}
			for _, err := range state.Entries(b.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"diff": func() error {
			d, err := h.Diff(b.Context(), first, second)
			if err != nil {
				return err
			}
			for _, err := range d.Differences(b.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := what(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
		})
	}
}

// onBus publishes a tape to an embedded stream, and opens its history.
func onBus(t testing.TB, s *tape) *history.History {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	log.Begin(0)
	for i, e := range s.events {
		e.ID, e.Sequence, e.Time = fmt.Sprintf("%s/1/x.%d", log.StreamID(), i), 0, time.Time{}
		if _, err := log.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
