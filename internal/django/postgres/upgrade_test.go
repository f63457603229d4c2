package postgres

import (
	"errors"
	"testing"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
)

// A target that an earlier version made keeps what it knows.
func TestTablesOfTheFirstVersionAreBroughtUp(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	db := testenv.DB(t, dsn)
	db.Exec(migrations()[0])
	db.Exec("INSERT INTO ldapsync.checkpoint VALUES ('corp', 's1', 7, 'm', 'live')")
	db.Exec(`INSERT INTO ldapsync.link VALUES ('corp', 'user', 'ada', '1', 'cn=ada', 'ada', 'gone', 5, 'not found', '\x00', 'm', 5, 'created', NULL, 'sync', now()),
		('corp', 'user', 'bob', '2', 'cn=bob', 'bob', 'present', 0, '', '\x00', 'm', 5, 'adopted', NULL, '', NULL)`)
	old, err := Open(t.Context(), Config{DSN: dsn, Settings: settings()})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	for what, err := range map[string]error{
		"migrated": second(old.Migrated(t.Context())), "find": second(old.Find(t.Context(), callbacks.FindQuery{})),
		"view": old.View(t.Context(), func(applier.Reader) error { return nil }), "checkpoint": second(old.Checkpoint(t.Context(), "corp")),
	} {
		if _, hint := fault.Of(err); !errors.Is(err, django.ErrOutdated) || hint != "ldapsync migrate" {
			t.Errorf("%s: %v (hint %q)", what, err, hint)
		}
	}
	e := open(t, dsn, settings())
	found, err := e.store.Find(t.Context(), callbacks.FindQuery{})
	if err != nil || len(found) != 1 || found[0].ID != "ada" || found[0].DeactivatedBy != "sync" || found[0].RestoredBy != "" {
		t.Errorf("%+v, %v", found, err)
	}
	if n, err := e.store.Position(t.Context(), "corp"); n != 7 || err != nil {
		t.Errorf("position %d, %v", n, err)
	}
	e.wantText("2 | 3", "SELECT count(*), (SELECT max(version) FROM ldapsync.migration) FROM ldapsync.link")
}

// second is the error of a call that returns something beside it.
func second[T any](_ T, err error) error { return err }
