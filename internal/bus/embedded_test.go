package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestTwoServersNeverShareAStateDirectory(t *testing.T) {
	dir := t.TempDir()
	b := embedded(t, dir)
	_, err := Open(t.Context(), Config{StateDir: dir, LockWait: -1})
	if err == nil {
		t.Fatal("a second server opened the same state directory")
	}
	if class, hint := fault.Of(err); class != fault.Stream || hint == "" {
		t.Errorf("class %v, hint %q", class, hint)
	}
	if pid := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), pid) {
		t.Errorf("%q doesn't name %s", err, pid)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Config{StateDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted wait: %v", err)
	}

	second := make(chan error)
	go func() {
		b, err := Open(t.Context(), Config{StateDir: dir})
		if err == nil {
			err = b.Close()
		}
		second <- err
	}()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second one waits for the first: %v", err)
	}
}

func TestEmbeddedServerKeepsToItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if HasStore(dir) {
		t.Error("a directory that isn't there has no store")
	}
	b := embedded(t, dir)
	if !HasStore(dir) {
		t.Error("the store isn't found")
	}
	if b.embedded.Addr() != nil || b.Address() != "" {
		t.Errorf("it listens on %v", b.embedded.Addr())
	}
	for _, path := range []string{dir, filepath.Join(dir, "jetstream")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}

func TestEmbeddedServerListensWhenAsked(t *testing.T) {
	b := open(t, Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0"})
	openLog(t, b, "corp")
	other := open(t, Config{URL: b.Address(), RetryFor: time.Second})
	if _, err := other.OpenLog(t.Context(), "corp"); err != nil {
		t.Error(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Open(t.Context(), Config{StateDir: t.TempDir(), Listen: taken.Addr().String()})
	if class, _ := fault.Of(err); err == nil || class != fault.Stream {
		t.Errorf("a taken port: %v", err)
	}
}

func TestStateDirectoryOpenToAllIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{StateDir: dir})
	if class, hint := fault.Of(err); err == nil || class != fault.Stream || !strings.Contains(hint, "chmod") {
		t.Errorf("%v (%s)", err, hint)
	}
}

func TestEventsAndIdentitySurviveARestart(t *testing.T) {
	dir := t.TempDir()
	b := embedded(t, dir)
	l := openLog(t, b, "corp")
	id := l.StreamID()
	if len(id) != 32 {
		t.Errorf("stream id %q", id)
	}
	publish(t, l, 0, upTo(10)...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	b = embedded(t, dir)
	if _, err := b.OpenLog(t.Context(), "other"); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("a stream that isn't there: %v", err)
	}
	for _, open := range []func(context.Context, string) (*Log, error){b.OpenLog, b.Log} {
		l, err := open(t.Context(), "corp")
		if err != nil {
			t.Fatal(err)
		}
		if l.StreamID() != id {
			t.Errorf("stream id %s became %s", id, l.StreamID())
		}
		wantNumbered(t, contents(t, l), 10)
	}
	if other := openLog(t, b, "other"); other.StreamID() == id {
		t.Error("two streams have the same id")
	}
}
