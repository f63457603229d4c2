package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// with returns dsn with changes.
func with(t *testing.T, dsn string, change func(u *url.URL, q url.Values)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change(u, q)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	empty := testenv.Postgres(t)
	for name, c := range map[string]struct {
		dsn, what, hint string
		permanent       bool
	}{
		"no database":      {with(t, empty, func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }), `database "nowhere" does not exist`, "name of the database", true},
		"no role":          {with(t, empty, func(u *url.URL, _ url.Values) { u.User = url.UserPassword("eve", "s3cret") }), `role "eve" does not exist`, "user and password", true},
		"no TLS":           {with(t, empty, func(_ *url.URL, q url.Values) { q.Set("sslmode", "require") }), "server refused TLS", "sslmode=disable", true},
		"nobody listens":   {"postgres://u:s3cret@127.0.0.1:1/d?sslmode=disable", "connection refused", "host and port", false},
		"no host":          {"postgres://u:s3cret@nowhere.invalid/d?sslmode=disable", "nowhere.invalid", "host and port", false},
		"bad URL":          {"postgres://u:s3cret#%@127.0.0.1:1/d", "the URL can't be read", "percent-encoded", true},
		"bad mode":         {"postgres://u:s3cret@127.0.0.1:1/d?sslmode=perhaps", "TLS settings", "sslmode", true},
		"no Django tables": {empty, "no Django tables", "manage.py migrate", true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Config{DSN: c.dsn, Settings: settings(), RetryFor: time.Millisecond})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			_, hint := fault.Of(err)
			if !strings.Contains(err.Error(), c.what) || !strings.Contains(hint, c.hint) || fault.IsPermanent(err) != c.permanent {
				t.Errorf("error %q, hint %q, permanent %v", err, hint, fault.IsPermanent(err))
			}
			if strings.Contains(err.Error()+hint, "s3cret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, hint %q", err, hint)
			}
		})
	}
}

func TestOpenNamesEveryFinding(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	s := settings()
	s.Users.Columns = append(s.Users.Columns, "emial", "phone")
	_, err := Open(t.Context(), Config{DSN: dsn, Settings: s})
	var refused *django.RefusedError
	if !errors.As(err, &refused) || len(refused.Findings) != 2 || !strings.Contains(err.Error(), "emial") || !fault.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	found, err := Inspect(t.Context(), Config{DSN: dsn, Settings: s})
	if err != nil || len(found) != 3 || !strings.Contains(found[2].Hint, "ldapsync migrate") {
		t.Errorf("%v, %v", found, err)
	}
}

func TestWithoutOurTablesReadingFindsNothing(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	s, err := Open(t.Context(), Config{DSN: dsn, Settings: settings()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.View(t.Context(), func(r applier.Reader) error {
		_, err := r.Links(t.Context(), "corp", proto.KindUser, []string{"x"})
		return err
	}); err != nil {
		t.Error(err)
	}
	err = s.Update(t.Context(), func(applier.Tx) error { return nil })
	if _, hint := fault.Of(err); !strings.Contains(hint, "ldapsync migrate") || !fault.IsPermanent(err) {
		t.Errorf("%v, hint %q", err, hint)
	}
	if n := testenv.DB(t, dsn).Int("SELECT count(*) FROM pg_namespace WHERE nspname = 'ldapsync'"); n != 0 {
		t.Error("reading made our schema")
	}
}

func TestPrintedMigrationsMakeWhatMigrateMakes(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	s, err := Open(t.Context(), Config{DSN: dsn, Settings: settings()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.pool.Exec(t.Context(), Migrations()); err != nil {
		t.Fatal(err)
	}
	if there, err := s.Migrated(t.Context()); !there || err != nil {
		t.Errorf("migrated: %v, %v", there, err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	testenv.DB(t, dsn).Exec("INSERT INTO ldapsync.migration (version) VALUES (99)")
	newer, err := Open(t.Context(), Config{DSN: dsn, Settings: settings()})
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	if _, err := newer.Migrated(t.Context()); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("%v", err)
	}
}

// Errors of the function inside a transaction aren't the database's.
func TestUpdatePassesErrorsOn(t *testing.T) {
	e := site(t)
	mine := errors.New("mine")
	if err := e.store.Update(t.Context(), func(applier.Tx) error { return mine }); err != mine {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := e.store.Update(ctx, func(tx applier.Tx) error {
		cancel()
		_, err := tx.Links(ctx, "corp", proto.KindUser, []string{"x"})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestALostConnectionPasses(t *testing.T) {
	e := site(t)
	err := e.store.Update(t.Context(), func(w applier.Tx) error {
		e.db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ldapsync' AND datname = current_database()")
		_, err := w.Links(t.Context(), "corp", proto.KindUser, []string{"x"})
		return err
	})
	if class, _ := fault.Of(err); class != fault.Database || fault.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	e.write(proto.KindUser, newUser("ada"))
}
