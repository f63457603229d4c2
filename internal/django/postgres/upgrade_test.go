package postgres

import (
	"testing"

	"ldapsync/callbacks"
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
	if there, err := old.Migrated(t.Context()); there || err != nil {
		t.Errorf("migrated: %v, %v", there, err)
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
