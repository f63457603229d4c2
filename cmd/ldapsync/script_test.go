package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ldapsync/internal/testenv"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ldapsync": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			code := command(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs what needs no server.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: setup(""), Cmds: commands(), RequireExplicitExec: true})
}

// TestSync runs the scenarios of synchronization on a real slapd, with either database, judged by Django itself.
func TestSync(t *testing.T) {
	for _, database := range []string{"postgres", "sqlite"} {
		t.Run(database, func(t *testing.T) {
			testscript.Run(t, testscript.Params{Dir: "testdata/sync", Setup: setup(database), Cmds: commands(), RequireExplicitExec: true,
				Condition: func(name string) (bool, error) { return name == database, nil }})
		})
	}
}

// world is what a script has started.
type world struct {
	t     testing.TB
	kind  string // of the database
	slapd *testenv.SlapdServer
	dsn   string
	mark  testenv.Written

	custom  bool   // the database has a user model of its own
	session string // see django login
}

type worldKey struct{}

func setup(database string) func(*testscript.Env) error {
	return func(env *testscript.Env) error {
		t, ok := env.T().(testing.TB)
		if !ok {
			return errors.New("the script isn't run by a test")
		}
		env.Values[worldKey{}] = &world{t: t, kind: database}
		env.Setenv("HOME", env.WorkDir)
		env.Setenv("LDAPSYNC_STATE_DIR", env.WorkDir+"/state")
		env.Setenv("USER_ATTRIBUTES", `{"uid": "username", "givenName": "first_name", "sn": "last_name", "mail": "email"}`)
		return nil
	}
}

func of(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// commands are what scripts say beyond testscript's own.
//
//	exits CODE PROGRAM [ARG...]    runs a program, which must end with the code
//	slapd [DIRECTIVE...]           starts an LDAP server and points LDAP_SYNC_* at it
//	ldap add|modify FILE           changes its entries by an LDIF
//	ldap delete DN                 deletes one
//	ldap rename DN RDN             renames one
//	hire NAME FROM TO [A=V...]     adds people, such as ada1 to ada9, with mail NAME@example.org and these attributes; NAME is each one's
//	leave NAME FROM TO             deletes them
//	alter NAME FROM TO A=[V]...    replaces attributes of theirs, or takes them away
//	team make GROUP NAME FROM TO   adds a group of them; team change gives it other members
//	ldap stop|start                stops the server, starts it again
//	database at URL                goes back to one that was made before
//	database [empty|custom]        makes a database with Django's tables (none, those of a model of its own) and points DATABASE_URL at it
//	rows QUERY FILE                compares the answer with a file: columns by |, rows by line
//	sql STATEMENT                  changes rows by hand, as an application would
//	user NAME FIELD=VALUE...       compares a user as Django's ORM reads her; groups and permissions by commas
//	nobody NAME                    Django knows no such user
//	superuser NAME                 Django makes a superuser of this name, password "by hand"
//	password NAME PASSWORD         Django lets the user in with it
//	admin NAME                     Django's admin renders the user's page and deletes nothing
//	waits user NAME FIELD=VALUE... waits until it is so
//	nats                           starts a NATS server and points NATS_URL at it
//	stream FILE                    writes what the NATS server holds to a file: headers and data
//	told REGEXP                    waits until a line of that matches
//	durable make STREAM NAME       another program makes a durable consumer there
//	durable read STREAM NAME       it sees all there is, and says so
//	hash VARIABLE [TEXT]           keeps the hash of the hold that the last program named (in a line with the text)
//	mark                           remembers the database's state
//	unwritten [REGEXP]             nothing was written to the database (to tables that match) since mark
//	django create NAME F=V...      Django makes a user, password "by hand"
//	django set NAME FIELD=VALUE... Django saves the user with these fields
//	django delete NAME             user.delete()
//	django log NAME                the admin's history gets a line of the user's
//	django group NAME PERM...      Django makes a group with permissions
//	django join NAME GROUP         user.groups.add
//	django login NAME              the user logs in
//	session                        she still is
//	group NAME members=... ...     compares a group as Django's ORM reads it: members, permissions, id
//	id NAME VARIABLE               keeps the user's primary key
//
// [postgres] and [sqlite] are conditions.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": cmdExits, "slapd": cmdSlapd, "ldap": cmdLDAP, "database": cmdDatabase, "rows": cmdRows, "sql": cmdSQL,
		"user": cmdUser, "nobody": cmdNobody, "superuser": cmdSuperuser, "password": cmdPassword, "admin": cmdAdmin,
		"waits": cmdWaits, "nats": cmdNATS, "mark": cmdMark, "unwritten": cmdUnwritten,
		"django": cmdDjango, "session": cmdSession, "group": cmdGroup, "id": cmdID, "stream": cmdStream, "told": cmdTold, "durable": cmdDurable,
		"hire": cmdHire, "leave": cmdLeave, "alter": cmdAlter, "team": cmdTeam, "hash": cmdHash,
	}
}

func want(ts *testscript.TestScript, neg bool, args []string, least int, usage string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "exits CODE PROGRAM [ARG...]")
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		got = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != code {
		ts.Fatalf("exit code %d, not %d", got, code)
	}
}

