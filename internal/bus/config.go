package bus

import (
	"crypto/tls"
	"log/slog"
	"time"

	"ldapsync/internal/fault"
)

// Config says where the server is and how patient to be.
type Config struct {
	// URL of the NATS server; several, of one cluster, are separated by commas. It may hold user and password, or a token; no error
	// and no log line shows them. Default: "", a server inside this process with its store in StateDir.
	URL string

	// StateDir holds the embedded server's store, and a lock file. While another process holds it and shares its server, that one is used. It is created (0700) if it isn't there. Needed
	// without URL, unused with it.
	StateDir string

	// Name tells the server, and whoever asks who is active, what this connection is for. Default: "ldapsync".
	Name string

	// RetryFor is for how long in all a connection, a request or a publish is tried again. Default: 0, for ever, as services want it.
	// What retrying can't mend (credentials, certificate, a stream that isn't there) fails at once either way.
	RetryFor time.Duration

	// LockWait is how long to wait for another process that holds StateDir and doesn't share its server. Default: 30 s; negative: not at all.
	LockWait time.Duration

	// TLS is used with a URL; a tls:// URL needs it only for an own CA or a client certificate. Default: the system's CAs.
	TLS *tls.Config

	// Credentials returns the content of a .creds file (user JWT and seed); it is asked at every connection, so that a renewed one
	// is taken up. Default: nil, none.
	Credentials func() ([]byte, error)

	// Listen, "host:port", makes the embedded server reachable for other processes, without any authentication: keep it on
	// loopback. Port 0 takes a free one. Default: "", no listener at all.
	Listen string

	// Share lets other processes of this host use the embedded server, by Open with the same StateDir, as long as this one holds it: it
	// listens on 127.0.0.1, and says where, and with which token, in a file there that its owner alone may read. For services; one that
	// shares waits for another holder and never joins it. Unused with URL. Default: false.
	Share bool

	// Replicas of the streams that are created here; existing ones keep theirs. 3 in a cluster. Default: 1.
	Replicas int

	// AckTimeout is how long a publish may go unanswered before the stream is asked what it holds. Default: 10 s.
	AckTimeout time.Duration

	// Logger is told about lost connections and what the embedded server has to complain about. Default: nobody.
	Logger *slog.Logger

	// Now is the clock of ce-time, which decides nothing. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "ldapsync"
	}
	if c.LockWait == 0 {
		c.LockWait = 30 * time.Second
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.AckTimeout == 0 {
		c.AckTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.URL == "" && c.StateDir == "" {
		return fault.New(fault.Usage, "set a state directory, or the URL of a NATS server", "neither a state directory nor a NATS URL is set")
	}
	if c.URL != "" && c.Listen != "" {
		return fault.New(fault.Usage, "remove one of the two", "a NATS URL is set, so there is no embedded server that could listen on %s", c.Listen)
	}
	if c.Share && c.Listen != "" {
		return fault.New(fault.Usage, "remove one of the two", "an embedded server that is shared chooses its address itself, so it can't listen on %s", c.Listen)
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		return fault.New(fault.Usage, "use 1, 3 or 5", "%d replicas: JetStream has 1 to 5", c.Replicas)
	}
	return nil
}
