package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestWhatIsPublishedIsRead(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	if first, last, err := l.Bounds(t.Context()); err != nil || first != 1 || last != 0 {
		t.Errorf("an empty stream: %d to %d, %v", first, last, err)
	}
	e := numbered(1)
	l.Begin(0)
	sequence, err := l.Publish(t.Context(), e)
	if err != nil || sequence != 1 {
		t.Fatalf("sequence %d, %v", sequence, err)
	}
	if last, err := l.Flush(t.Context()); err != nil || last != 1 {
		t.Fatalf("last %d, %v", last, err)
	}
	got, err := l.Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != e.Type || got.ID != e.ID || got.ContentType != e.ContentType || string(got.Data) != string(e.Data) || got.Sequence != 1 {
		t.Errorf("%+v", got)
	}
	if age := time.Since(got.Time); age < 0 || age > time.Minute {
		t.Errorf("stored %v ago", age)
	}
	raw, err := b.ask(t.Context(), l.name, query{Sequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	header, err := raw.header()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ce-specversion": "1.0", "ce-id": "stream/1/1", "ce-type": "ldapsync.user.upserted.v1", "ce-source": "/ldapsync/corp",
		"Content-Type": "application/protobuf",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339, header.Get("ce-time")); err != nil {
		t.Error(err)
	}
	if raw.Subject != "ldapsync.events.corp.user.upserted" {
		t.Errorf("subject %s", raw.Subject)
	}
	if _, err := l.Get(t.Context(), 2); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("an event that isn't there: %v", err)
	}
	if _, err := l.LastOf(t.Context(), proto.TypeSnapshotStarted); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("no event of a type: %v", err)
	}
	if last, err := l.LastOf(t.Context(), proto.TypeUserUpserted); err != nil || last.Sequence != 1 {
		t.Errorf("last of a type: %+v, %v", last, err)
	}
}

func TestRivalIsFencedAtItsFirstMessage(t *testing.T) {
	o := newOutside(t, nil)
	one, two := open(t, Config{URL: o.url()}), open(t, Config{URL: o.url()})
	a, b := openLog(t, one, "corp"), openLog(t, two, "corp")
	b.Begin(0) // has folded, and is late
	publish(t, a, 0, 1, 2, 3)

	_, err := b.Publish(t.Context(), proto.Event{Type: proto.TypeSnapshotStarted, ID: "stream/9/1", ContentType: proto.ContentTypeProtobuf})
	if err == nil {
		_, err = b.Flush(t.Context())
	}
	if !errors.Is(err, proto.ErrRival) {
		t.Fatalf("error %v, want a rival", err)
	}
	if class, _ := fault.Of(err); class != fault.Stream {
		t.Errorf("class %v", class)
	}
	if _, err := b.Publish(t.Context(), numbered(9)); !errors.Is(err, proto.ErrRival) {
		t.Errorf("the next publish: %v", err)
	}
	if _, err := b.Flush(t.Context()); !errors.Is(err, proto.ErrRival) {
		t.Errorf("flush: %v", err)
	}
	// The one that was there first goes on.
	if _, err := a.Publish(t.Context(), numbered(4)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, contents(t, a), 4)
}

func TestRivalInTheMiddleStopsEverythingBehindIt(t *testing.T) {
	b := embedded(t, t.TempDir())
	a, rival := openLog(t, b, "corp"), openLog(t, b, "corp")
	publish(t, a, 0, 1, 2, 3)
	publish(t, rival, 3, 4)
	var err error
	for n := 100; n < 200 && err == nil; n++ {
		_, err = a.Publish(t.Context(), numbered(n))
	}
	if err == nil {
		_, err = a.Flush(t.Context())
	}
	if !errors.Is(err, proto.ErrRival) {
		t.Errorf("error %v, want a rival", err)
	}
	wantNumbered(t, contents(t, a), 4)
	// After another fold it may write again.
	publish(t, a, 4, 5)
	wantNumbered(t, contents(t, a), 5)
}

func TestTwoWritersNeverInterleave(t *testing.T) {
	o := newOutside(t, nil)
	const writers, events = 4, 300
	var won sync.Map
	var all sync.WaitGroup
	for w := range writers {
		l := openLog(t, open(t, Config{URL: o.url()}), "corp")
		all.Go(func() {
			l.Begin(0)
			for n := range events {
				e := numbered(n)
				e.ID = fmt.Sprintf("%d/%d", w, n)
				if _, err := l.Publish(t.Context(), e); err != nil {
					if !errors.Is(err, proto.ErrRival) {
						t.Error(err)
					}
					return
				}
			}
			if _, err := l.Flush(t.Context()); err == nil {
				won.Store(w, true)
			} else if !errors.Is(err, proto.ErrRival) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	l := openLog(t, open(t, Config{URL: o.url()}), "corp")
	if data := contents(t, l); winners != 1 || len(data) != events {
		t.Errorf("%d winners, %d events", winners, len(data))
	}
	first, err := l.Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	writer, _, _ := strings.Cut(first.ID, "/")
	for e, err := range l.Read(t.Context(), 1, events) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%s/%d", writer, e.Sequence-1); e.ID != want {
			t.Fatalf("sequence %d holds %s, want %s", e.Sequence, e.ID, want)
		}
	}
}

func TestTooLargeAMessageSaysSo(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	if l.MaxPayload() < 7<<20 || l.MaxPayload() >= 8<<20 {
		t.Errorf("max payload %d", l.MaxPayload())
	}
	e := numbered(1)
	e.Data = make([]byte, l.MaxPayload())
	l.Begin(0)
	if _, err := l.Publish(t.Context(), e); err != nil {
		t.Errorf("the largest: %v", err)
	}
	if _, err := l.Flush(t.Context()); err != nil {
		t.Errorf("the largest: %v", err)
	}
	if got, err := l.Get(t.Context(), 1); err != nil || len(got.Data) != len(e.Data) {
		t.Errorf("the largest read back: %d bytes, %v", len(got.Data), err)
	}
	if got := contents(t, l); len(got) != 1 || len(got[0]) != len(e.Data) {
		t.Errorf("the largest isn't in the stream")
	}
	e.Data = make([]byte, 8<<20)
	_, err := l.Publish(t.Context(), e)
	if class, hint := fault.Of(err); err == nil || class != fault.Stream || !strings.Contains(err.Error(), "bytes") || hint == "" {
		t.Errorf("too large: %v", err)
	}
}

func TestPublishNeedsBegin(t *testing.T) {
	l := openLog(t, embedded(t, t.TempDir()), "corp")
	if _, err := l.Publish(t.Context(), numbered(1)); err == nil {
		t.Error("published without begin")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Begin(0)
	if _, err := l.Publish(ctx, numbered(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled publish: %v", err)
	}
	if _, err := l.Flush(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("an error is final, but flush returned %v", err)
	}
}
