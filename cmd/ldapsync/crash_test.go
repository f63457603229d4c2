package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/demo"
	"ldapsync/internal/testenv"
)

// TestRule3KilledAtAnyInstantTheDatabaseEndsEqual is rule 3: each day something changes in the company and a run is killed, ever later in its
// course; a last run that is left alone makes the database equal to the directory, each account and each membership once.
func TestRule3KilledAtAnyInstantTheDatabaseEndsEqual(t *testing.T) {
	t.Run("embedded stream, SQLite", func(t *testing.T) { killAtAnyInstant(t, nil) })
	t.Run("NATS server, PostgreSQL", func(t *testing.T) {
		dsn := testenv.Postgres(t)
		testenv.DjangoTables(t, dsn)
		killAtAnyInstant(t, []string{"DATABASE_URL=" + dsn, "NATS_URL=" + startNATS(t)})
	})
}

// killAtAnyInstant does so with an environment that more says.
func killAtAnyInstant(t *testing.T, more []string) {
	company := demo.NewDirectory(3)
	uri, stop, err := company.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	environ := append(environment(t, uri), more...) // the last of two counts
	if out, err := program(t, environ, "migrate").CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	const step = 25 * time.Millisecond
	finished := 0
	for days, delay := 0, step; days < 30; days, delay = days+1, delay+step {
		if _, err := company.Change(); err != nil {
			t.Fatal(err)
		}
		run := program(t, environ, "run")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(delay, func() { _ = run.Process.Kill() })
		if err := run.Wait(); err == nil {
			finished++
			delay = 0 // it was quicker: again from the start, with what changes then
		}
		timer.Stop()
	}
	t.Logf("%d of 30 runs were quicker than their death", finished)
	if out, err := program(t, environ, "run").CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	if got, want := accounts(t, databaseOf(environ)), people(t, company); !slices.Equal(got, want) {
		t.Errorf("%d accounts, %d people; the first that differ:\n%s", len(got), len(want), firstDifference(got, want))
	}
	if out, err := program(t, environ, "run", "--dry-run").CombinedOutput(); err != nil {
		t.Errorf("a dry run still finds a difference: %v\n%s", err, out)
	}
}

func program(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "ldapsync", args...)
	c.Env = environ
	return c
}

func databaseOf(environ []string) (dsn string) {
	for _, line := range environ {
		if value, ok := strings.CutPrefix(line, "DATABASE_URL="); ok {
			dsn = value
		}
	}
	return dsn
}

// accounts are the active accounts that have an email, each with its groups. Disabled ones are left out, here and in people.
func accounts(t *testing.T, dsn string) []string {
	t.Helper()
	var list []string
	for _, row := range testenv.DB(t, dsn).Rows(`SELECT u.username, u.email, COALESCE(g.name, '') FROM auth_user u
LEFT JOIN auth_user_groups m ON m.user_id = u.id LEFT JOIN auth_group g ON g.id = m.group_id WHERE u.is_active`) {
		list = append(list, fmt.Sprintf("%s %s %s", row...))
	}
	slices.Sort(list)
	return list
}

func people(t *testing.T, company *demo.Directory) []string {
	t.Helper()
	groups := map[string][]string{}
	for _, dn := range find(t, company, demo.GroupFilter) {
		group, _ := company.Get(dn)
		for _, member := range group["member"] {
			groups[member] = append(groups[member], group["cn"][0])
		}
	}
	var list []string
	for _, dn := range find(t, company, "(&"+demo.UserFilter+"(!(userAccountControl=514)))") {
		person, _ := company.Get(dn)
		of := groups[dn]
		if len(of) == 0 {
			of = []string{""}
		}
		for _, group := range of {
			list = append(list, fmt.Sprintf("%s %s %s", person["uid"][0], person["mail"][0], group))
		}
	}
	slices.Sort(list)
	return list
}

func find(t *testing.T, company *demo.Directory, filter string) []string {
	t.Helper()
	dns, err := company.Find(filter)
	if err != nil {
		t.Fatal(err)
	}
	return dns
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf(" got %q\nwant %q", g, w)
		}
	}
	return ""
}
