package bus

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

const wakeDurable = "callback-default-deactivate"

// leave publishes that somebody was removed.
func leave(t *testing.T, l *Log, id string) {
	t.Helper()
	_, last, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Begin(last)
	if _, err := l.Publish(t.Context(), proto.Event{ID: id, Type: proto.TypeUserRemoved, ContentType: proto.ContentTypeProtobuf}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// woken runs Wake until the test ends, and sends the ids of what it hands out; what is received from busy is waited for before the next one is asked for.
func woken(t *testing.T, b *Bus, busy <-chan struct{}) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ids, ended := make(chan string, 10), make(chan struct{})
	go func() {
		defer close(ended)
		for e, err := range b.Wake(ctx, "corp", wakeDurable, proto.TypeUserRemoved, proto.TypeUserMissing) {
			if err != nil {
				return
			}
			ids <- e.ID
			if busy != nil {
				<-busy
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return ids
}

func wantWoken(t *testing.T, ids <-chan string, want string) {
	t.Helper()
	began := time.Now()
	for {
		select {
		case id := <-ids:
			if id == want {
				t.Logf("woken by %s after %v", id, time.Since(began).Round(time.Millisecond))
				return
			}
		case <-soon(t).Done():
			t.Fatalf("not woken by %s", want)
		}
	}
}

func dropWaker(t *testing.T, b *Bus) {
	t.Helper()
	if err := b.DropConsumer(t.Context(), proto.StreamName("corp"), wakeDurable); err != nil {
		t.Fatal(err)
	}
}

// Whoever waits and is dropped, at rest or at work, is woken by what comes then, and by the last that came while there was no consumer.
func TestWakeSurvivesADrop(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1)
	leave(t, l, "before")
	busy := make(chan struct{}, 10)
	ids := woken(t, b, busy)
	wantWoken(t, ids, "before")
	busy <- struct{}{}
	leave(t, l, "first")
	wantWoken(t, ids, "first") // and is at work on it
	dropWaker(t, b)
	leave(t, l, "second")
	close(busy)
	wantWoken(t, ids, "second")
	dropWaker(t, b)
	leave(t, l, "third")
	wantWoken(t, ids, "third")
}

// A durable that an earlier version made keeps where it began.
func TestWakeTakesTheDurableThatIsThere(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1)
	leave(t, l, "before")
	c := b.wakeConfig("corp", wakeDurable, []proto.Type{proto.TypeUserRemoved})
	c.DeliverPolicy = jetstream.DeliverNewPolicy
	if _, err := b.js.CreateConsumer(t.Context(), l.name, c); err != nil {
		t.Fatal(err)
	}
	ids := woken(t, b, nil)
	leave(t, l, "after")
	if id := <-ids; id != "after" {
		t.Errorf("woken by %s", id)
	}
}

func TestWakeByAllTypes(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	leave(t, l, "gone")
	for e, err := range b.Wake(soon(t), "corp", wakeDurable) {
		if err != nil || e.ID != "gone" {
			t.Errorf("%s, %v", e.ID, err)
		}
		break
	}
}
