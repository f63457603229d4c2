package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// seen counts how often each thing came.
type seen map[string]int

func (s seen) VisitLink(l *applier.Link)                    { s["link "+l.ID]++ }
func (s seen) VisitLetter(kind proto.Kind, id string)       { s["letter "+id]++ }
func (s seen) VisitRow(kind proto.Kind, pk string, _ []any) { s["row "+string(kind)+pk]++ }
func (s seen) VisitMembership(user, group string)           { s["member "+user+" "+group]++ }

func TestAScanInManyTransactionsMissesNothing(t *testing.T) {
	dsn := testenv.SQLite(t)
	testenv.DjangoTables(t, dsn)
	path, _ := testenv.SQLitePath(dsn)
	s, err := Open(t.Context(), Config{Path: path, Settings: django.Settings{Groups: django.Groups{Membership: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 1500 // with keys below 0 among them
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
	for _, statement := range []string{
		`INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
			` + numbers + `SELECT i - 700, '', 0, 'u' || i, '', '', '', 0, 1, '2026-01-01 00:00:00' FROM n`,
		`INSERT INTO auth_group (id, name) ` + numbers + `SELECT i, 'g' || i FROM n`,
		`INSERT INTO auth_user_groups (user_id, group_id) ` + numbers + `SELECT i - 700, i FROM n`,
		`INSERT INTO ldapsync_link (source, kind, id, pk, dn, name, state, digest, mapping, seq, how)
			` + numbers + `SELECT 'corp', 'user', 'u' || i, i - 700, '', 'u' || i, 'present', zeroblob(16), 'm', 1, 'created' FROM n`,
	} {
		if _, err := db.Exec(statement, n); err != nil {
			t.Fatal(err)
		}
	}
	o := seen{}
	q := applier.ScanQuery{Source: "corp", Kinds: []proto.Kind{proto.KindGroup, proto.KindUser}, Memberships: true}
	if err := s.scan(t.Context(), q, o, 0); err != nil {
		t.Fatal(err)
	}
	if len(o) != 4*n {
		t.Errorf("%d of %d seen", len(o), 4*n)
	}
	for what, times := range o {
		if times != 1 {
			t.Fatalf("%s came %d times", what, times)
		}
	}
}
