package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"ldapsync/internal/fault"
)

// maxPayload of the embedded server, in bytes. NATS advises against more; its default of 1 MiB is less than a user with a few photos.
const maxPayload = 8 << 20

// startTimeout is how long the embedded server may take to recover its store.
const startTimeout = 5 * time.Minute

// HasStore tells whether an embedded server has ever kept a store in this state directory. Opening one where it hasn't creates it.
func HasStore(stateDir string) bool {
	info, err := os.Stat(filepath.Join(stateDir, server.JetStreamStoreDir))
	return err == nil && info.IsDir()
}

// openEmbedded starts a server that this process alone can reach, unless cfg says otherwise, and connects to it; or to that of a
// service that holds the state directory.
func (b *Bus) openEmbedded(ctx context.Context) error {
	b.where = "the embedded server in " + b.cfg.StateDir
	if err := prepare(b.cfg.StateDir); err != nil {
		return err
	}
	var err error
	if b.lock, err = b.acquire(ctx); err != nil || b.joined {
		return err
	}
	if err := withdraw(b.cfg.StateDir); err != nil {
		return err
	}
	// The server would make it with wider rights.
	if err := os.MkdirAll(filepath.Join(b.cfg.StateDir, server.JetStreamStoreDir), 0o700); err != nil {
		return fault.New(fault.Stream, "", "state directory: %w", err)
	}
	if err := mend(b.cfg.StateDir); err != nil {
		return err
	}
	opts, err := b.serverOptions()
	if err != nil {
		return err
	}
	connect := b.connectOptions()
	if b.cfg.Share {
		if b.invitation, err = b.share(opts); err != nil {
			return err
		}
		connect = append(connect, nats.Token(opts.Authorization))
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fault.New(fault.Stream, "", "embedded NATS server: %w", err)
	}
	log := &serverLog{logger: b.logger}
	s.SetLoggerV2(log, false, false, false)
	b.embedded = s
	s.Start()
	if fatal := log.fatal.Load(); fatal != nil {
		return fault.New(fault.Stream, "is the state directory writable, its disk not full, the address free?", "embedded NATS server: %s", *fatal)
	}
	if !s.ReadyForConnections(startTimeout) {
		return fault.New(fault.Stream, "", "embedded NATS server: not ready after %v", startTimeout)
	}
	b.nc, err = nats.Connect("", append(connect, nats.InProcessServer(s))...)
	if err != nil {
		return fault.New(fault.Stream, "", "embedded NATS server: %w", err)
	}
	if b.invitation == nil {
		return nil
	}
	return b.invite()
}

// acquire takes the lock, or joins the service that holds it: then there is no lock.
func (b *Bus) acquire(ctx context.Context) (*lock, error) {
	var refused error
	l, err := acquire(ctx, b.cfg.StateDir, b.cfg.LockWait, func(pid int) (joined bool) {
		if !b.cfg.Share {
			joined, refused = b.join(pid)
		}
		return joined
	})
	if err != nil && refused != nil {
		b.logger.Warn("the process that holds the state directory can't be joined", "error", refused)
	}
	return l, err
}

// prepare makes the state directory. One that everybody may write to is refused: its lock and store could be replaced.
func prepare(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return fault.New(fault.Stream, "create it and give it to the user that ldapsync runs as, or set another state directory", "state directory: %w", err)
		}
		return fault.New(fault.Stream, "", "state directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fault.New(fault.Stream, "", "state directory: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fault.New(fault.Stream, fmt.Sprintf("chmod 0700 %s, or set another one", dir), "state directory %s: everybody may write to it", dir)
	}
	return nil
}

func (b *Bus) serverOptions() (*server.Options, error) {
	opts := &server.Options{
		ServerName:             "ldapsync",
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               b.cfg.StateDir, // the server adds "jetstream"
		SyncAlways:             true,
		MaxPayload:             maxPayload,
	}
	if b.cfg.Listen == "" {
		return opts, nil
	}
	host, text, err := net.SplitHostPort(b.cfg.Listen)
	if err != nil {
		return nil, fault.New(fault.Usage, "write host:port", "listen: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fault.New(fault.Usage, "write host:port", "listen %q: %q is no port", b.cfg.Listen, text)
	}
	opts.DontListen, opts.Host, opts.Port = false, host, int(port)
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, nil
}

// serverLog passes on what the embedded server complains about; the rest is for debugging.
type serverLog struct {
	logger *slog.Logger
	fatal  atomic.Pointer[string]
}

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l *serverLog) Tracef(string, ...any)           {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.logger.Warn("embedded NATS server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.logger.Error("embedded NATS server: " + fmt.Sprintf(format, v...))
}

// Fatalf keeps the reason: the server only returns after it.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.fatal.CompareAndSwap(nil, &text)
}

func (l *serverLog) debug(format string, v []any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug("embedded NATS server: " + fmt.Sprintf(format, v...))
	}
}
