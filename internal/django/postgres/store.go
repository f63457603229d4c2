package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// MinVersion is the oldest major version of PostgreSQL that is supported.
const MinVersion = 13

// Config says which database, and how to treat it.
type Config struct {
	// DSN is the database's URL, postgres://user:password@host/name?sslmode=…, or keywords and values as libpq reads them. What it leaves
	// out comes from PGHOST and the other variables of libpq.
	DSN string
	// Settings say which tables and columns are synchronized.
	Settings django.Settings
	// LockTimeout is how long a statement waits for an application's lock before its transaction is run again. Lower it where the
	// application must never wait behind sync. Default: 5 seconds.
	LockTimeout time.Duration
	// RetryFor is how long Open tries to connect to a server that doesn't answer, and Update to get past rivals. Default: 30 seconds.
	RetryFor time.Duration
	// Now tells the time that becomes date_joined, deactivated_at and the letters' since. Default: time.Now.
	Now func() time.Time
	// Logger gets retries and warnings. Default: none.
	Logger *slog.Logger

	role, database string // from the server
}

func (c Config) withDefaults() Config {
	if c.LockTimeout == 0 {
		c.LockTimeout = 5 * time.Second
	}
	if c.RetryFor == 0 {
		c.RetryFor = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Store is a target in PostgreSQL. Its methods may be called from several goroutines.
type Store struct {
	cfg          Config
	pool         *pgxpool.Pool
	model        *django.Model
	users        *table
	groups       *table // nil when groups are skipped
	joinSequence string // of the memberships' table, quoted; "" for none
	unlinked     unlinked
	memory       atomic.Pointer[memory] // nil: none, or a transaction has it
	hurries      atomic.Int32           // that go on
	findings     []django.Finding
	migrated     atomic.Bool
}

var (
	_ applier.Store      = (*Store)(nil)
	_ callbacks.Accounts = (*Store)(nil)
	_ callbacks.Restorer = (*Store)(nil)
)

// Open connects, finds Django's tables and compares them with the settings. Its errors are faults of class Database (of class Usage for
// a URL that can't be read); where the tables are refused, a *django.RefusedError is among their causes. Our own tables may be
// missing: then what reads finds nothing, and what writes fails.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := inspect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if first := django.Refusal(s.findings); first != nil {
		s.Close()
		return nil, fault.New(fault.Database, first.Hint, "%w", &django.RefusedError{Findings: s.findings})
	}
	return s, nil
}

// Inspect is Open for those who want to know everything that is wrong: the tables, the rights, our own tables. It changes nothing. An
// error says that it couldn't look.
func Inspect(ctx context.Context, cfg Config) ([]django.Finding, error) {
	s, err := inspect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Check(ctx)
}

// inspect returns a store that may have findings that refuse it.
func inspect(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{cfg: cfg.withDefaults()}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.introspect(ctx); err != nil {
		s.Close()
		return nil, s.fault(err)
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context) error {
	pc, err := pgxpool.ParseConfig(s.cfg.DSN)
	if err != nil {
		if strings.Contains(err.Error(), "configure TLS") {
			return fault.New(fault.Usage, "check sslmode, sslrootcert, sslcert and sslkey in the database's URL", "database: the TLS settings of the URL can't be used")
		}
		// The driver's text might show a part of the password.
		return fault.New(fault.Usage, "write postgres://user:password@host:5432/database, with special characters of the password percent-encoded", "database: the URL can't be read")
	}
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	if pc.ConnConfig.RuntimeParams["application_name"] == "" {
		pc.ConnConfig.RuntimeParams["application_name"] = "ldapsync"
	}
	// Every statement is planned for the tables as they are now: a plan that was cached while they were empty would scan them from end to
	// end for each batch, and the cost of a first load would grow with the square. (plan_cache_mode = force_custom_plan would do the
	// same to the checks of foreign keys: a plan for each membership, which doubled the cost of a first load.)
	pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	s.cfg.role, s.cfg.database = pc.ConnConfig.User, pc.ConnConfig.Database
	if s.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return s.fault(err)
	}
	if err := s.awaitServer(ctx); err != nil {
		s.Close()
		return err
	}
	return nil
}

// awaitServer tries to connect until it works, fails for good, or took RetryFor.
func (s *Store) awaitServer(ctx context.Context) error {
	attempt := func() error {
		err := s.fault(s.pool.Ping(ctx))
		if err != nil && (fault.IsPermanent(err) || ctx.Err() != nil) {
			return backoff.Permanent(err)
		}
		return err
	}
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond), backoff.WithMaxInterval(5*time.Second),
		backoff.WithMaxElapsedTime(s.cfg.RetryFor))
	return backoff.RetryNotify(attempt, backoff.WithContext(policy, ctx), func(err error, wait time.Duration) {
		s.cfg.Logger.Warn("the database doesn't answer", "error", err, "retry_in", wait.Round(time.Millisecond))
	})
}

func (s *Store) introspect(ctx context.Context) error {
	var version int
	var schemas []string
	const about = "SELECT current_setting('server_version_num')::int / 10000, current_user, current_database(), current_schemas(false)::text[]"
	if err := s.pool.QueryRow(ctx, about).Scan(&version, &s.cfg.role, &s.cfg.database, &schemas); err != nil {
		return err
	}
	if version < MinVersion {
		return fault.New(fault.Database, "upgrade the server", "database: PostgreSQL %d is older than %d, the oldest that is supported", version, MinVersion)
	}
	catalog, err := readCatalog(ctx, s.pool, s.cfg.Settings)
	if err != nil {
		return err
	}
	s.model, s.findings = django.Resolve(catalog, s.cfg.Settings)
	if s.model == nil {
		for i := range s.findings {
			s.findings[i].Hint += "; sync looks in the schemas " + strings.Join(schemas, ", ") + " (search_path in the URL changes that)"
		}
		return nil
	}
	if s.users, err = newTable(ctx, s.pool, s.model.Users); err != nil {
		return err
	}
	if err := s.checkReferences(ctx); err != nil {
		return err
	}
	if s.model.Groups != nil {
		if s.groups, err = newTable(ctx, s.pool, s.model.Groups); err != nil {
			return err
		}
	}
	if j := s.model.Membership; j != nil && j.Key.Name != "" {
		s.joinSequence, err = sequenceOf(ctx, s.pool, quote(j.Schema, j.Name), j.Key.Name)
	}
	return err
}

// Close ends the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Users returns the users' table.
func (s *Store) Users() *django.Table { return s.model.Users }

// Groups returns the groups' table; nil when groups are skipped.
func (s *Store) Groups() *django.Table { return s.model.Groups }

// Model returns all tables of Django's that take part.
func (s *Store) Model() *django.Model { return s.model }

// Findings returns the warnings that Open found.
func (s *Store) Findings() []django.Finding { return s.findings }

var errNoGroups = errors.New("groups are skipped in this target")

// table returns what is known of the table for a kind.
func (s *Store) table(kind proto.Kind) (*table, error) {
	if kind == proto.KindUser {
		return s.users, nil
	}
	if s.groups == nil {
		return nil, errNoGroups
	}
	return s.groups, nil
}
