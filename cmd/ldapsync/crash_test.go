package main

import (
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/demo"
)

// TestKilledAtAnyInstantTheDatabaseEndsEqual is rule 3: each day something changes in the company and a run is killed, ever later in its
// course; a last run that is left alone makes the database equal to the directory, each account and each membership once.
func TestKilledAtAnyInstantTheDatabaseEndsEqual(t *testing.T) {
	company := demo.NewDirectory(3)
	uri, stop, err := company.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	environ := environment(t, uri)
	path := databaseOf(environ)
	const step = 25 * time.Millisecond
	finished := 0
	for days, delay := 0, step; days < 30; days, delay = days+1, delay+step {
		if _, err := company.Change(); err != nil {
			t.Fatal(err)
		}
		run := exec.CommandContext(t.Context(), "ldapsync", "run")
		run.Env = environ
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
	run := exec.CommandContext(t.Context(), "ldapsync", "run")
	run.Env = environ
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	if got, want := accounts(t, path), people(t, company); !slices.Equal(got, want) {
		t.Errorf("%d accounts, %d people; the first that differ:\n%s", len(got), len(want), firstDifference(got, want))
	}
	check := exec.CommandContext(t.Context(), "ldapsync", "run", "--dry-run")
	check.Env = environ
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("a dry run still finds a difference: %v\n%s", err, out)
	}
}

func databaseOf(environ []string) string {
	for _, line := range environ {
		if path, ok := strings.CutPrefix(line, "DATABASE_URL=sqlite:///"); ok {
			return path
		}
	}
	return ""
}

// accounts are the active accounts that have an email, each with its groups. Disabled ones are left out, here and in people.
func accounts(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT u.username, u.email, COALESCE(g.name, '') FROM auth_user u
LEFT JOIN auth_user_groups m ON m.user_id = u.id LEFT JOIN auth_group g ON g.id = m.group_id WHERE u.is_active`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var username, email, group string
		if err := rows.Scan(&username, &email, &group); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s %s", username, email, group))
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
