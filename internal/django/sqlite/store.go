package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Config is what Open needs to know.
type Config struct {
	// Path is the database's file. It must exist.
	Path string
	// Settings say which tables and columns are synchronized.
	Settings django.Settings
	// BusyTimeout is how long a transaction waits for another program's. Raise it where an application writes for long. Default: 10 seconds.
	BusyTimeout time.Duration
	// Now is the clock of date_joined and deactivated_at. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.BusyTimeout <= 0 {
		c.BusyTimeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store is a target in an SQLite database. It is safe for concurrent use.
type Store struct {
	cfg      Config
	model    *django.Model
	findings []django.Finding
	tables   map[proto.Kind]*table

	read, write *sql.DB
	writing     chan struct{} // holds one token while writer is in use
	writer      *conn
	migrated    atomic.Bool
	names       nameCache
}

var (
	_ applier.Store      = (*Store)(nil)
	_ applier.Brief      = (*Store)(nil)
	_ callbacks.Accounts = (*Store)(nil)
	_ callbacks.Restorer = (*Store)(nil)
)

// Open opens an existing database and reads which of Django's tables it has. The first finding that forbids sync is returned as a fault
// of class Database; Inspect lists them all.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if f := django.Refusal(s.findings); f != nil {
		_ = s.Close()
		return nil, fault.New(fault.Database, f.Hint, "%w", &django.RefusedError{Findings: s.findings})
	}
	return s, nil
}

// Inspect is Open for those who want to know everything that is wrong: the tables, and our own tables. It changes nothing. An error
// says that it couldn't look.
func Inspect(ctx context.Context, cfg Config) ([]django.Finding, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Check(ctx)
}

// Check returns everything that stands in the way of sync, and what is worth knowing.
func (s *Store) Check(ctx context.Context) ([]django.Finding, error) {
	found := slices.Clone(s.findings)
	there, err := s.Migrated(ctx)
	if err != nil {
		return nil, err
	}
	if !there {
		found = append(found, django.Finding{What: "the tables of ldapsync are missing", Hint: hintMigrate})
	}
	return found, nil
}

func open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	path, err := existing(cfg.Path)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, writing: make(chan struct{}, 1)}
	if s.read, err = sql.Open("sqlite", dsn(path, cfg.BusyTimeout, false)); err != nil {
		return nil, err
	}
	if s.write, err = sql.Open("sqlite", dsn(path, cfg.BusyTimeout, true)); err != nil {
		return nil, err
	}
	s.read.SetMaxOpenConns(4)
	s.write.SetMaxOpenConns(1)
	err = s.view(ctx, func(c *conn) error {
		catalog, err := readCatalog(ctx, c)
		if err != nil {
			return err
		}
		s.model, s.findings = django.Resolve(catalog, cfg.Settings)
		s.describe()
		return s.checkReferences(ctx, c)
	})
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// existing returns the absolute path of a file that is there.
func existing(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fault.New(fault.Database, "check the path in the URL; Django makes the file with: manage.py migrate",
			"there is no database %s", path)
	case err != nil:
		return "", fault.New(fault.Database, "this user must be allowed to read the file and its directory", "database: %w", err)
	case info.IsDir():
		return "", fault.New(fault.Database, "name the file in it", "database %s: it is a directory", path)
	}
	return filepath.Abs(path)
}

// Close closes the database. No transaction may be open.
func (s *Store) Close() error {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	if s.writer != nil {
		_ = s.writer.Close()
		s.writer = nil
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// Users is the users' table.
func (s *Store) Users() *django.Table { return s.model.Users }

// Groups is the groups' table; nil where groups are skipped.
func (s *Store) Groups() *django.Table { return s.model.Groups }

// Model is what the settings mean in this database.
func (s *Store) Model() *django.Model { return s.model }

// Findings are warnings about the tables.
func (s *Store) Findings() []django.Finding { return s.findings }

// Refresh forgets which names the rows without a link have: a row that an application renamed since is found again. Call it before each
// pass. Rows that it created are found without.
func (s *Store) Refresh() { s.names.drop() }

// Update runs fn in one transaction. It is run once: whoever wants to write waits for the others before. A *applier.DataError if a row
// refers to one that isn't there when it is committed.
func (s *Store) Update(ctx context.Context, fn func(applier.Tx) error) error {
	return s.update(ctx, func(c *conn) error {
		r, err := s.reader(ctx, c)
		if err != nil {
			return err
		}
		if !r.migrated {
			return fault.New(fault.Database, hintMigrate, "ldapsync's tables aren't in the database")
		}
		return fn(&tx{reader: r})
	})
}

// View runs fn in one read-only transaction. Where ldapsync's tables aren't there, it sees them as empty.
func (s *Store) View(ctx context.Context, fn func(applier.Reader) error) error {
	return s.view(ctx, func(c *conn) error {
		r, err := s.reader(ctx, c)
		if err != nil {
			return err
		}
		return fn(r)
	})
}

// Brief says that in SQLite a writer can't commit while somebody reads, but with a write-ahead log, which then grows.
func (s *Store) Brief() {}

func (s *Store) reader(ctx context.Context, c *conn) (*reader, error) {
	migrated, err := s.ready(ctx, c)
	if err != nil {
		return nil, err
	}
	return &reader{conn: c, store: s, migrated: migrated}, nil
}

// Checkpoint returns how far a source is applied; nil also where ldapsync's tables aren't there.
func (s *Store) Checkpoint(ctx context.Context, source string) (*applier.Checkpoint, error) {
	var found *applier.Checkpoint
	err := s.view(ctx, func(c *conn) error {
		if ready, err := s.ready(ctx, c); !ready || err != nil {
			return err
		}
		p := applier.Checkpoint{Source: source}
		var seq int64
		there, err := c.one(ctx, []any{&p.StreamID, &seq, &p.Mapping, &p.Mode},
			`SELECT stream_id, seq, mapping, mode FROM ldapsync_checkpoint WHERE source = ?`, source)
		if there {
			p.Sequence = uint64(seq)
			found = &p
		}
		return err
	})
	return found, err
}

// Position returns the sequence of Checkpoint, 0 if there is none.
func (s *Store) Position(ctx context.Context, source string) (uint64, error) {
	p, err := s.Checkpoint(ctx, source)
	if err != nil || p == nil {
		return 0, err
	}
	return p.Sequence, nil
}
