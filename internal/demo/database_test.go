package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ldapsync/internal/demo"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
)

// schema tells everything that SQLite knows of a database's tables, in a form that says neither how their SQL was laid out nor in which
// order they were made.
func schema(t *testing.T, path string) string {
	t.Helper()
	db := testenv.DB(t, path)
	var b strings.Builder
	for _, row := range db.Rows(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		table := row[0].(string)
		b.WriteString("\n" + table + "\n")
		b.WriteString(db.Text(`SELECT cid, name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo($1) ORDER BY cid`, table))
		b.WriteString(db.Text(`SELECT l.name, l."unique", l.origin, l.partial, i.seqno, i.name, i."desc", i.coll
			FROM pragma_index_list($1) l, pragma_index_xinfo(l.name) i ORDER BY l.name, i.seqno`, table))
		b.WriteString(db.Text(`SELECT "table", "from", "to", on_update, on_delete, match FROM pragma_foreign_key_list($1) ORDER BY "from"`, table))
		// What the pragmas don't tell stands in the text: AUTOINCREMENT, CHECK, DEFERRABLE.
		b.WriteString(strings.ReplaceAll(strings.Join(strings.Fields(db.Text(`SELECT sql FROM sqlite_master WHERE name = $1`, table)), " "), "( ", "(") + "\n")
	}
	return strings.ReplaceAll(b.String(), " )", ")")
}

// content tells all rows of a database.
func content(t *testing.T, path string) string {
	t.Helper()
	db := testenv.DB(t, path)
	var b strings.Builder
	for _, row := range db.Rows(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		b.WriteString(row[0].(string) + "\n" + db.Text(`SELECT * FROM "`+row[0].(string)+`" ORDER BY 1, 2`))
	}
	return b.String()
}

func create(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "demo.sqlite3")
	must(t, demo.CreateDatabase(t.Context(), path))
	return path
}

func TestTheTablesAreDjangos(t *testing.T) {
	ours, theirs := create(t), filepath.Join(t.TempDir(), "django.sqlite3")
	testenv.DjangoTables(t, theirs)
	if got, want := schema(t, ours), schema(t, theirs); got != want {
		t.Errorf("the demo's tables:\n%s\nDjango's:\n%s", got, want)
	}
	for _, rows := range []string{
		`SELECT id, app, name FROM django_migrations ORDER BY id`,
		`SELECT * FROM django_content_type ORDER BY id`,
		`SELECT * FROM auth_permission ORDER BY id`,
	} {
		if got, want := testenv.DB(t, ours).Text(rows), testenv.DB(t, theirs).Text(rows); got != want {
			t.Errorf("%s\nours:\n%s\nDjango's:\n%s", rows, got, want)
		}
	}
}

func TestDjangoFindsNothingToMigrate(t *testing.T) {
	path := create(t)
	before := content(t, path)
	testenv.DjangoTables(t, path)
	if after := content(t, path); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestDjangoWorksOnTheTables(t *testing.T) {
	django := testenv.Django(t, create(t))
	django.CreateSuperuser("boss", "not so secret", nil)
	django.CreateUser("ada", "also known", map[string]any{"first_name": "Ada"})
	django.CreateGroup("team-optics", "auth.view_user")
	django.AddToGroup("ada", "team-optics")
	if !django.LoginWorks("ada", "also known") || !django.HasPerm("ada", "auth.view_user") {
		t.Error("ada can't log in, or lacks her group's permission")
	}
	django.LogEntry("ada")
	django.Session("ada")
	django.DeleteUser("ada")
}

func TestAFileThatIsThereIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine")
	must(t, os.WriteFile(path, []byte("mine"), 0o600))
	err := demo.CreateDatabase(t.Context(), path)
	if class, hint := fault.Of(err); class != fault.Database || hint == "" || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file holds %q now", b)
	}
}

func TestADatabaseThatIsntFinishedIsRemoved(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := demo.CreateDatabase(ctx, filepath.Join(dir, "demo.sqlite3")); err == nil {
		t.Error("a cancelled context made a database")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "50% of? #1 é.sqlite3")
	must(t, demo.CreateDatabase(t.Context(), path))
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}
