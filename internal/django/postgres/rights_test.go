package postgres

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// least gives a new role no rights and returns how it connects.
func (e *env) least() (role, dsn string) {
	e.Helper()
	role = "least_" + strings.ToLower(e.db.Text("SELECT current_database()"))
	role = strings.TrimSpace(role)
	e.db.Exec("CREATE ROLE " + role + " LOGIN")
	e.Cleanup(func() { e.db.Exec("DROP OWNED BY " + role); e.db.Exec("DROP ROLE " + role) })
	return role, with(e.T, e.dsn, func(u *url.URL, _ url.Values) { u.User = url.User(role) })
}

func TestGrantsAreEnough(t *testing.T) {
	e := site(t)
	role, dsn := e.least()
	for _, statement := range strings.Split(strings.TrimSpace(e.store.Grants(role)), "\n") {
		e.db.Exec(statement)
	}
	cfg := Config{DSN: dsn, Settings: settings()}
	found, err := Inspect(t.Context(), cfg)
	if err != nil || len(found) > 0 {
		t.Fatalf("%v, %v", found, err)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	least := &env{T: t, dsn: dsn, db: e.db, store: s}
	g := least.write(proto.KindGroup, newGroup("staff"))
	u := newUser("ada")
	u.Join = []string{g[0].PK}
	made := least.write(proto.KindUser, u, newUser("bob"))
	least.write(proto.KindUser, renamed(made[0], "bob"), renamed(made[1], "ada"))
	if err := s.Hurry(t.Context(), func(update applier.Updater) error { return least.writeBy(update, "cleo") }); err != nil {
		t.Error(err)
	}
	leaver := made[0]
	l := *leaver.Link
	l.State, l.GoneSequence = applier.Gone, 9
	least.write(proto.KindUser, applier.Change{Action: applier.Remove, Source: "corp", ID: leaver.ID, Link: &l})
	results, err := s.Deactivate(t.Context(), []callbacks.Account{{Key: callbacks.Key{Source: "corp", ID: leaver.ID}, PK: leaver.PK, GoneSequence: 9}})
	if err != nil || results[0].Outcome != callbacks.Deactivated {
		t.Errorf("%v, %v", results, err)
	}
	e.db.Exec("INSERT INTO auth_user_groups (user_id, group_id) VALUES (" + made[1].PK + ", " + g[0].PK + ")")
	e.profile(s, made[1].ID, "staff")
	cfg.Settings.Groups = django.Groups{Skip: true}
	e.db.Exec("REVOKE ALL ON auth_user_groups FROM " + role) // as where nobody writes there
	for _, err := range s.Orphans(t.Context()) {
		if err != nil {
			t.Error(err)
		}
	}
	if s, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e.profile(s, made[1].ID)
	e.wantText("false | false | false", `SELECT has_column_privilege('`+role+`', 'auth_user', 'password', 'SELECT'), has_column_privilege('`+role+
		`', 'auth_user', 'password', 'UPDATE'), has_column_privilege('`+role+`', 'auth_user', 'is_superuser', 'UPDATE')`)
}

// profile checks which groups a store tells of a user.
func (e *env) profile(s *Store, id string, groups ...string) {
	e.Helper()
	got, err := s.Profiles(e.Context(), "corp", proto.KindUser, []string{id})
	if err != nil || len(got) != 1 || !slices.Equal(got[0].Groups, groups) {
		e.Errorf("%+v, %v, wanted the groups %q", got, err, groups)
	}
}

func TestMissingRightsComeWithTheirGrant(t *testing.T) {
	e := site(t)
	role, dsn := e.least()
	cfg := Config{DSN: dsn, Settings: settings()}
	_, err := Inspect(t.Context(), cfg)
	if _, hint := fault.Of(err); err == nil || !strings.Contains(hint, "GRANT USAGE ON SCHEMA ldapsync TO") {
		t.Fatalf("%v, hint %q", err, hint)
	}
	e.db.Exec("GRANT USAGE ON SCHEMA ldapsync TO " + role)
	e.db.Exec("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ldapsync TO " + role)
	// What a finding hints at is all that it takes.
	for range 20 {
		found, err := Inspect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		_, grant, ok := strings.Cut(found[0].Hint, "run: ")
		if !ok {
			t.Fatalf("%+v", found)
		}
		e.db.Exec(grant)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	least := &env{T: t, dsn: dsn, db: e.db, store: s}
	least.write(proto.KindUser, newUser("ada"))
	e.db.Exec("REVOKE INSERT ON auth_user FROM " + role)
	e.db.Exec("REVOKE ALL ON auth_user FROM " + role)
	err = s.Update(t.Context(), func(tx applier.Tx) error {
		return tx.Write(t.Context(), proto.KindUser, []applier.Change{newUser("bob")})
	})
	class, hint := fault.Of(err)
	if class != fault.Database || !fault.IsPermanent(err) || !strings.Contains(hint, "GRANT") || !strings.Contains(hint, "auth_user") {
		t.Errorf("%v, hint %q", err, hint)
	}
}

func TestMigrateWithoutTheRightToCreate(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	e := &env{T: t, dsn: dsn, db: testenv.DB(t, dsn)}
	_, least := e.least()
	s, err := Open(t.Context(), Config{DSN: least, Settings: settings()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Migrate(t.Context())
	if _, hint := fault.Of(err); !strings.Contains(hint, "migrate --print") || !fault.IsPermanent(err) {
		t.Errorf("%v, hint %q", err, hint)
	}
}
