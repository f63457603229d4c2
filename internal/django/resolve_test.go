package django

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func key(name string) Column { return Column{Name: name, Type: Int, HasDefault: true} }

// catalog is what Django's own migrations make, with the users' table under another name where one is given.
func catalog(users string) Catalog {
	text := func(name string, n int) Column {
		return Column{Name: name, Type: Text, MaxLength: n, Declared: "varchar"}
	}
	flag := func(name string) Column { return Column{Name: name, Type: Bool, Declared: "boolean"} }
	username, group := text("username", 150), text("name", 150)
	username.Unique, group.Unique = true, true
	join := func(name, left, right string) Relation {
		return Relation{Name: name, Columns: []Column{key("id"), {Name: "l_id", Type: Int}, {Name: "r_id", Type: Int}}, PrimaryKey: []string{"id"},
			References: []Reference{{"l_id", "", left, "id"}, {"r_id", "", right, "id"}}}
	}
	return Catalog{
		{Name: users, PrimaryKey: []string{"id"}, Columns: []Column{key("id"), text("password", 128), {Name: "last_login", Type: Timestamp, Nullable: true},
			flag("is_superuser"), username, text("first_name", 150), text("last_name", 150), text("email", 254), flag("is_staff"), flag("is_active"),
			{Name: "date_joined", Type: Timestamp}}},
		{Name: "auth_group", PrimaryKey: []string{"id"}, Columns: []Column{key("id"), group}},
		{Name: "auth_permission", PrimaryKey: []string{"id"}, Columns: []Column{key("id")}},
		join(users+"_groups", users, "auth_group"),
		join(users+"_user_permissions", users, "auth_permission"),
		join("auth_group_permissions", "auth_group", "auth_permission"),
		{Name: "django_admin_log", PrimaryKey: []string{"id"}, Columns: []Column{key("id"), {Name: "user_id", Type: Int}},
			References: []Reference{{"user_id", "", users, "id"}}},
	}
}

func mapped() Settings {
	return Settings{Users: Users{Columns: []string{"is_active", "last_name", "email"}}, Groups: Groups{Membership: true}}
}

func TestResolveFindsDjangosTables(t *testing.T) {
	for _, name := range []string{"auth_user", "staff_person"} {
		m, found := Resolve(catalog(name), mapped())
		if len(found) > 0 {
			t.Fatalf("%s: %v", name, found)
		}
		if got := m.Users.ColumnNames(); !slices.Equal(got, []string{"username", "last_name", "email", "is_active"}) || m.Users.ActiveColumn() != 3 {
			t.Errorf("columns %v, active %d", got, m.Users.ActiveColumn())
		}
		if m.Users.Name != name || m.Users.Staff != "is_staff" || m.Users.Superuser != "is_superuser" || m.Groups.Name != "auth_group" {
			t.Errorf("users %+v groups %+v", m.Users, m.Groups)
		}
		if m.Membership == nil || m.Membership.Name != name+"_groups" || m.Membership.User != "l_id" || m.Membership.Group != "r_id" {
			t.Errorf("membership %+v", m.Membership)
		}
		if len(m.Own) != 2 || m.Own[0].Name != name+"_user_permissions" || m.Own[1].Name != "django_admin_log" || len(m.GroupOwn) != 1 {
			t.Errorf("own %v, of groups %v", m.Own, m.GroupOwn)
		}
	}
}

func TestNewRowsAreFilled(t *testing.T) {
	m, _ := Resolve(catalog("auth_user"), Settings{Users: Users{Columns: []string{"email"}, Active: "is_active", Defaults: map[string]string{"last_name": "?"}}})
	now := time.Date(2026, 1, 2, 3, 4, 5, 6007, time.FixedZone("", 3600))
	got := map[string]any{}
	for _, f := range m.Users.Fillers() {
		got[f.Column.Name] = f.Value(now)
	}
	if p, _ := got["password"].(string); !strings.HasPrefix(p, "!") {
		t.Errorf("password %q", p)
	}
	delete(got, "password")
	want := map[string]any{"is_superuser": false, "is_staff": false, "first_name": "", "last_name": "?", "date_joined": now.UTC().Truncate(time.Microsecond)}
	if len(got) != len(want) {
		t.Errorf("filled %v", got)
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s = %v, want %v", name, got[name], v)
		}
	}
	if v, ok := m.Users.Usual(m.Users.ActiveColumn(), now); !ok || v != true {
		t.Errorf("a new user's is_active is %v, %v", v, ok)
	}
}

