package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// open opens a database; the test's end closes it.
func open(t *testing.T, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// migrated opens a fresh database and makes our tables.
func migrated(t *testing.T) (*sqlite.Store, string) {
	t.Helper()
	path := fresh(t)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func touched(id string) []applier.Change {
	return []applier.Change{{Action: applier.Touch, Source: "corp", ID: id, Link: &applier.Link{
		Source: "corp", Kind: proto.KindUser, ID: id, State: applier.Present, How: applier.Created,
	}}}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage, empty := filepath.Join(dir, "garbage"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(garbage, []byte(strings.Repeat("no database ", 100)), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for path, want := range map[string]string{missing: "there is no database", dir: "directory", garbage: "not a", empty: "no Django tables"} {
		_, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Settings: storetest.Settings()})
		class, hint := fault.Of(err)
		if err == nil || !strings.Contains(err.Error(), want) || class != fault.Database || hint == "" || !fault.IsPermanent(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v (class %v, hint %q); want %q", filepath.Base(path), err, class, hint, want)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the database was made")
	}
	if info, err := os.Stat(empty); err != nil || info.Size() != 0 {
		t.Errorf("the empty file was written: %v, %v", info, err)
	}
}

func TestOpenNamesWhatTheSettingsMiss(t *testing.T) {
	settings := storetest.Settings()
	settings.Users.Columns = append(settings.Users.Columns, "phone")
	cfg := sqlite.Config{Path: fresh(t), Settings: settings}
	_, err := sqlite.Open(t.Context(), cfg)
	var refused *django.RefusedError
	if _, hint := fault.Of(err); !errors.As(err, &refused) || hint == "" || !strings.Contains(err.Error(), "phone") {
		t.Errorf("open: %v", err)
	}
	found, err := sqlite.Inspect(t.Context(), cfg)
	if err != nil || len(found) != 2 || !strings.Contains(found[0].What, "phone") || !strings.Contains(found[1].Hint, "migrate") {
		t.Errorf("inspect: %+v, %v", found, err)
	}
}

func TestThePathMayHoldAnything(t *testing.T) {
	from := fresh(t)
	path := filepath.Join(t.TempDir(), "a b?c#d%20e&f=ü.sqlite3")
	if err := os.Rename(from, path); err != nil {
		t.Fatal(err)
	}
	if err := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()}).Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheJournalModeStays(t *testing.T) {
	for _, mode := range []string{"delete", "wal"} {
		path := fresh(t)
		db := raw(t, path)
		exec(t, db, "PRAGMA journal_mode = "+mode)
		s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
		err := s.Migrate(t.Context())
		if err == nil {
			err = s.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, touched("1")) })
		}
		var now string
		if err2 := db.QueryRow("PRAGMA journal_mode").Scan(&now); err != nil || err2 != nil || now != mode {
			t.Errorf("%s became %s: %v, %v", mode, now, err, err2)
		}
	}
}

func TestThePrintedMigrationIsTheOneThatRuns(t *testing.T) {
	path := fresh(t)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	db := raw(t, path)
	exec(t, db, s.Migrations())
	if done, err := s.Migrated(t.Context()); err != nil || !done {
		t.Fatalf("migrated: %v, %v", done, err)
	}
	other, otherPath := migrated(t)
	if err := other.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const schema = "SELECT sql FROM sqlite_master WHERE name LIKE 'ldapsync%' ORDER BY name"
	if got, want := testenv.DB(t, path).Text(schema), testenv.DB(t, otherPath).Text(schema); got != want || !strings.Contains(got, "ldapsync_link") {
		t.Errorf("printed:\n%s\nrun:\n%s", got, want)
	}
}

func TestTablesOfANewerVersionAreRefused(t *testing.T) {
	_, path := migrated(t)
	exec(t, raw(t, path), "INSERT INTO ldapsync_migration (version, applied_at) VALUES (99, 'x')")
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	for name, err := range map[string]error{
		"migrate":    s.Migrate(t.Context()),
		"update":     s.Update(t.Context(), func(applier.Tx) error { return nil }),
		"checkpoint": func() error { _, err := s.Checkpoint(t.Context(), "corp"); return err }(),
	} {
		if class, hint := fault.Of(err); class != fault.Database || hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHeldLockPasses(t *testing.T) {
	_, path := migrated(t)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings(), BusyTimeout: 100 * time.Millisecond})
	db := raw(t, path)
	exec(t, db, "BEGIN IMMEDIATE")
	update := func() error {
		return s.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, touched("1")) })
	}
	err := update()
	if class, hint := fault.Of(err); class != fault.Database || hint == "" || fault.IsPermanent(err) {
		t.Errorf("while another writes: %v", err)
	}
	if err := s.View(t.Context(), func(applier.Reader) error { return nil }); err != nil {
		t.Errorf("reading while another writes: %v", err)
	}
	exec(t, db, "ROLLBACK")
	if err := update(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatEndsATransactionLeavesTheStoreUsable(t *testing.T) {
	s, path := migrated(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx applier.Tx) error {
		if err := tx.Write(ctx, proto.KindUser, touched("cancelled")); err != nil {
			return err
		}
		cancel()
		return tx.Write(ctx, proto.KindUser, touched("cancelled too"))
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.Update(t.Context(), func(tx applier.Tx) error {
			if err := tx.Write(t.Context(), proto.KindUser, touched("panic")); err != nil {
				return err
			}
			panic("in fn")
		})
	}()
	err = s.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, touched("good")) })
	if err != nil {
		t.Error(err)
	}
	if got := testenv.DB(t, path).Text("SELECT id FROM ldapsync_link"); got != "good\n" {
		t.Errorf("links: %q", got)
	}
}

func TestWritersOfOneStoreWaitForEachOther(t *testing.T) {
	s, path := migrated(t)
	const writers = 8
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			errs <- s.Update(t.Context(), func(tx applier.Tx) error {
				return tx.Write(t.Context(), proto.KindUser, touched(string(rune('a'+i))))
			})
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := testenv.DB(t, path).Int("SELECT count(*) FROM ldapsync_link"); n != writers {
		t.Errorf("%d links", n)
	}
}

func TestNothingToDoWritesNothing(t *testing.T) {
	s, path := migrated(t)
	db := raw(t, path)
	version := func() (v int) {
		if err := db.QueryRow("PRAGMA data_version").Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := version()
	err := s.Update(t.Context(), func(tx applier.Tx) error {
		return tx.Write(t.Context(), proto.KindUser, []applier.Change{{Action: applier.Unchanged, Source: "corp", ID: "1", PK: "1"}})
	})
	if err != nil || version() != before {
		t.Errorf("the database was written: %v", err)
	}
}
