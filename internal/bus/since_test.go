package bus

import (
	"slices"
	"testing"
	"time"

	"ldapsync/proto"
)

func TestSinceBeginsAtATimeAndKeepsToItsTypes(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	since := func(from time.Time, types ...proto.Type) (sequences []uint64) {
		t.Helper()
		for e, err := range l.Since(soon(t), from, types...) {
			if err != nil {
				t.Fatal(err)
			}
			sequences = append(sequences, e.Sequence)
		}
		return sequences
	}
	if got := since(time.Time{}); got != nil {
		t.Errorf("an empty stream: %v", got)
	}
	for e, err := range l.From(soon(t), 1) {
		t.Errorf("an empty stream: %v, %v", e, err)
	}
	l.Begin(0)
	for n, kind := range []proto.Type{proto.TypeSnapshotStarted, proto.TypeUserRemoved, proto.TypeSnapshotCommitted, proto.TypeSnapshotStarted,
		proto.TypeUserRemoved, proto.TypeSnapshotCommitted, proto.TypeUserUpserted} {
		e := numbered(n)
		e.Type = kind
		if _, err := l.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fourth, err := l.Get(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	from := func(sequence uint64, types ...proto.Type) (sequences []uint64) {
		t.Helper()
		for e, err := range l.From(soon(t), sequence, types...) {
			if err != nil {
				t.Fatal(err)
			}
			sequences = append(sequences, e.Sequence)
		}
		return sequences
	}
	for sequence, want := range map[uint64][]uint64{0: {2, 5}, 2: {2, 5}, 3: {5}, 6: nil, 7: nil, 8: nil, 9: nil} {
		if got := from(sequence, proto.TypeUserRemoved); !slices.Equal(got, want) {
			t.Errorf("from %d: %v, not %v", sequence, got, want)
		}
	}
	if got := from(6); !slices.Equal(got, []uint64{6, 7}) {
		t.Errorf("all from 6: %v", got)
	}
	for _, c := range []struct {
		from  time.Time
		types []proto.Type
		want  []uint64
	}{
		{time.Unix(1, 0), nil, []uint64{1, 2, 3, 4, 5, 6, 7}},
		{fourth.Time, nil, []uint64{4, 5, 6, 7}},
		{fourth.Time.Add(1), []proto.Type{proto.TypeSnapshotStarted}, nil},
		{time.Unix(1, 0), []proto.Type{proto.TypeSnapshotCommitted}, []uint64{3, 6}},
		{fourth.Time, []proto.Type{proto.TypeSnapshotCommitted, proto.TypeUserRemoved}, []uint64{5, 6}},
		{time.Unix(1, 0), []proto.Type{proto.TypeGroupRemoved}, nil},
		{time.Now().Add(time.Hour), nil, nil},
	} {
		if got := since(c.from, c.types...); !slices.Equal(got, c.want) {
			t.Errorf("since %s, %v: %v, not %v", c.from, c.types, got, c.want)
		}
	}
}

// Since finds everything that is as young, whichever part of the stream the server has in memory: one that is asked to begin at a time left some out.
func TestSinceLeavesNothingOut(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	l.Begin(0)
	var times []time.Time
	for n := range 60 {
		e := numbered(n)
		e.Type = proto.TypeSnapshotStarted
		if n%7 == 3 {
			e.Data = make([]byte, 30_000)
		}
		if _, err := l.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := l.Get(t.Context(), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, stored.Time)
		if n%5 != 4 {
			continue
		}
		for i := 0; i <= n; i += 3 {
			got := 0
			for e, err := range l.Since(soon(t), times[i]) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Sequence == uint64(i+1+got) {
					got++
				}
			}
			if got != n+1-i {
				t.Errorf("since the time of %d of %d: %d events, not %d", i+1, n+1, got, n+1-i)
			}
		}
	}
}

// Erased events are holes, also at the beginning and at the end, and a cut moves the beginning.
func TestSinceFindsItsWayThroughHoles(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	l.Begin(0)
	var times []time.Time
	for n := range uint64(20) {
		e := numbered(int(n))
		e.Type = proto.TypeSnapshotStarted
		if _, err := l.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stored, err := l.Get(t.Context(), n+1)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, stored.Time)
	}
	there := func(sequence uint64) bool {
		_, err := l.Get(t.Context(), sequence)
		return err == nil
	}
	check := func() {
		t.Helper()
		for i := range times {
			for _, from := range []time.Time{times[i], times[i].Add(1)} {
				var got, want []uint64
				for e, err := range l.Since(soon(t), from) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, e.Sequence)
				}
				for n, at := range times {
					if sequence := uint64(n + 1); !at.Before(from) && there(sequence) {
						want = append(want, sequence)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("since the time of %d, %s later: %v, not %v", i+1, from.Sub(times[i]), got, want)
				}
			}
		}
	}
	for _, erase := range [][]uint64{{1, 2, 20}, {9, 10, 11, 12}, {5, 14, 15, 16, 17, 19}} {
		if err := l.Erase(t.Context(), erase...); err != nil {
			t.Fatal(err)
		}
		check()
	}
	if err := l.Cut(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	check()
}
