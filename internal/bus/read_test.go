package bus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ldapsync/proto"
)

// read returns the sequences that Read hands out.
func read(t *testing.T, l *Log, from, to uint64) (sequences []uint64) {
	t.Helper()
	for e, err := range l.Read(soon(t), from, to) {
		if err != nil {
			t.Fatal(err)
		}
		sequences = append(sequences, e.Sequence)
	}
	return sequences
}

func TestReadIsBounded(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	for _, bounds := range [][2]uint64{{1, 0}, {0, 0}, {1, 5}} {
		if got := read(t, l, bounds[0], bounds[1]); got != nil {
			t.Errorf("an empty stream, read %v: %v", bounds, got)
		}
	}
	publish(t, l, 0, upTo(300)...)
	for _, c := range []struct {
		from, to uint64
		first, n int
	}{{0, 300, 1, 300}, {1, 1, 1, 1}, {300, 300, 300, 1}, {120, 250, 120, 131}, {299, 1000, 299, 2}, {301, 1000, 0, 0}, {5, 4, 0, 0}} {
		got := read(t, l, c.from, c.to)
		if len(got) != c.n || c.n > 0 && (got[0] != uint64(c.first) || got[c.n-1] != uint64(c.first+c.n-1)) {
			t.Errorf("read %d to %d: %d events, %v", c.from, c.to, len(got), got)
		}
	}
	// Somebody who has had enough leaves nothing behind.
	for range l.Read(t.Context(), 1, 300) {
		break
	}
	info, err := l.bus.info(t.Context(), l.name)
	if err != nil || info.State.Consumers != 0 {
		t.Errorf("%d consumers are left, %v", info.State.Consumers, err)
	}
}

func TestErasedEventsDoNotStopRead(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, upTo(10)...)
	stream, err := b.js.Stream(t.Context(), l.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, hole := range []uint64{1, 4, 5, 9, 10} {
		if err := stream.SecureDeleteMsg(t.Context(), hole); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		from, to uint64
		want     []uint64
	}{{1, 10, []uint64{2, 3, 6, 7, 8}}, {1, 4, []uint64{2, 3}}, {1, 5, []uint64{2, 3}}, {4, 5, nil}, {9, 10, nil}, {10, 10, nil}, {1, 1, nil}, {5, 6, []uint64{6}}, {8, 10, []uint64{8}}} {
		if got := read(t, l, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("read %d to %d: %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if _, err := l.Get(t.Context(), 4); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("an erased event: %v", err)
	}
	if first, last, err := l.Bounds(t.Context()); err != nil || first != 2 || last != 10 {
		t.Errorf("bounds %d, %d, %v", first, last, err)
	}
	publish(t, l, 10, 11)
	if got := read(t, l, 8, 11); !slices.Equal(got, []uint64{8, 11}) {
		t.Errorf("behind the hole: %v", got)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first, last, err := l.Bounds(t.Context()); err != nil || first != 12 || last != 11 {
		t.Errorf("bounds of a purged stream %d, %d, %v", first, last, err)
	}
	if got := read(t, l, 1, 11); got != nil {
		t.Errorf("a purged stream: %v", got)
	}
}

func TestFollowWaitsAndTellsWhatIsPending(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1, 2, 3)
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var data []string
	for e, err := range l.Follow(ctx, 1) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
			break
		}
		data = append(data, string(e.Data))
		switch e.Sequence {
		case 1:
			if e.Pending != 2 {
				t.Errorf("%d pending behind the first", e.Pending)
			}
		case 3:
			if e.Pending != 0 {
				t.Errorf("%d pending behind the last", e.Pending)
			}
			publish(t, l, 3, 4)
		case 4:
			cancel()
		}
	}
	wantNumbered(t, data, 4)
}

func TestFollowAcrossRestartsOfTheServer(t *testing.T) {
	o := newOutside(t, nil)
	b := open(t, Config{URL: o.url(), RetryFor: 30 * time.Second})
	l := openLog(t, b, "corp")
	writer := openLog(t, open(t, Config{URL: o.url(), RetryFor: 30 * time.Second}), "corp")
	publish(t, writer, 0, upTo(200)...)
	const events = 400
	var data []string
	for e, err := range l.Follow(soon(t), 1) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data))
		switch e.Sequence {
		case 100: // with events under way
			o.stop()
			o.start()
		case 200: // waiting at the end
			go func() {
				o.stop()
				o.start()
				numbers := upTo(events)[200:]
				writer.Begin(200)
				for _, n := range numbers {
					if _, err := writer.Publish(t.Context(), numbered(n)); err != nil {
						t.Error(err)
						return
					}
				}
				if _, err := writer.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		}
		if e.Sequence == events {
			break
		}
	}
	wantNumbered(t, data, events)
}

func TestFollowWhoseConsumerIsGone(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1, 2)
	var data []string
	for e, err := range l.Follow(soon(t), 1) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data))
		if e.Sequence == 2 {
			for name := range l.stream.ConsumerNames(t.Context()).Name() {
				if err := l.stream.DeleteConsumer(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, l, 2, 3)
		}
		if e.Sequence == 3 {
			break
		}
	}
	wantNumbered(t, data, 3)
}

func TestReadAcrossALostConnection(t *testing.T) {
	o := newOutside(t, nil)
	p := newProxy(t, o.port)
	l := openLog(t, open(t, Config{URL: p.url(), RetryFor: 30 * time.Second}), "corp")
	publish(t, l, 0, upTo(1000)...)
	var data []string
	for e, err := range l.Read(soon(t), 1, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data))
		if e.Sequence%300 == 0 {
			p.cut()
		}
	}
	wantNumbered(t, data, 1000)
}