func cmdSlapd(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "slapd [DIRECTIVE...]")
	w := of(ts)
	w.slapd = testenv.Slapd(w.t, args...)
	ts.Setenv("LDAP_SYNC_URI", w.slapd.URI)
	ts.Setenv("LDAPS_URI", w.slapd.LDAPSURI)
	ts.Setenv("LDAPI_URI", w.slapd.LDAPIURI)
	ts.Setenv("CA_FILE", w.slapd.CAFile)
	ts.Setenv("CLIENT_CERT", w.slapd.ClientCertFile)
	ts.Setenv("CLIENT_KEY", w.slapd.ClientKeyFile)
	ts.Setenv("LDAP_SYNC_BASE", w.slapd.BaseDN)
	ts.Setenv("LDAP_SYNC_BASE_USER", w.slapd.BindDN)
	ts.Setenv("LDAP_SYNC_BASE_PASS", w.slapd.Password)
	ts.Setenv("LDAP_SYNC_USER_FILTER", "(objectClass=inetOrgPerson)")
	ts.Setenv("LDAP_SYNC_USER_ATTRIBUTES", ts.Getenv("USER_ATTRIBUTES"))
}

func cmdLDAP(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "ldap add|modify FILE, ldap delete DN, ldap rename DN RDN, ldap stop|start")
	s := of(ts).slapd
	switch args[0] {
	case "add":
		s.Add(ts.ReadFile(args[1]))
	case "modify":
		s.Modify(ts.ReadFile(args[1]))
	case "delete":
		s.Delete(args[1])
	case "rename":
		s.Rename(args[1], args[2])
	case "stop":
		s.Stop()
	case "start":
		s.Start()
	default:
		ts.Fatalf("ldap %s: unknown", args[0])
	}
}

func cmdDatabase(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "database")
	w := of(ts)
	if len(args) == 2 && args[0] == "at" {
		w.dsn, w.custom = args[1], false
		ts.Setenv("DATABASE_URL", w.dsn)
		return
	}
	if w.kind == "sqlite" {
		w.dsn = testenv.SQLite(w.t)
	} else {
		w.dsn = testenv.Postgres(w.t)
	}
	w.custom = strings.Join(args, " ") == "custom"
	switch strings.Join(args, " ") {
	case "":
		testenv.DjangoTables(w.t, w.dsn)
	case "custom":
		testenv.DjangoCustom(w.t, w.dsn)
	case "empty":
		if path, ok := testenv.SQLitePath(w.dsn); ok {
			ts.Check(os.WriteFile(path, nil, 0o600))
		}
	default:
		ts.Fatalf("database %v: unknown", args)
	}
	ts.Setenv("DATABASE_URL", w.dsn)
}

func cmdRows(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "rows QUERY FILE")
	got := strings.TrimSpace(testenv.DB(of(ts).t, of(ts).dsn).Text(args[0]))
	if expected := strings.TrimSpace(ts.ReadFile(args[1])); got != expected {
		ts.Fatalf("%s\n got:\n%s\nwant:\n%s", args[0], got, expected)
	}
}

func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "sql STATEMENT")
	testenv.DB(of(ts).t, of(ts).dsn).Exec(args[0])
}

func cmdUser(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "user NAME FIELD=VALUE...")
	if differs := of(ts).differs(args[0], args[1:]); differs != "" {
		ts.Fatalf("%s", differs)
	}
}

// cmdWaits asks again and again: what a service does is done when it is done, and the database gives no signal.
func cmdWaits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "waits user NAME FIELD=VALUE...")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		differs := of(ts).differs(args[1], args[2:])
		if differs == "" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still: %s", differs)
		}
	}
}

func cmdNATS(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "nats")
	ts.Setenv("NATS_URL", startNATS(of(ts).t))
}

// differs says in what a user differs from what is wanted; "" in nothing.
func (w *world) differs(name string, pairs []string) string {
	u := w.django().User(name)
	if u == nil {
		return "Django knows no user " + name
	}
	for _, pair := range pairs {
		field, value, _ := strings.Cut(pair, "=")
		got, known := map[string]string{
			"first": u.FirstName, "last": u.LastName, "email": u.Email,
			"active": strconv.FormatBool(u.Active), "staff": strconv.FormatBool(u.Staff), "superuser": strconv.FormatBool(u.Superuser),
			"password": strconv.FormatBool(u.UsablePassword), "groups": strings.Join(u.Groups, ","), "permissions": strings.Join(u.Permissions, ","),
			"id": u.ID,
		}[field]
		if !known || got != value {
			return fmt.Sprintf("user %s: %s is %q, not %q", name, field, got, value)
		}
	}
	return ""
}

func cmdNobody(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "nobody NAME")
	if of(ts).django().User(args[0]) != nil {
		ts.Fatalf("there is a user %s", args[0])
	}
}

func cmdSuperuser(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "superuser NAME")
	of(ts).django().CreateSuperuser(args[0], "by hand", nil)
}

func cmdPassword(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] password NAME PASSWORD")
	}
	if works := of(ts).django().CheckPassword(args[0], args[1]); works == neg {
		ts.Fatalf("the password of %s: %t", args[0], works)
	}
}

func cmdAdmin(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "admin NAME")
	if errs := of(ts).django().AdminUserPage(args[0]); len(errs) > 0 {
		ts.Fatalf("the admin refuses %s: %v", args[0], errs)
	}
}

func cmdMark(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "mark")
	w := of(ts)
	w.mark = testenv.Writes(w.t, w.dsn)
}

func cmdUnwritten(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, "unwritten [REGEXP]")
	w := of(ts)
	tables, err := regexp.Compile(strings.Join(args, "|"))
	ts.Check(err)
	written := testenv.Writes(w.t, w.dsn).Since(w.mark)
	for table := range strings.Lines(written) {
		if tables.MatchString(table) {
			ts.Fatalf("something was written: %s", written)
		}
	}
}
