package bus

import (
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

func consumers(t *testing.T, l *Log) (names []string, sequences []uint64) {
	t.Helper()
	all, err := l.Positions(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		names, sequences = append(names, p.Consumer), append(sequences, p.Sequence)
	}
	return names, sequences
}

func TestPositionsTellWhoHoldsTheCutBack(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, upTo(10)...)
	if names, _ := consumers(t, l); names != nil {
		t.Errorf("consumers of a stream that nobody reads: %v", names)
	}
	for _, m := range []struct {
		source, target, id string
		sequence           uint64
	}{{"corp", "crm", l.StreamID(), 3}, {"corp", "crm", l.StreamID(), 7}, {"corp", "wiki", l.StreamID(), 9}, {"corp", "old", "another stream", 1}, {"hr", "crm", l.StreamID(), 1}} {
		if err := b.Mirror(soon(t), m.source, m.target, m.id, m.sequence); err != nil {
			t.Fatal(err)
		}
	}
	// Two durables: one has everything that it filters, the other waits for two.
	for name, kind := range map[string]proto.Type{"rare": proto.TypeGroupRemoved, "busy": numbered(1).Type} {
		c, err := b.js.CreateConsumer(t.Context(), l.name, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: proto.Subject("corp", kind)})
		if err != nil {
			t.Fatal(err)
		}
		if name == "rare" {
			continue
		}
		batch, err := c.Fetch(8)
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			if err := m.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	names, sequences := consumers(t, l)
	if !slices.Equal(names, []string{"target crm", "consumer busy", "target wiki", "consumer rare"}) || !slices.Equal(sequences, []uint64{7, 8, 9, 10}) {
		t.Errorf("%v at %v", names, sequences)
	}
	if err := b.Drop(soon(t), "corp", "crm"); err != nil {
		t.Fatal(err)
	}
	if err := b.Drop(soon(t), "corp", "crm"); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	if names, _ := consumers(t, l); slices.Contains(names, "target crm") {
		t.Errorf("dropped, and still there: %v", names)
	}
}

func TestCutKeepsWhatFollows(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	publish(t, l, 0, upTo(10)...)
	for _, before := range []uint64{0, 1, 5, 3} {
		if err := l.Cut(soon(t), before); err != nil {
			t.Fatalf("cut before %d: %v", before, err)
		}
	}
	if first, last, err := l.Bounds(soon(t)); first != 5 || last != 10 || err != nil {
		t.Errorf("%d to %d, %v", first, last, err)
	}
	if err := l.Cut(soon(t), 11); err == nil {
		t.Error("everything was cut off")
	}
	if last := publish(t, l, 10, 11, 12); last != 12 {
		t.Errorf("published behind a cut: %d", last)
	}
	if got := read(t, l, 1, 12); !slices.Equal(got, []uint64{5, 6, 7, 8, 9, 10, 11, 12}) {
		t.Errorf("read %v", got)
	}
}
