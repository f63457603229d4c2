package bus

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"ldapsync/internal/fault"
)

// openExternal connects to the server at cfg.URL.
func (b *Bus) openExternal(ctx context.Context) error {
	servers, where, err := parseURLs(b.cfg.URL)
	if err != nil {
		return err
	}
	b.where = where
	opts := b.connectOptions()
	if b.cfg.TLS != nil {
		opts = append(opts, nats.Secure(b.cfg.TLS.Clone()))
	}
	if b.cfg.Credentials != nil {
		opts = append(opts, nats.UserJWT(b.userJWT, b.sign))
	}
	return b.retry(ctx, "NATS at "+where, func(context.Context) (err error) {
		b.nc, err = nats.Connect(servers, opts...)
		return err
	})
}

// connectOptions are those of both kinds of connection. Nothing is buffered while the connection is lost: whoever sends learns at
// once that it didn't go.
func (b *Bus) connectOptions() []nats.Option {
	return []nats.Option{
		nats.Name(b.cfg.Name),
		nats.Timeout(5 * time.Second),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(3),
		nats.DisconnectErrHandler(b.disconnected),
		nats.ReconnectHandler(func(*nats.Conn) { b.logger.Info("connected to NATS again", "server", b.where) }),
		nats.ErrorHandler(b.complained),
	}
}

// complained hears what the server refuses without answering a request, which would otherwise go unanswered.
func (b *Bus) complained(_ *nats.Conn, _ *nats.Subscription, err error) {
	b.logger.Warn("NATS", "server", b.where, "error", err)
	if errors.Is(err, nats.ErrPermissionViolation) {
		b.raise(&b.denial, err)
	}
}

var errCredentials = errors.New("not the content of a .creds file")

func (b *Bus) userJWT() (string, error) {
	creds, err := b.cfg.Credentials()
	if err != nil {
		return "", err
	}
	jwt, err := nkeys.ParseDecoratedJWT(creds)
	if err != nil || !strings.HasPrefix(jwt, "eyJ") { // what has no frame comes back whole
		return "", errCredentials
	}
	return jwt, nil
}

func (b *Bus) sign(nonce []byte) ([]byte, error) {
	creds, err := b.cfg.Credentials()
	if err != nil {
		return nil, err
	}
	defer clear(creds)
	pair, err := nkeys.ParseDecoratedUserNKey(bytes.Clone(creds))
	if err != nil {
		return nil, errCredentials
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}

// parseURLs returns the servers for nats.Connect, and the same for people: without user, password and token. Its errors don't
// show the text either.
func parseURLs(text string) (servers, where string, err error) {
	var all, shown []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil || u.Hostname() == "" {
			return "", "", fault.New(fault.Usage, "write nats://host:4222, or tls://; special characters of a password as %XX", "the NATS URL can't be parsed")
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return "", "", fault.New(fault.Usage, "write nats://host:4222, or tls://", "the NATS URL has the scheme %q", u.Scheme)
		}
		if strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
			return "", "", fault.New(fault.Usage, "write special characters of a user or password as %XX", "the NATS URL has an @ behind its host")
		}
		all = append(all, one)
		shown = append(shown, u.Scheme+"://"+u.Host)
	}
	if len(all) == 0 {
		return "", "", fault.New(fault.Usage, "write nats://host:4222", "the NATS URL is empty")
	}
	return strings.Join(all, ","), strings.Join(shown, ","), nil
}
