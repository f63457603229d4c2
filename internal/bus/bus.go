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

	mu     sync.Mutex
	epoch  context.Context // done when the connection is lost; a new one follows at once
	end    context.CancelCauseFunc
	denied error // the last thing that the server said this user may not do
}

var (
	errLost   = errors.New("the connection to NATS was lost")
	errClosed = errors.New("the bus is closed")
)

// Open connects to the server at cfg.URL, or starts one in cfg.StateDir. It tries until it succeeds, ctx is done, cfg.RetryFor is
// over, or the error is one that retrying can't mend. A state directory that another process holds is waited for (cfg.LockWait);
// then the error is a fault of class Stream that names the process.
func Open(ctx context.Context, cfg Config) (*Bus, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, logger: cfg.Logger}
	b.epoch, b.end = context.WithCancelCause(context.Background())
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
	if b.nc != nil {
		b.nc.Close()
	}
	b.mu.Lock()
	b.end(errClosed)
	b.mu.Unlock()
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
	if b.lock != nil {
		return b.lock.release()
	}
	return nil
}

// Address is the URL under which other processes reach the embedded server; "" if it doesn't listen.
func (b *Bus) Address() string {
	if b.embedded == nil || b.cfg.Listen == "" {
		return ""
	}
	return b.embedded.ClientURL()
}

// connected returns a context that is also done when the connection is lost.
func (b *Bus) connected(ctx context.Context) (context.Context, context.CancelFunc) {
	lost := b.lost()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(lost, func() { cancel(context.Cause(lost)) })
	return ctx, func() { stop(); cancel(nil) }
}

// lost returns a context that is done when the connection of now is lost.
func (b *Bus) lost() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.epoch
}

// disconnected ends the epoch.
func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.mu.Lock()
	b.end(errLost)
	b.epoch, b.end = context.WithCancelCause(context.Background())
	b.mu.Unlock()
	if err != nil {
		b.logger.Warn("the connection to NATS is lost, trying again", "server", b.where, "error", err)
	}
}
