package testenv_test

import (
	"database/sql"
	"strings"
	"testing"

	"ldapsync/internal/testenv"
)

// What describes a schema to the last index, and the rows that migrations leave.
const schema = `
	SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default, is_identity)
	FROM information_schema.columns WHERE table_schema = 'public'
	UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
	UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
	UNION ALL SELECT 'sequence', sequencename, concat_ws(' ', data_type, last_value) FROM pg_sequences
	UNION ALL SELECT 'serial', sequencename, pg_get_serial_sequence(replace(sequencename, '_id_seq', ''), 'id') FROM pg_sequences
	UNION ALL SELECT 'permission', codename, content_type_id::text FROM auth_permission
	UNION ALL SELECT 'content type', app_label, model FROM django_content_type
	UNION ALL SELECT 'migration', app, name FROM django_migrations
	ORDER BY 1, 2, 3`

// The copy that tests get is what the migrations make, in every detail.
func TestTheCopyIsWhatMigrationsMake(t *testing.T) {
	copied, migrated := testenv.Postgres(t), testenv.Postgres(t)
	testenv.DjangoTables(t, copied)
	db := testenv.DB(t, migrated)
	db.Exec("CREATE TABLE in_the_way (id int)") // a database that isn't empty gets no copy
	testenv.DjangoTables(t, migrated)
	db.Exec("DROP TABLE in_the_way")
	got, want := testenv.DB(t, copied).Text(schema), db.Text(schema)
	if got != want {
		t.Errorf("copied:\n%s\nmigrated:\n%s", got, want)
	}
	if strings.Count(want, "\n") < 100 {
		t.Errorf("too little to compare:\n%s", want)
	}
}

func TestOneRoleNeedsAPassword(t *testing.T) {
	dsn := testenv.Postgres(t)
	db := testenv.DB(t, dsn)
	db.Exec("CREATE ROLE " + testenv.NeedsPassword + " LOGIN PASSWORD 'right'")
	t.Cleanup(func() { db.Exec("DROP ROLE " + testenv.NeedsPassword) })
	for password, works := range map[string]bool{"right": true, "wrong": false} {
		conn, err := sql.Open("pgx", strings.Replace(dsn, "postgres@", testenv.NeedsPassword+":"+password+"@", 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(); (err == nil) != works {
			t.Errorf("%s: %v", password, err)
		}
		conn.Close()
	}
}
