package testenv_test

import (
	"reflect"
	"slices"
	"testing"

	"ldapsync/internal/testenv"
)

// databases are the two kinds that every scenario runs on.
var databases = map[string]func(testing.TB) string{"postgres": testenv.Postgres, "sqlite": testenv.SQLite}

func TestDjangoJudges(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			dsn := open(t)
			testenv.DjangoTables(t, dsn)
			django := testenv.Django(t, dsn)
			if len(django.Users()) != 0 {
				t.Fatal("a new database has users")
			}
			id := django.CreateUser("Ada", "secret", map[string]any{"first_name": "Ada", "email": "ada@example.com"})
			django.CreateGroup("staff", "auth.change_user")
			if django.HasPerm("Ada", "auth.change_user") {
				t.Error("a permission from nowhere")
			}
			django.AddToGroup("Ada", "staff")
			if !django.HasPerm("Ada", "auth.change_user") {
				t.Error("the group's permission isn't the user's")
			}
			ada := django.User("Ada")
			if ada == nil || ada.ID != id || ada.FirstName != "Ada" || !ada.Active || ada.Staff || !ada.UsablePassword ||
				!slices.Equal(ada.Groups, []string{"staff"}) || ada.Fields["email"] != "ada@example.com" {
				t.Errorf("Ada: %+v", ada)
			}
			if !django.CheckPassword("Ada", "secret") || django.CheckPassword("Ada", "wrong") {
				t.Error("check_password")
			}
			if !django.LoginWorks("Ada", "secret") || django.LoginWorks("Ada", "wrong") {
				t.Error("login")
			}
			if complaints := django.AdminUserPage("Ada"); len(complaints) > 0 {
				t.Errorf("admin: %q", complaints)
			}
			after := django.User("Ada")
			ada.Fields, after.Fields = nil, nil // the form cuts the microseconds off times
			if !reflect.DeepEqual(after, ada) {
				t.Errorf("the admin's form changed her: %+v, was %+v", after, ada)
			}
			session := django.Session("Ada")
			if !django.SessionAlive(session) {
				t.Error("the session is dead")
			}
			django.SetActive("Ada", false)
			if django.SessionAlive(session) || django.LoginWorks("Ada", "secret") {
				t.Error("an inactive user is let in")
			}
			django.LogEntry("Ada")
			django.CreateSuperuser("root", "", nil)
			if django.HasUsablePassword("root") || !django.User("root").Superuser {
				t.Errorf("root: %+v", django.User("root"))
			}
			deleted := django.DeleteUser("Ada")
			if deleted["auth.User"] != 1 || deleted["admin.LogEntry"] != 1 || deleted["auth.User_groups"] != 1 {
				t.Errorf("deleted: %v", deleted)
			}
			if complaint := django.Check(); complaint != "" {
				t.Error(complaint)
			}
			if n := testenv.DB(t, dsn).Int("SELECT count(*) FROM auth_user WHERE username = $1", "root"); n != 1 {
				t.Errorf("%d rows of root", n)
			}
		})
	}
}

func TestAdminRefusesAnOddUsername(t *testing.T) {
	dsn := testenv.SQLite(t)
	testenv.DjangoTables(t, dsn)
	django := testenv.Django(t, dsn)
	django.CreateUser("two words", "", nil)
	if complaints := django.AdminUserPage("two words"); len(complaints) != 1 {
		t.Errorf("complaints: %q, want one about the username", complaints)
	}
}

func TestDjangoCustomModel(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			dsn := open(t)
			testenv.DjangoCustom(t, dsn)
			django := testenv.DjangoPeople(t, dsn)
			django.CreateUser("ada", "secret", map[string]any{"employee_number": 7, "full_name": "Ada"})
			django.CreateGroup("staff")
			django.AddToGroup("ada", "staff")
			db := testenv.DB(t, dsn)
			if got := db.Text("SELECT login, full_name, employee_number, email FROM people_person"); got != "ada | Ada | 7 | NULL\n" {
				t.Errorf("people_person: %q", got)
			}
			if n := db.Int("SELECT count(*) FROM people_person_groups g JOIN people_person p ON p.id = g.person_id"); n != 1 {
				t.Errorf("%d memberships", n)
			}
			if len(django.User("ada").ID) != 36 {
				t.Errorf("the key isn't a uuid: %q", django.User("ada").ID)
			}
			django.DeleteUser("ada")
		})
	}
}

func TestDatabasesAreSeparate(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			one, two := open(t), open(t)
			testenv.DjangoTables(t, one)
			testenv.DjangoTables(t, two)
			testenv.Django(t, one).CreateUser("ada", "", nil)
			testenv.DjangoTables(t, one) // migrated again: nothing to do
			if n := len(testenv.Django(t, two).Users()); n != 0 {
				t.Errorf("%d users in the other database", n)
			}
			if n := len(testenv.Django(t, one).Users()); n != 1 {
				t.Errorf("%d users, want 1", n)
			}
		})
	}
}
