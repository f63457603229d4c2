package config

import (
	"strings"
	"testing"
)

func TestParseDatabase(t *testing.T) {
	for url, want := range map[string]Database{
		"sqlite:///db.sqlite3":               {Kind: SQLite, Path: "db.sqlite3", Shown: "sqlite:///db.sqlite3"},
		"sqlite:////srv/my%20db":             {Kind: SQLite, Path: "/srv/my db", Shown: "sqlite:////srv/my db"},
		"sqlite:////srv/db?timeout=5":        {Kind: SQLite, Path: "/srv/db", Shown: "sqlite:////srv/db"},
		"postgres://u:p@h:5433/d":            {Kind: Postgres, DSN: "postgres://u:p@h:5433/d", Shown: "postgres://u@h:5433/d"},
		"postgresql://h/d":                   {Kind: Postgres, DSN: "postgres://h/d", Shown: "postgres://h/d"},
		"postgres:///d":                      {Kind: Postgres, DSN: "postgres:///d", Shown: "postgres:///d"},
		"postgis://u:p%23%2F%40@h/d":         {Kind: Postgres, DSN: "postgres://u:p%23%2F%40@h/d", Shown: "postgres://u@h/d"},
		"postgres://u:a@b^c@h/d":             {Kind: Postgres, DSN: "postgres://u:a%40b%5Ec@h/d", Shown: "postgres://u@h/d"},
		"postgres://u:100%@h/d":              {Kind: Postgres, DSN: "postgres://u:100%25@h/d", Shown: "postgres://u@h/d"},
		"postgres://u@%2Frun%2Fpostgresql/d": {Kind: Postgres, DSN: "postgres://u@/d?host=%2Frun%2Fpostgresql", Shown: "postgres://u@/run/postgresql/d"},
		"postgres://%2Frun:5433/d":           {Kind: Postgres, DSN: "postgres:///d?host=%2Frun&port=5433", Shown: "postgres:///run/d"},
		"postgres://u:p@h/d?conn_max_age=600&ssl_require=true&CONN_HEALTH_CHECKS=1": {Kind: Postgres, DSN: "postgres://u:p@h/d?sslmode=require", Shown: "postgres://u@h/d"},
		"postgres://u:p@h/d?sslmode=verify-full&currentSchema=app":                  {Kind: Postgres, DSN: "postgres://u:p@h/d?search_path=app&sslmode=verify-full", Shown: "postgres://u@h/d"},
		"postgres://u:p@[::1]:5432/d":                                               {Kind: Postgres, DSN: "postgres://u:p@[::1]:5432/d", Shown: "postgres://u@[::1]:5432/d"},
	} {
		got, err := ParseDatabase(url)
		if err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", url, got, err, want)
		}
	}
	for _, url := range []string{"", "db.sqlite3", "sqlite://", "sqlite://:memory:", "sqlite:///:memory:", "sqlite:///dir/", "mysql://u:hush@h/d", "postgres://u:hush@h", "postgres://u:hush@h:port/d", "postgres://u:hush@h/d?x=%zz"} {
		got, err := ParseDatabase(url)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}

func TestTidyFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"":                                   "",
		"objectClass=user":                   "(objectClass=user)",
		" (cn=a b) ":                         "(cn=a b)",
		"(& (cn=a)\n  (| (cn=b) (cn=c)\n) )": "(&(cn=a)(|(cn=b)(cn=c)))",
		"&(a=b)(c=d)":                        "(&(a=b)(c=d))",
	} {
		if got := tidyFilter(filter); got != want {
			t.Errorf("%q: %q, not %q", filter, got, want)
		}
	}
}
