package ldap

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
)

// Directory is one source's directory: the question, and the servers that can answer it.
type Directory struct {
	cfg       Config
	addresses []address
}

var (
	_ extractor.Directory = (*Directory)(nil)
	_ extractor.Session   = (*Session)(nil)
)

// New returns the directory that cfg describes, or the first thing in cfg that can't work, as a fault of class Usage. It connects to nothing.
func New(cfg Config) (*Directory, error) {
	cfg.UserFilter = ldapmatch.NormalizeFilter(cfg.UserFilter)
	cfg.GroupFilter = ldapmatch.NormalizeFilter(cfg.GroupFilter)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = DefaultConfig().Logger
	}
	d := &Directory{cfg: cfg}
	for _, uri := range cfg.URIs {
		a, err := parseURI(uri)
		if err != nil {
			return nil, err
		}
		d.addresses = append(d.addresses, a)
	}
	return d, nil
}

// The pace at which Open tries all servers anew.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// Open connects to the first server that answers, and asks it what it is and whether the bases are there. It tries all servers
// again and again for Config.RetryFor. What retrying can't mend (credentials, certificate, refused StartTLS, base) ends it at once, whatever
// the other servers would say: another wrong password may lock the account.
func (d *Directory) Open(ctx context.Context, pinned string) (extractor.Session, error) {
	limited := ctx
	if d.cfg.RetryFor > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, d.cfg.RetryFor)
		defer cancel()
	}
	var last error
	attempt := func() (*Session, error) {
		s, err := d.openAny(limited, pinned)
		if err == nil {
			return s, nil
		}
		if last == nil || limited.Err() == nil {
			last = err // what ends because time is up explains less than what came before
		}
		if fault.IsPermanent(err) {
			return nil, backoff.Permanent(err)
		}
		return nil, err
	}
	pace := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstWait), backoff.WithMaxInterval(longestWait), backoff.WithMaxElapsedTime(d.cfg.RetryFor))
	s, err := backoff.RetryNotifyWithData(attempt, backoff.WithContext(pace, limited), func(err error, wait time.Duration) {
		d.cfg.Logger.Warn("no directory server answers, trying again", "error", err, "in", wait.Round(time.Millisecond))
	})
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, last
}

// openAny tries each server once.
func (d *Directory) openAny(ctx context.Context, pinned string) (*Session, error) {
	var failed []error
	for _, a := range d.addresses {
		s, err := d.open(ctx, a, pinned)
		if err == nil {
			return s, nil
		}
		if fault.IsPermanent(err) {
			return nil, err
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	texts := make([]string, len(failed))
	for i, err := range failed {
		texts[i] = err.Error()
	}
	_, hint := fault.Of(failed[0])
	return nil, &fault.Error{Class: fault.Directory, Hint: hint, Err: told{"none of the servers answers: " + strings.Join(texts, "; "), errors.Join(failed...)}}
}

// open connects to one server and prepares the session.
func (d *Directory) open(ctx context.Context, a address, pinned string) (*Session, error) {
	c, err := d.dial(ctx, a)
	if err != nil {
		return nil, err
	}
	s := &Session{cfg: d.cfg, conn: c, log: d.cfg.Logger.With("server", a.uri)}
	if err := s.prepare(ctx, pinned); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}
