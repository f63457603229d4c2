package main

import (
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"ldapsync/internal/testenv"
)

// django is Django on the script's database.
func (w *world) django() *testenv.Judge {
	if w.custom {
		return testenv.DjangoPeople(w.t, w.dsn)
	}
	return testenv.Django(w.t, w.dsn)
}

// cmdDjango is what people and applications do in Django.
func cmdDjango(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "django VERB NAME [ARG...]")
	d, name, rest := of(ts).django(), args[1], args[2:]
	switch args[0] {
	case "create":
		d.CreateUser(name, "by hand", assignments(ts, rest))
	case "set":
		d.Set(name, assignments(ts, rest))
	case "delete":
		d.DeleteUser(name)
	case "log":
		d.LogEntry(name)
	case "group":
		d.CreateGroup(name, rest...)
	case "join":
		d.AddToGroup(name, rest[0])
	case "login":
		of(ts).session = d.Session(name)
	default:
		ts.Fatalf("django %s: unknown", args[0])
	}
}

// assignments turns FIELD=VALUE into what Django is given; true and false are booleans.
func assignments(ts *testscript.TestScript, pairs []string) map[string]any {
	m := map[string]any{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			ts.Fatalf("%q isn't FIELD=VALUE", pair)
		}
		m[name] = value
		if b, err := strconv.ParseBool(value); err == nil {
			m[name] = b
		}
	}
	return m
}

func cmdSession(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: [!] session")
	}
	if alive := of(ts).django().SessionAlive(of(ts).session); alive == neg {
		ts.Fatalf("the session is alive: %t", alive)
	}
}

func cmdGroup(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: [!] group NAME [members=a,b] [permissions=c,d]")
	}
	for _, g := range of(ts).django().Groups() {
		if g.Name != args[0] {
			continue
		}
		if neg {
			ts.Fatalf("there is a group %s", g.Name)
		}
		got := map[string]string{"members": strings.Join(g.Members, ","), "permissions": strings.Join(g.Permissions, ","), "id": g.ID}
		for _, pair := range args[1:] {
			field, value, _ := strings.Cut(pair, "=")
			if is, known := got[field]; !known || is != value {
				ts.Fatalf("group %s: %s is %q, not %q", g.Name, field, is, value)
			}
		}
		return
	}
	if !neg {
		ts.Fatalf("Django knows no group %s", args[0])
	}
}

// cmdID keeps a primary key for later comparisons.
func cmdID(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, "id NAME VARIABLE")
	u := of(ts).django().User(args[0])
	if u == nil {
		ts.Fatalf("Django knows no user %s", args[0])
	}
	ts.Setenv(args[1], u.ID)
}
