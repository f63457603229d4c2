package bus

import (
	"errors"
	"testing"
	"time"

	"ldapsync/proto"
)

func TestActive(t *testing.T) {
	o := newOutside(t, nil)
	service, asker := open(t, Config{URL: o.url(), Name: "host1:42"}), open(t, Config{URL: o.url()})
	began := time.Now()
	if who, active, err := asker.Active(t.Context(), "applier", "default"); err != nil || active {
		t.Errorf("nobody is there, but %q, %v, %v", who, active, err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("to learn that took %v", took)
	}
	stop, err := service.Announce(t.Context(), "applier", "default")
	if err != nil {
		t.Fatal(err)
	}
	if who, active, err := asker.Active(t.Context(), "applier", "default"); err != nil || !active || who != "host1:42" {
		t.Errorf("%q, %v, %v", who, active, err)
	}
	if _, active, err := asker.Active(t.Context(), "extractor", "default"); err != nil || active {
		t.Errorf("another role: %v, %v", active, err)
	}
	stop()
	if err := service.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, active, err := asker.Active(t.Context(), "applier", "default"); err != nil || active {
		t.Errorf("stopped, but %v, %v", active, err)
	}
}

func TestWakeHandsOutWhatItsTypesSay(t *testing.T) {
	dir := t.TempDir()
	b := embedded(t, dir)
	l := openLog(t, b, "corp")
	publish(t, l, 0, 1)
	removed := proto.Event{Type: proto.TypeUserRemoved, ContentType: proto.ContentTypeProtobuf}
	w := &waker{log: l, config: b.wakeConfig("corp", "callback-default-deactivate", []proto.Type{proto.TypeUserRemoved})}
	if _, err := b.js.CreateOrUpdateConsumer(t.Context(), l.name, w.config); err != nil {
		t.Fatal(err)
	}
	l.Begin(1)
	for _, id := range []string{"a", "b", "c"} {
		e := removed
		e.ID = id
		if _, err := l.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Publish(t.Context(), numbered(2)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wake := func(n int) (ids string) {
		t.Helper()
		for e, err := range b.Wake(soon(t), "corp", "callback-default-deactivate", proto.TypeUserRemoved) {
			if err != nil {
				t.Fatal(err)
			}
			if ids += e.ID; len(ids) == n {
				break
			}
		}
		return ids
	}
	// The loop broke off at b: that one comes again, a doesn't.
	if got := wake(2); got != "ab" {
		t.Errorf("woken by %q", got)
	}
	if got := wake(2); got != "bc" && got != "cb" {
		t.Errorf("woken by %q", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range b.Wake(soon(t), "corp", "callback-default-deactivate") {
		if err == nil || errors.Is(err, proto.ErrNotFound) {
			t.Errorf("a closed bus: %v", err)
		}
	}
}
