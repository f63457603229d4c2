package sqlite_test

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
)

// A target that an earlier version made keeps what it knows.
func TestTablesOfTheFirstVersionAreBroughtUp(t *testing.T) {
	path := fresh(t)
	db := raw(t, path)
	first, _, ok := strings.Cut(sqlite.Migrations(), "\n-- 0002")
	if !ok {
		t.Fatal("there is no second version")
	}
	exec(t, db, first+"COMMIT;")
	exec(t, db, `INSERT INTO ldapsync_checkpoint VALUES ('corp', 's1', 7, 'm', 'live')`)
	exec(t, db, `INSERT INTO ldapsync_link VALUES
		('corp', 'user', 'ada', '1', 'cn=ada', 'ada', 'gone', 5, 'not found', zeroblob(16), 'm', 5, 'created', NULL, 'sync', '2026-01-02 03:04:05.000000'),
		('corp', 'user', 'bob', '2', 'cn=bob', 'bob', 'present', 0, '', zeroblob(16), 'm', 5, 'adopted', 1, '', NULL)`)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	for what, err := range map[string]error{
		"migrated": second(s.Migrated(t.Context())), "find": second(s.Find(t.Context(), callbacks.FindQuery{})),
		"view": s.View(t.Context(), func(applier.Reader) error { return nil }), "checkpoint": second(s.Checkpoint(t.Context(), "corp")),
	} {
		if _, hint := fault.Of(err); !errors.Is(err, django.ErrOutdated) || hint != "ldapsync migrate" {
			t.Errorf("%s: %v (hint %q)", what, err, hint)
		}
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := s.Find(t.Context(), callbacks.FindQuery{})
	if err != nil || len(found) != 1 || found[0].ID != "ada" || found[0].DeactivatedBy != "sync" || found[0].DeactivatedAt.Year() != 2026 {
		t.Errorf("%+v, %v", found, err)
	}
	if n, err := s.Position(t.Context(), "corp"); n != 7 || err != nil {
		t.Errorf("position %d, %v", n, err)
	}
	if got := testenv.DB(t, path).Text(`SELECT count(*), sum(active_written) FROM ldapsync_link`); strings.TrimSpace(got) != "2 | 1" {
		t.Errorf("links: %s", got)
	}
	if n := testenv.DB(t, path).Int(`SELECT count(*) FROM sqlite_master WHERE name LIKE 'ldapsync_link_%'`); n != 3 {
		t.Errorf("%d indexes", n)
	}
}

// second is the error of a call that returns something beside it.
func second[T any](_ T, err error) error { return err }
