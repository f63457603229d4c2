package postgres

import (
	"strings"
	"testing"

	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

func TestTablesOutsideTheSearchPath(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	db := testenv.DB(t, dsn)
	db.Exec("CREATE SCHEMA crm")
	db.Exec("ALTER TABLE auth_user SET SCHEMA crm")
	s := settings()
	if _, err := Open(t.Context(), Config{DSN: dsn, Settings: s}); err == nil {
		t.Error("opened")
	}
	s.Users.Table = "crm.auth_user"
	e := open(t, dsn, s)
	g := e.write(proto.KindGroup, newGroup("staff"))
	u := newUser("ada")
	u.Join = []string{g[0].PK}
	e.write(proto.KindUser, u)
	e.wantText("1 | 1", "SELECT (SELECT count(*) FROM crm.auth_user), (SELECT count(*) FROM auth_user_groups)")
}

func TestTheSearchPathIsNamed(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	db := testenv.DB(t, dsn)
	db.Exec("ALTER SCHEMA public RENAME TO site")
	db.Exec("CREATE SCHEMA public")
	_, err := Open(t.Context(), Config{DSN: dsn, Settings: settings()})
	if _, hint := fault.Of(err); err == nil || !strings.Contains(hint, "schemas public") || !strings.Contains(hint, "search_path") {
		t.Errorf("%v, hint %q", err, hint)
	}
	s, err := Open(t.Context(), Config{DSN: dsn + "&search_path=site", Settings: django.Settings{Groups: django.Groups{Membership: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Users().String() != "site.auth_user" {
		t.Errorf("users are in %s", s.Users())
	}
}
