package sqlite_test

import (
	"strings"
	"testing"

	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
)

// A key of several columns never tells which rows are somebody's: it stands in the way, and no rule deletes by one of its columns.
func TestAKeyOfSeveralColumnsStandsInTheWay(t *testing.T) {
	path := fresh(t)
	db := raw(t, path)
	exec(t, db, `ALTER TABLE auth_user ADD COLUMN tenant integer NOT NULL DEFAULT 1`)
	exec(t, db, `CREATE UNIQUE INDEX tenants ON auth_user (tenant, id)`)
	exec(t, db, `CREATE TABLE visit (tenant integer, guest integer, FOREIGN KEY (tenant, guest) REFERENCES auth_user (tenant, id))`)
	settings := storetest.Settings()
	settings.References = map[string]string{"visit.tenant": "cascade"}
	if _, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Settings: settings}); err == nil || !strings.Contains(err.Error(), "key of several") {
		t.Errorf("opened: %v", err)
	}
}
