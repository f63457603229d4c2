package extractor_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// past is a history whose snapshots were committed at times of our choice.
type past struct {
	t     *testing.T
	fulls []time.Duration // ages; a delta follows each full
	floor uint64
	who   string
	cut   uint64
}

// begins is the sequence of the start of full number i, from 0: start, committed, start, committed.
func (p *past) begins(i int) uint64 { return uint64(4*i + 1) }

func (p *past) Since(_ context.Context, _ time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return func(yield func(proto.Event, error) bool) {
		for i, age := range p.fulls {
			for delta := range 2 {
				m := &proto.SnapshotCommitted{Full: delta == 0, StartedSequence: p.begins(i) + uint64(2*delta), FullSequence: p.begins(i)}
				data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
				if err != nil {
					p.t.Fatal(err)
				}
				e := proto.Event{Type: types[0], ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: m.StartedSequence + 1, Time: now.Add(-age)}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func (p *past) Floor(context.Context) (uint64, string, error) { return p.floor, p.who, nil }

func (p *past) Cut(_ context.Context, before uint64) error {
	p.cut = before
	return nil
}

func TestRetainCutsInFullSnapshots(t *testing.T) {
	const day = 24 * time.Hour
	ages := []time.Duration{5 * day, 4 * day, 3 * day, 2 * day, day, 0}
	const everybody = 1000
	for _, c := range []struct {
		name  string
		fulls []time.Duration
		keep  time.Duration
		floor uint64
		cut   int // number of the full with which the history begins then; -1: no cut
		held  bool
		gone  int
	}{
		{"nothing yet", nil, day, everybody, -1, false, 0},
		{"for ever", ages, 0, everybody, -1, false, 0},
		{"younger than that", ages, 30 * day, everybody, -1, false, 0},
		{"three days can be told", ages, 3 * day, everybody, 2, false, 4},
		{"two and a half need the one before", ages, 60 * time.Hour, everybody, 2, false, 4},
		{"never into the last", ages, time.Nanosecond, everybody, 4, false, 8},
		{"a clock that was behind makes nothing old", []time.Duration{5 * day, 4 * day, 3 * day, 2 * day, 400 * day, 0}, 3 * day, everybody, 2, false, 4},
		{"nor does one that was ahead keep anything", []time.Duration{5 * day, 4 * day, -400 * day, 3 * day, 2 * day, 0}, 3 * day, everybody, 3, false, 6},
		{"only one", []time.Duration{0}, time.Nanosecond, everybody, -1, false, 0},
		{"somebody has seen two", ages, day, 8, 2, true, 4},
		{"somebody is in the middle of the second", ages, day, 6, 1, true, 2},
		{"somebody has seen nothing", ages, day, 0, -1, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &past{t: t, fulls: c.fulls, floor: c.floor, who: "target crm"}
			r, err := extractor.Retain(t.Context(), p, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			want := uint64(0)
			if c.cut >= 0 {
				want = p.begins(c.cut)
			}
			if p.cut != want || r.Snapshots != c.gone {
				t.Errorf("cut before %d with %d snapshots, not %d with %d", p.cut, r.Snapshots, want, c.gone)
			}
			if (r.HeldBack != "") != c.held || c.held && r.HeldAt != c.floor {
				t.Errorf("held back by %q at %d", r.HeldBack, r.HeldAt)
			}
		})
	}
}
