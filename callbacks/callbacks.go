package callbacks

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ldapsync/internal/fault"
)

// The callbacks that act on a target's accounts.
const (
	Deactivate = "deactivate"
	Delete     = "delete"
)

// Keep is the other value of Config.Missing.
const Keep = "keep"

// Names returns the names of the callbacks that there are.
func Names() []string { return []string{Deactivate, Delete} }

// Known tells whether name is the name of a callback.
func Known(name string) bool { return slices.Contains(Names(), name) }

// MaxBatch is how many accounts one transaction may hold: with more, an application would wait noticeably for its rows.
const MaxBatch = 200

// Config is what a Service needs to know.
type Config struct {
	// Target is the name of the target, for messages.
	Target string
	// Callbacks are carried out in this order for whoever left. Default: none; nothing is done then.
	Callbacks []string
	// Missing says what becomes of users who are missing while their source's grace lasts: "keep", nothing, or "deactivate", the callback
	// deactivate acts on them at once. Default: "keep".
	Missing string
	// DeleteAfter is how long an account must have been deactivated by sync, and be inactive still, before the callback delete acts
	// on it. It needs the callback deactivate. Default: 0, at once.
	DeleteAfter time.Duration
	// Batch is how many accounts are handled in one transaction, at most MaxBatch. Lower it where the application often holds locks
	// on its users. Default: MaxBatch.
	Batch int
	// Interval is the longest time between two looks of Run: what a lost wake-up costs. Default: 1 minute.
	Interval time.Duration
	// Backoff is how long an account waits after its first failed attempt; each further one doubles it, give or take a fifth.
	// Default: 30 seconds.
	Backoff time.Duration
	// BackoffMax is the longest wait between two attempts; there is no last attempt, since what was in the way may go. Default: 1 hour.
	BackoffMax time.Duration
	// Reconnect is how long Run waits after the database failed for the first time; each further failure doubles it, up to one
	// minute. Default: 1 second.
	Reconnect time.Duration
	// Ready is called before each look, which begins once it has returned nil: somebody may have returned whom the target, behind its
	// streams, still calls gone. Its error ends the look. Default: none.
	Ready func(ctx context.Context) error
	// Now tells the time that retries are measured with. Default: time.Now.
	Now func() time.Time
	// Logger gets a line for each account. Default: none.
	Logger *slog.Logger
	// OnResult is called for each account after it was committed, by the goroutine that looks. Default: none.
	OnResult func(Result)
}

// Validate returns an error of class Usage that names the setting that is wrong.
func (c Config) Validate() error {
	for _, name := range c.Callbacks {
		if !Known(name) {
			return fault.New(fault.Usage, "the callbacks are: "+strings.Join(Names(), ", "),
				"targets.%s.removal.callbacks: there is no callback %q", c.Target, name)
		}
	}
	if c.Missing != "" && c.Missing != Keep && c.Missing != Deactivate {
		return fault.New(fault.Usage, "keep or deactivate", "targets.%s.removal.missing: %q", c.Target, c.Missing)
	}
	deactivates := slices.Contains(c.Callbacks, Deactivate)
	if c.Missing == Deactivate && !deactivates {
		return fault.New(fault.Usage, "add deactivate to the callbacks", "targets.%s.removal.missing: deactivate, but the callback isn't configured", c.Target)
	}
	if c.DeleteAfter > 0 && slices.Contains(c.Callbacks, Delete) && !deactivates {
		return fault.New(fault.Usage, "add deactivate to the callbacks: nobody is deleted otherwise",
			"targets.%s.removal.delete.after: %s after deactivation, but the callback deactivate isn't configured", c.Target, c.DeleteAfter)
	}
	if c.Batch < 0 || c.Batch > MaxBatch {
		return fault.New(fault.Usage, "", "target %s: callbacks in batches of %d: not between 1 and %d", c.Target, c.Batch, MaxBatch)
	}
	for name, d := range map[string]time.Duration{"interval": c.Interval, "backoff": c.Backoff, "longest backoff": c.BackoffMax, "reconnect": c.Reconnect,
		"delay of delete": c.DeleteAfter} {
		if d < 0 {
			return fault.New(fault.Usage, "", "target %s: the %s of the callbacks is negative: %s", c.Target, name, d)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	duration(&c.Interval, time.Minute)
	duration(&c.Backoff, 30*time.Second)
	duration(&c.BackoffMax, time.Hour)
	duration(&c.Reconnect, time.Second)
	if c.Batch == 0 {
		c.Batch = MaxBatch
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnResult == nil {
		c.OnResult = func(Result) {}
	}
	c.Callbacks = slices.Clone(c.Callbacks)
	return c
}

// Query is whom a callback acts on at a time.
func (c Config) Query(callback string, now time.Time) DueQuery {
	q := DueQuery{Callback: callback, Now: now, Limit: c.Batch}
	if q.Limit == 0 {
		q.Limit = MaxBatch
	}
	switch callback {
	case Deactivate:
		q.Missing = c.Missing == Deactivate
	case Delete:
		q.After = c.DeleteAfter
	}
	return q
}

// Service carries out the callbacks of one target.
type Service struct {
	cfg      Config
	accounts Accounts
}

// New returns a service that acts on a target's accounts. A configuration that Validate refuses is refused by every method, too.
func New(cfg Config, accounts Accounts) *Service {
	return &Service{cfg: cfg.withDefaults(), accounts: accounts}
}
