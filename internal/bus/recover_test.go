package bus

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestLostAcknowledgementDoesNotDouble(t *testing.T) {
	o := newOutside(t, nil)
	p := newProxy(t, o.port)
	l := openLog(t, open(t, Config{URL: p.url(), RetryFor: 30 * time.Second}), "corp")
	watch := openLog(t, open(t, Config{URL: o.url()}), "corp")
	publish(t, l, 0, 1, 2, 3)

	p.silence()
	for n := 4; n <= 20; n++ {
		if _, err := l.Publish(t.Context(), numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
	// They are stored, and nobody says so.
	for e, err := range watch.Follow(soon(t), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Sequence == 20 {
			break
		}
	}
	<-p.lost
	p.cut()
	if last, err := l.Flush(soon(t)); err != nil || last != 20 {
		t.Fatalf("last %d, %v", last, err)
	}
	wantNumbered(t, contents(t, watch), 20)
}

func TestConnectionCutInMidFlight(t *testing.T) {
	o := newOutside(t, nil)
	p := newProxy(t, o.port)
	l := openLog(t, open(t, Config{URL: p.url(), RetryFor: 30 * time.Second}), "corp")
	const events = 3000
	ctx := soon(t)
	l.Begin(0)
	for n := 1; n <= events; n++ {
		if _, err := l.Publish(ctx, numbered(n)); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		if n%700 == 0 {
			p.cut()
		}
	}
	if last, err := l.Flush(ctx); err != nil || last != events {
		t.Fatalf("last %d, %v", last, err)
	}
	wantNumbered(t, contents(t, l), events)
}

func TestSilentServerIsAskedWhatItHolds(t *testing.T) {
	o := newOutside(t, nil)
	p := newProxy(t, o.port)
	l := openLog(t, open(t, Config{URL: p.url(), RetryFor: 30 * time.Second, AckTimeout: 300 * time.Millisecond}), "corp")
	publish(t, l, 0, 1)
	p.silence()
	if _, err := l.Publish(t.Context(), numbered(2)); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error)
	go func() {
		last, err := l.Flush(soon(t))
		if err == nil && last != 2 {
			err = errors.New("wrong last sequence")
		}
		flushed <- err
	}()
	<-p.lost
	p.mu.Lock()
	p.deaf = false // the same connection, but one answer is gone
	p.mu.Unlock()
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	wantNumbered(t, contents(t, l), 2)
}

func TestPipelineSurvivesARestartOfTheServer(t *testing.T) {
	o := newOutside(t, nil)
	l := openLog(t, open(t, Config{URL: o.url(), RetryFor: 30 * time.Second}), "corp")
	const events = 2000
	ctx := soon(t)
	l.Begin(0)
	for n := 1; n <= events; n++ {
		if _, err := l.Publish(ctx, numbered(n)); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		if n == 500 || n == 1500 {
			o.stop()
			o.start()
		}
	}
	if last, err := l.Flush(ctx); err != nil || last != events {
		t.Fatalf("last %d, %v", last, err)
	}
	wantNumbered(t, contents(t, l), events)
}

func TestRivalDuringTheOutageIsFound(t *testing.T) {
	o := newOutside(t, nil)
	p := newProxy(t, o.port)
	l := openLog(t, open(t, Config{URL: p.url(), RetryFor: 30 * time.Second}), "corp")
	rival := openLog(t, open(t, Config{URL: o.url()}), "corp")
	publish(t, l, 0, 1, 2)
	p.silence()
	publish(t, rival, 2, 3)
	if _, err := l.Publish(t.Context(), numbered(50)); err != nil {
		t.Fatal(err)
	}
	<-p.lost
	p.cut()
	if _, err := l.Flush(soon(t)); !errors.Is(err, proto.ErrRival) {
		t.Errorf("error %v, want a rival", err)
	}
	wantNumbered(t, contents(t, rival), 3)
}

func TestPublishGivesUpInTime(t *testing.T) {
	o := newOutside(t, nil)
	l := openLog(t, open(t, Config{URL: o.url(), RetryFor: time.Second}), "corp")
	publish(t, l, 0, 1)
	o.stop()
	_, err := l.Publish(soon(t), numbered(2))
	if err == nil {
		_, err = l.Flush(soon(t))
	}
	if class, _ := fault.Of(err); err == nil || class != fault.Stream || fault.IsPermanent(err) {
		t.Errorf("error %v", err)
	}
	o.start()
}

func TestStreamThatLostEventsIsNotWrittenTo(t *testing.T) {
	o := newOutside(t, nil)
	b := open(t, Config{URL: o.url(), RetryFor: 30 * time.Second})
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1, 2, 3)
	if err := b.js.DeleteStream(t.Context(), l.name); err != nil {
		t.Fatal(err)
	}
	_, err := l.Publish(soon(t), numbered(4))
	if err == nil {
		_, err = l.Flush(soon(t))
	}
	if class, _ := fault.Of(err); !fault.IsPermanent(err) || class != fault.Stream {
		t.Errorf("a deleted stream: %v", err)
	}
	again := openLog(t, b, "corp")
	if again.StreamID() == l.StreamID() {
		t.Error("a new stream has the old identity")
	}
	l.Begin(3)
	if _, err = l.Publish(soon(t), numbered(4)); err == nil {
		_, err = l.Flush(soon(t))
	}
	if !fault.IsPermanent(err) || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("a replaced stream: %v", err)
	}
	if data := contents(t, again); len(data) != 0 {
		t.Errorf("the new stream holds %q", data)
	}
}

func TestStoreRestoredFromAnOlderCopy(t *testing.T) {
	o := newOutside(t, nil)
	b := open(t, Config{URL: o.url(), RetryFor: 30 * time.Second})
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1, 2, 3)
	copied := t.TempDir()
	o.stop()
	if err := os.CopyFS(copied, os.DirFS(o.dir)); err != nil {
		t.Fatal(err)
	}
	o.start()
	publish(t, l, 3, 4, 5, 6)
	o.stop()
	o.dir = copied
	o.start()
	_, err := l.Publish(soon(t), numbered(7))
	if err == nil {
		_, err = l.Flush(soon(t))
	}
	if !fault.IsPermanent(err) || !strings.Contains(err.Error(), "confirmed 6") {
		t.Errorf("publish: %v", err)
	}
	for _, err = range l.Follow(soon(t), 7) {
	}
	if !fault.IsPermanent(err) || !strings.Contains(err.Error(), "ends at sequence 3") {
		t.Errorf("follow: %v", err)
	}
}
