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
