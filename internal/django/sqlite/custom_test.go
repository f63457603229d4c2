package sqlite_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// A model of the project's own: its key is a UUID, its name column is called login.
func customSettings() django.Settings {
	return django.Settings{
		Users: django.Users{
			Table: "people_person", UsernameField: "login", Columns: []string{"email", "full_name", "employee_number", "last_login"},
		},
		Groups: django.Groups{Membership: true},
	}
}

func create(kind proto.Kind, id string, values ...any) applier.Change {
	return applier.Change{
		Action: applier.Create, Source: "corp", ID: id, Values: values, Name: values[0].(string),
		Link: &applier.Link{
			Source: "corp", Kind: kind, ID: id, Name: applier.Fold(values[0].(string)), State: applier.Present, How: applier.Created,
		},
	}
}

func write(t *testing.T, s *sqlite.Store, kind proto.Kind, changes ...applier.Change) []applier.Change {
	t.Helper()
	if err := s.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), kind, changes) }); err != nil {
		t.Fatal(err)
	}
	return changes
}

func TestAModelWithAUUID(t *testing.T) {
	ctx := t.Context()
	dsn := testenv.SQLite(t)
	testenv.DjangoCustom(t, dsn)
	path, _ := testenv.SQLitePath(dsn)
	s := open(t, sqlite.Config{Path: path, Settings: customSettings()})
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	judge := testenv.DjangoPeople(t, dsn)
	judge.CreateUser("Grace", "secret", map[string]any{"employee_number": 1})

	group := write(t, s, proto.KindGroup, create(proto.KindGroup, "g", "staff"))[0]
	login := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ada := create(proto.KindUser, "1", "Ada", nil, "Ada L.", int64(7), login, true)
	ada.Join = []string{group.PK}
	ada.Pending = []string{"later"}
	ada = write(t, s, proto.KindUser, ada, create(proto.KindUser, "2", "bob", "bob@x", "", int64(8), nil, true))[0]
	if canonical, err := django.ParseUUID(ada.PK); err != nil || canonical != ada.PK {
		t.Errorf("pk %q: %v", ada.PK, err)
	}
	write(t, s, proto.KindGroup, create(proto.KindGroup, "later", "later"))

	u := judge.User("Ada")
	if u.UsablePassword || !u.Active || !slices.Equal(u.Groups, []string{"later", "staff"}) || u.Fields["email"] != nil ||
		u.Fields["last_login"] != "2026-01-02T03:04:05+00:00" || !strings.EqualFold(u.ID, ada.PK) {
		t.Errorf("Django reads %+v", u)
	}
	err := s.View(ctx, func(r applier.Reader) error {
		rows, err := r.Named(ctx, proto.KindUser, []string{"ada", "grace"})
		if err != nil || len(rows) != 2 {
			t.Errorf("named: %v, %v", rows, err)
		}
		rows, err = r.Rows(ctx, proto.KindUser, []string{ada.PK, "no uuid"})
		if err != nil || len(rows) != 1 || !slices.Equal(rows[0].Values, ada.Values) {
			t.Errorf("rows: %v, %v", rows, err)
		}
		members, err := r.Memberships(ctx, "corp", []string{ada.PK})
		if len(members) != 2 || members[0].User != ada.PK {
			t.Errorf("memberships: %v, %v", members, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	gone := *ada.Link
	gone.State, gone.GoneSequence = applier.Gone, 5
	write(t, s, proto.KindUser, applier.Change{Action: applier.Remove, Source: "corp", ID: "1", PK: ada.PK, Link: &gone})
	due, err := s.Due(ctx, callbacks.DueQuery{Callback: callbacks.Deactivate, Now: time.Now(), Limit: 10})
	if err != nil || len(due) != 1 || due[0].Username != "Ada" {
		t.Fatalf("due: %+v, %v", due, err)
	}
	if r, err := s.Deactivate(ctx, due); err != nil || r[0].Outcome != callbacks.Deactivated || judge.User("Ada").Active {
		t.Errorf("deactivate: %+v, %v", r, err)
	}
	if r, err := s.Delete(ctx, due, 0); err != nil || r[0].Outcome != callbacks.Removed || judge.User("Ada") != nil {
		t.Errorf("delete: %+v, %v", r, err)
	}
	if bob := judge.User("bob"); bob == nil || bob.Fields["email"] != "bob@x" {
		t.Errorf("bob: %+v", bob)
	}
}

// What Django wrote reads as Convert gives it, and what we wrote Django finds by its value.
func TestDjangoAndWeReadEachOther(t *testing.T) {
	dsn := testenv.SQLite(t)
	testenv.DjangoTables(t, dsn)
	path, _ := testenv.SQLitePath(dsn)
	judge := testenv.Django(t, dsn)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, login := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC),
	} {
		stamp := login.Format("2006-01-02T15:04:05.999999-07:00")
		pk := judge.CreateUser("django"+stamp, "secret", map[string]any{"last_login": stamp, "is_staff": true})
		ours := write(t, s, proto.KindUser, create(proto.KindUser, stamp, "ours"+stamp, "", "", "", true, login, false))[0]
		err := s.View(t.Context(), func(r applier.Reader) error {
			rows, err := r.Rows(t.Context(), proto.KindUser, []string{pk})
			if len(rows) != 1 || !slices.Equal(rows[0].Values[4:], []any{true, login, true}) {
				t.Errorf("Django's row: %+v", rows)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if u := judge.User(ours.Name); u == nil || u.Fields["last_login"] != stamp || u.Active || !u.Staff || u.UsablePassword {
			t.Errorf("our row: %+v", u)
		}
		same := testenv.DB(t, dsn).Int("SELECT count(DISTINCT last_login) FROM auth_user WHERE username IN ($1, $2)", "django"+stamp, ours.Name)
		if same != 1 {
			t.Errorf("%s: we and Django write different texts", stamp)
		}
	}
}
