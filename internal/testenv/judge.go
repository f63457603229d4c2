package testenv

import (
	"testing"
)

// Judge lets Django itself look at a database, and act on it as an application would.
type Judge struct {
	t      testing.TB
	dsn    string
	worker *worker
}

// Django returns Django on a database that has the tables of [DjangoTables].
func Django(t testing.TB, dsn string) *Judge {
	t.Helper()
	return judge(t, dsn, false)
}

// DjangoPeople returns Django on a database that has the tables of [DjangoCustom].
func DjangoPeople(t testing.TB, dsn string) *Judge {
	t.Helper()
	return judge(t, dsn, true)
}

func judge(t testing.TB, dsn string, custom bool) *Judge {
	t.Helper()
	w, err := djangoWorker(custom)
	if err != nil {
		t.Fatalf("Django: %v", err)
	}
	if path, ok := SQLitePath(dsn); ok {
		dsn = "sqlite:///" + path
	}
	return &Judge{t: t, dsn: dsn, worker: w}
}

// User is a user as Django's ORM reads her.
type User struct {
	ID             string         `json:"id"` // the primary key as text
	Username       string         `json:"username"`
	FirstName      string         `json:"first_name"`
	LastName       string         `json:"last_name"`
	Email          string         `json:"email"`
	Active         bool           `json:"active"`
	Staff          bool           `json:"staff"`
	Superuser      bool           `json:"superuser"`
	UsablePassword bool           `json:"usable_password"`
	Groups         []string       `json:"groups"`      // names, sorted
	Permissions    []string       `json:"permissions"` // through groups too, app_label.codename, sorted
	Fields         map[string]any `json:"fields"`      // every column; times in ISO 8601 with microseconds and offset, uuids as text
}

// Group is a group as Django's ORM reads it.
type Group struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Members     []string `json:"members"` // usernames, sorted
	Permissions []string `json:"permissions"`
}

// arguments of a call.
type arguments map[string]any

func (j *Judge) call(name string, args arguments, result any) {
	j.t.Helper()
	if err := j.worker.call(j.dsn, name, args, result); err != nil {
		j.t.Fatal(err)
	}
}

func ask[T any](j *Judge, name string, args arguments) T {
	j.t.Helper()
	var result T
	j.call(name, args, &result)
	return result
}

// Users returns all users, by username.
func (j *Judge) Users() []User {
	j.t.Helper()
	return ask[[]User](j, "users", nil)
}

// User returns the user of exactly this name, or nil.
func (j *Judge) User(username string) *User {
	j.t.Helper()
	for _, u := range j.Users() {
		if u.Username == username {
			return &u
		}
	}
	return nil
}

// Groups returns all groups, by name.
func (j *Judge) Groups() []Group {
	j.t.Helper()
	return ask[[]Group](j, "groups", nil)
}

// CheckPassword is user.check_password(password).
func (j *Judge) CheckPassword(username, password string) bool {
	j.t.Helper()
	return ask[bool](j, "check_password", arguments{"username": username, "password": password})
}

// HasUsablePassword is user.has_usable_password().
func (j *Judge) HasUsablePassword(username string) bool {
	j.t.Helper()
	u := j.User(username)
	if u == nil {
		j.t.Fatalf("Django has no user %q", username)
	}
	return u.UsablePassword
}

// HasPerm is user.has_perm(permission); permission is app_label.codename, "auth.change_user".
func (j *Judge) HasPerm(username, permission string) bool {
	j.t.Helper()
	return ask[bool](j, "has_perm", arguments{"username": username, "permission": permission})
}

// LoginWorks tells whether Django's login form lets the user in and the session is hers.
func (j *Judge) LoginWorks(username, password string) bool {
	j.t.Helper()
	return ask[bool](j, "login", arguments{"username": username, "password": password})
}

// AdminUserPage has a superuser open the user's page in the admin and save it untouched. It returns the complaints: none,
// if all is well. Saving writes the row.
func (j *Judge) AdminUserPage(username string) []string {
	j.t.Helper()
	return ask[[]string](j, "admin_page", arguments{"username": username})
}

// CreateUser is User.objects.create_user, with more fields by name; it returns the primary key. An empty password is an unusable one.
func (j *Judge) CreateUser(username, password string, fields map[string]any) string {
	j.t.Helper()
	return ask[string](j, "create_user", account(username, password, fields))
}

// CreateSuperuser is User.objects.create_superuser.
func (j *Judge) CreateSuperuser(username, password string, fields map[string]any) string {
	j.t.Helper()
	return ask[string](j, "create_superuser", account(username, password, fields))
}

func account(username, password string, fields map[string]any) arguments {
	if fields == nil {
		fields = map[string]any{}
	}
	args := arguments{"username": username, "password": password, "fields": fields}
	if password == "" {
		args["password"] = nil
	}
	return args
}

// CreateGroup makes the group, if it isn't there, gives it permissions (app_label.codename), and returns its primary key.
func (j *Judge) CreateGroup(name string, permissions ...string) string {
	j.t.Helper()
	return ask[string](j, "create_group", arguments{"name": name, "permissions": append([]string{}, permissions...)})
}

// AddToGroup is user.groups.add.
func (j *Judge) AddToGroup(username, group string) {
	j.t.Helper()
	j.call("add_to_group", arguments{"username": username, "group": group}, nil)
}

// RemoveFromGroup is user.groups.remove.
func (j *Judge) RemoveFromGroup(username, group string) {
	j.t.Helper()
	j.call("remove_from_group", arguments{"username": username, "group": group}, nil)
}

// Set changes fields of a user and saves her: what a person does in the admin.
func (j *Judge) Set(username string, fields map[string]any) {
	j.t.Helper()
	j.call("set_fields", arguments{"username": username, "fields": fields}, nil)
}

// SetActive sets is_active.
func (j *Judge) SetActive(username string, active bool) {
	j.t.Helper()
	j.Set(username, map[string]any{"is_active": active})
}

// SetPassword is user.set_password, saved.
func (j *Judge) SetPassword(username, password string) {
	j.t.Helper()
	j.call("set_password", arguments{"username": username, "password": password}, nil)
}

// DeleteUser is user.delete(). It returns how many rows of which model went: {"auth.User": 1, …}.
func (j *Judge) DeleteUser(username string) map[string]int {
	j.t.Helper()
	return ask[map[string]int](j, "delete_user", arguments{"username": username})
}

// DeleteGroup is group.delete().
func (j *Judge) DeleteGroup(name string) map[string]int {
	j.t.Helper()
	return ask[map[string]int](j, "delete_group", arguments{"name": name})
}

// LogEntry leaves a row of the admin's history that refers to the user.
func (j *Judge) LogEntry(username string) {
	j.t.Helper()
	j.call("log_entry", arguments{"username": username}, nil)
}

// Session logs the user in and returns the session's key.
func (j *Judge) Session(username string) string {
	j.t.Helper()
	return ask[string](j, "session", arguments{"username": username})
}

// SessionAlive tells whether a session still logs its user in.
func (j *Judge) SessionAlive(key string) bool {
	j.t.Helper()
	return ask[bool](j, "session_alive", arguments{"key": key})
}

// Check runs Django's system checks and looks for missing migrations. It returns the complaint, "" if there is none.
func (j *Judge) Check() string {
	j.t.Helper()
	return ask[string](j, "check", nil)
}

// SQL returns the SQL of Django's migrations on this database.
func (j *Judge) SQL() string {
	j.t.Helper()
	return ask[string](j, "sql", nil)
}
