package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
)

// Bus is one connection to a NATS server, outside or embedded. Its methods may be called at the same time.
type Bus struct {
	cfg    Config
	logger *slog.Logger
	where  string // the server, for people: without user and password
	nc     *nats.Conn
	js     jetstream.JetStream

	embedded *server.Server // nil with a URL
	lock     *lock          // likewise

	invitation *invitation // what others need to reach the embedded server; nil: it isn't shared
	joined     bool        // the server is another process's embedded one

	mu     sync.Mutex
	epoch  signal // ends when the connection is lost
	denial signal // ends when the server says that this user may not do something

	pace pace
}

var (
	errLost   = errors.New("the connection to NATS was lost")
	errClosed = errors.New("the bus is closed")
)

// Open connects to the server at cfg.URL, or starts one in cfg.StateDir. It tries until it succeeds, ctx is done, cfg.RetryFor is
// over, or the error is one that retrying can't mend. If another process holds the state directory and shares its server, that one is
// connected to; one that doesn't share is waited for (cfg.LockWait), then the error is a fault of class Stream that names the process.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, logger: cfg.Logger, epoch: newSignal(), denial: newSignal(), pace: usualPace()}
	var err error
	if cfg.URL == "" {
		err = b.openEmbedded(ctx)
	} else {
		err = b.openExternal(ctx)
	}
	if err == nil {
		err = b.openJetStream(ctx)
	}
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Bus) openJetStream(ctx context.Context) error {
	var err error
	if b.js, err = jetstream.New(b.nc); err != nil {
		return fault.New(fault.Stream, "", "JetStream on %s: %w", b.where, err)
	}
	return b.retry(ctx, "JetStream on "+b.where, func(ctx context.Context) error {
		_, err := b.js.AccountInfo(ctx)
		return err
	})
}

// Close ends the connection, and stops the embedded server once everything is on disk. What was published and not flushed may be
// lost. A second Close does nothing.
func (b *Bus) Close() error {
	var withdrawn error
	if b.invitation != nil && b.lock != nil {
		withdrawn = withdraw(b.cfg.StateDir) // first, so that nobody comes any more
		b.invitation = nil
	}
	if b.nc != nil {
		b.nc.Close()
	}
	b.raise(&b.epoch, errClosed)
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
	if b.lock != nil {
		return errors.Join(withdrawn, b.lock.release())
	}
	return nil
}

// Alone tells whether no other process can reach this bus's server: what is asked of a service here, no service can answer.
func (b *Bus) Alone() bool { return b.embedded != nil && b.invitation == nil && b.cfg.Listen == "" }

// Address is the URL under which other processes reach the embedded server; "" if it doesn't listen.
func (b *Bus) Address() string {
	if b.embedded == nil || b.cfg.Listen == "" {
		return ""
	}
	return b.embedded.ClientURL()
}

// signal tells those who hold its context that something happened, once; then another one takes its place.
type signal struct {
	context.Context
	raise context.CancelCauseFunc
}

func newSignal() signal {
	ctx, cancel := context.WithCancelCause(context.Background())
	return signal{ctx, cancel}
}

// raise ends a signal of the bus for a reason, and renews it.
func (b *Bus) raise(s *signal, reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.raise(reason)
	*s = newSignal()
}

// current returns what ends when a signal of the bus is raised next.
func (b *Bus) current(s *signal) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return s.Context
}

// unless returns a context that also ends, with its reason, when a signal is raised.
func (b *Bus) unless(ctx context.Context, s *signal) (context.Context, context.CancelFunc) {
	raised := b.current(s)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(raised, func() { cancel(context.Cause(raised)) })
	return ctx, func() { stop(); cancel(nil) }
}

// connected returns a context that also ends when the connection is lost.
func (b *Bus) connected(ctx context.Context) (context.Context, context.CancelFunc) {
	return b.unless(ctx, &b.epoch)
}

// disconnected is called when the connection is lost.
func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.raise(&b.epoch, errLost)
	if err != nil {
		b.logger.Warn("the connection to NATS is lost, trying again", "server", b.where, "error", err)
	}
}
