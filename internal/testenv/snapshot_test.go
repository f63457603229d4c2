package testenv_test

import (
	"database/sql"
	"strings"
	"testing"

	"ldapsync/internal/testenv"
)

func TestWritesSeesEveryWrite(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			dsn := open(t)
			testenv.DjangoTables(t, dsn)
			testenv.Django(t, dsn).CreateUser("ada", "", nil)
			db := testenv.DB(t, dsn)
			for _, statement := range []string{
				map[string]string{
					"postgres": "UPDATE auth_user SET first_name = first_name", // a row is written, though it looks the same
					"sqlite":   "UPDATE auth_user SET first_name = 'Ada'",      // SQLite leaves a page alone that stays the same
				}[name],
				"INSERT INTO auth_group (name) VALUES ('staff')",
				"DELETE FROM auth_user",
			} {
				before := testenv.Writes(t, dsn)
				db.Rows("SELECT * FROM auth_user")
				if wrote := testenv.Writes(t, dsn).Since(before); wrote != "" {
					t.Fatalf("reading wrote: %s", wrote)
				}
				db.Exec(statement)
				if testenv.Writes(t, dsn).Since(before) == "" {
					t.Errorf("%s: not seen", statement)
				}
			}
		})
	}
}

func TestWritesSeesAnIDThatIsBurnt(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	before := testenv.Writes(t, dsn)
	testenv.DB(t, dsn).Rows("SELECT nextval('auth_user_id_seq')")
	if wrote := testenv.Writes(t, dsn).Since(before); !strings.Contains(wrote, "auth_user_id_seq") {
		t.Errorf("wrote %q, want the sequence", wrote)
	}
}

// A pool that keeps its sessions open would report its writes up to ten seconds late.
func TestWritesEndsIdleSessions(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	write := func() {
		t.Helper()
		if _, err := pool.Exec("INSERT INTO auth_group (name) VALUES ('g' || random())"); err != nil {
			t.Fatal(err)
		}
	}
	write()
	before := testenv.Writes(t, dsn)
	write()
	write()
	if wrote := testenv.Writes(t, dsn).Since(before); !strings.Contains(wrote, "public.auth_group: 3 inserted") {
		t.Errorf("wrote %q, want 3 rows of auth_group", wrote)
	}
}