func TestResolveRefuses(t *testing.T) {
	change := func(f func(c Catalog) Catalog) Catalog { return f(catalog("auth_user")) }
	for _, c := range []struct {
		what, hint string
		catalog    Catalog
		settings   Settings
	}{
		{"no Django tables", "manage.py migrate", Catalog{}, mapped()},
		{"there is no table auth_usr", "did you mean auth_user?", catalog("auth_user"), Settings{Users: Users{Table: "auth_usr"}}},
		{"which table holds the users: auth_user2", "users.table", change(func(c Catalog) Catalog { c[0].Name = "auth_user2"; return c[:1] }), mapped()},
		{"no column emial", "did you mean email?", catalog("auth_user"), Settings{Users: Users{Columns: []string{"emial"}}}},
		{"no column nick", "users.username_field", catalog("auth_user"), Settings{Users: Users{UsernameField: "nick"}}},
		{"auth_user.email isn't unique", "users.username_field", catalog("auth_user"), Settings{Users: Users{UsernameField: "email"}}},
		{"a password is never", "leave it out", catalog("auth_user"), Settings{Users: Users{Columns: []string{"password"}}}},
		{"primary key", "leave it out", catalog("auth_user"), Settings{Users: Users{Columns: []string{"id"}}}},
		{"auth_user.shoe (int) is NOT NULL", "users.defaults.shoe", change(func(c Catalog) Catalog {
			c[0].Columns = append(c[0].Columns, Column{Name: "shoe", Type: Int, Declared: "int"})
			return c
		}), mapped()},
		{"auth_user.email", "it is unique", change(func(c Catalog) Catalog { c[0].Column("email").Unique = true; return c }), Settings{}},
		{"users.defaults: shoe: isn't an integer", "users.defaults", change(func(c Catalog) Catalog {
			c[0].Columns = append(c[0].Columns, Column{Name: "shoe", Type: Int, Declared: "int"})
			return c
		}), Settings{Users: Users{Defaults: map[string]string{"shoe": "big"}}}},
		{"auth_user.is_staff is of type smallint, not boolean", "users.columns.staff", change(func(c Catalog) Catalog {
			*c[0].Column("is_staff") = Column{Name: "is_staff", Type: Int, Declared: "smallint"}
			return c
		}), mapped()},
		{"auth_user.email is of type varchar, not boolean", "users.columns.active", catalog("auth_user"), Settings{Users: Users{Active: "email"}}},
		{"no column enabled", "users.columns.active", catalog("auth_user"), Settings{Users: Users{Active: "enabled"}}},
		{"no table joins", "membership: false", change(func(c Catalog) Catalog { return slices.Delete(c, 3, 4) }), mapped()},
		{"no table auth_group", "manage.py migrate", change(func(c Catalog) Catalog { return slices.Delete(c, 1, 2) }), mapped()},
	} {
		_, found := Resolve(c.catalog, c.settings)
		ok := slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.What, c.what) && strings.Contains(f.Hint, c.hint) })
		if !ok {
			t.Errorf("%s: got %+v", c.what, found)
		}
	}
}

func TestSkippedStepsAreNotJudged(t *testing.T) {
	c := catalog("auth_user")[:1]
	c[0].Columns = append(c[0].Columns, Column{Name: "shoe", Type: Int})
	m, found := Resolve(c, Settings{Users: Users{Skip: true}, Groups: Groups{Skip: true}})
	if m == nil || m.Groups != nil || m.Membership != nil || len(found) > 0 {
		t.Errorf("%+v, %v", m, found)
	}
}
