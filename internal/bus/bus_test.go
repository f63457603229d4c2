package bus

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"ldapsync/proto"
)

// embedded opens a bus with its own server in dir.
func embedded(t *testing.T, dir string) *Bus {
	t.Helper()
	return open(t, Config{StateDir: dir, RetryFor: 20 * time.Second})
}

func open(t *testing.T, cfg Config) *Bus {
	t.Helper()
	if os.Getenv("BUS_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func openLog(t *testing.T, b *Bus, source string) *Log {
	t.Helper()
	l, err := b.Log(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// outside is a NATS server that listens, and can be stopped and started again with its store and port.
type outside struct {
	t       *testing.T
	dir     string
	port    int
	options func(*server.Options)
	server  *server.Server
}

func newOutside(t *testing.T, options func(*server.Options)) *outside {
	t.Helper()
	o := &outside{t: t, dir: t.TempDir(), port: server.RANDOM_PORT, options: options}
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *outside) start() {
	o.t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: o.port, JetStream: true, StoreDir: o.dir, NoSigs: true, NoLog: true}
	if o.options != nil {
		o.options(opts)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		o.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		o.t.Fatal("the NATS server doesn't start")
	}
	o.server = s
	o.port = s.Addr().(*net.TCPAddr).Port
}

func (o *outside) stop() {
	o.server.Shutdown()
	o.server.WaitForShutdown()
}

func (o *outside) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", o.port) }

// numbered is an event that says which one it is.
func numbered(n int) proto.Event {
	return proto.Event{
		Type: proto.TypeUserUpserted, ID: fmt.Sprintf("stream/1/%d", n), ContentType: proto.ContentTypeProtobuf,
		Data: fmt.Appendf(nil, "event %d", n),
	}
}

// publish publishes numbered events and waits until they are stored.
func publish(t *testing.T, l *Log, last uint64, numbers ...int) uint64 {
	t.Helper()
	l.Begin(last)
	for _, n := range numbers {
		if _, err := l.Publish(t.Context(), numbered(n)); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
	}
	last, err := l.Flush(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// contents reads the whole stream.
func contents(t *testing.T, l *Log) (data []string) {
	t.Helper()
	_, last, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range l.Read(t.Context(), 1, last) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data))
	}
	return data
}

// wantNumbered asserts that data are events 1 to n, each once and in order.
func wantNumbered(t *testing.T, data []string, n int) {
	t.Helper()
	if len(data) != n {
		t.Errorf("%d events, want %d", len(data), n)
	}
	for i, d := range data {
		if want := fmt.Sprintf("event %d", i+1); d != want {
			t.Fatalf("event %d is %q, want %q", i+1, d, want)
		}
	}
}

func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// soon bounds a test that would otherwise wait for ever.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}
