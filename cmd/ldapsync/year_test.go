package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	"ldapsync/internal/django/postgres"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/history"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// size is a number that the environment may give: make year lives longer than make test.
func size(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q", variable, text)
	}
	return n
}

// TestAYearOfACompany lets a company live while two targets follow it. Every 50th snapshot is replayed at once into a fresh database of either kind, while
// passes and the live appliers go on, and compared with what the directory was then. An accident in the middle is held. In the end the present is
// rolled back and released, the history is cut, and a target joins late.
func TestAYearOfACompany(t *testing.T) {
	t.Parallel()
	people, snapshots := size(t, "YEAR_PEOPLE", 500), size(t, "YEAR_SNAPSHOTS", 400)
	y := newYear(t, people)
	live := []*site{y.site(t, "postgres"), y.site(t, "sqlite")}
	for _, s := range live {
		s.follow(t, y)
	}
	var replays []*site
	var group errgroup.Group
	group.SetLimit(1)
	var first []string // of the first snapshot that is replayed
	var firstPoint applier.Snapshot
	for n := 1; n <= snapshots; n++ {
		if n == snapshots/2 {
			y.accident()
		}
		y.Day()
		number := y.pass(extractor.Options{Full: n%25 == 0})
		if n%50 != 0 {
			continue
		}
		truth, point := y.Truth(), y.point(number)
		if first == nil {
			first, firstPoint = truth, point
		}
		for _, kind := range []string{"postgres", "sqlite"} {
			s := y.site(t, kind)
			s.wants, s.what = truth, fmt.Sprintf("snapshot %d in %s", number, kind)
			replays = append(replays, s)
			group.Go(func() error {
				if _, err := s.applier(y).Replay(y.ctx, point); err != nil {
					return fmt.Errorf("%s: %w", s.what, err)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, s := range replays {
		s.wantExactly(t, s.wants)
	}
	for _, s := range live {
		s.deactivate(t, y)
	}
	y.pass(extractor.Options{Full: true}) // whoever waited for the name of somebody who left gets it now
	for _, s := range live {
		s.stop(t, y)
		s.want(t, y.Truth())
		s.wantNoDifference(t, y)
		s.rollBack(t, y, firstPoint, first)
	}
	y.cut(t)
	for _, kind := range []string{"postgres", "sqlite"} {
		late := y.site(t, kind)
		late.what = "a late " + kind
		late.follow(t, y)
		late.stop(t, y)
		late.wantExactly(t, y.Truth())
	}
}

// TestRule3AReplayKilledAtEachCommit: before it, or after it and before anybody hears of it. Begun again, it ends as if it hadn't been; so does a release.
func TestRule3AReplayKilledAtEachCommit(t *testing.T) {
	t.Parallel()
	y := newYear(t, 40)
	y.Day()
	first := y.pass(extractor.Options{})
	then, point := y.Truth(), y.point(first)
	for range 12 {
		y.Day()
		y.pass(extractor.Options{})
	}
	for _, after := range []bool{false, true} {
		s := y.site(t, "sqlite")
		s.what = fmt.Sprintf("killed after a commit: %v", after)
		s.follow(t, y)
		s.stop(t, y)
		s.dies(t, y, after, func(a *applier.Applier) error { _, err := a.Replay(y.ctx, point); return err })
		s.want(t, then)
		s.wantNoDifference(t, y)
		s.dies(t, y, after, func(a *applier.Applier) error {
			_, err := a.Release(y.ctx)
			if cp, _ := s.store.Checkpoint(y.ctx, "corp"); err != nil && cp.Live() {
				return nil // killed after its last commit
			}
			return err
		})
		s.want(t, y.Truth())
		s.wantNoDifference(t, y)
	}
}

// dies kills what fn does at its first commit, at its second, and so on, until it lives to the end. Each attempt goes on from where the last one was.
func (s *site) dies(t *testing.T, y *year, after bool, fn func(*applier.Applier) error) {
	t.Helper()
	for commit := 1; ; commit++ {
		c := s.config(t)
		c.BatchEntries = 5
		err := fn(applier.New(c, &dyingStore{Store: s.store.(*sqlite.Store), left: commit - 1, after: after}, y.log))
		if err == nil {
			if commit < 4 {
				t.Errorf("%s: it lived to the end with %d commits", s.what, commit)
			}
			return
		}
		if !errors.Is(err, errKilled) || commit > 200 {
			t.Fatalf("%s: commit %d: %v", s.what, commit, err)
		}
	}
}

// year is a company and its stream.
type year struct {
	*testenv.Life
	t   *testing.T
	ctx context.Context
	log *bus.Log
}

func newYear(t *testing.T, people int) *year {
	b, err := bus.Open(t.Context(), bus.Config{StateDir: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	y := &year{Life: testenv.NewLife(11, people), t: t, ctx: t.Context()}
	if y.log, err = b.Log(y.ctx, "corp"); err != nil {
		t.Fatal(err)
	}
	return y
}

// pass makes a pass, which must hold nothing, and returns the snapshot's number.
func (y *year) pass(o extractor.Options) uint64 {
	y.t.Helper()
	sum := y.passed(o)
	if len(sum.Held) > 0 {
		y.t.Fatalf("snapshot %d: held: %+v", sum.Snapshot, sum.Held)
	}
	return sum.Snapshot
}

func (y *year) passed(o extractor.Options) *extractor.Summary {
	y.t.Helper()
	limits := extractor.DefaultLimits()
	limits.Window = time.Nanosecond // the stream's clock is ours: a year takes a minute
	limits.Memberships.On, limits.GroupMemberships.On = false, false
	c := extractor.Config{
		Source: "corp", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true, Limits: limits,
		Flags: extractor.Flags{Active: &extractor.Flag{Attribute: "userAccountControl", NotBit: 2}}, FullEvery: time.Hour,
	}
	sum, err := extractor.New(c, y.Life, y.log).Pass(y.ctx, o)
	if err != nil {
		y.t.Fatal(err)
	}
	return sum
}

// accident hides half the company from a pass, which must hold it.
func (y *year) accident() {
	y.t.Helper()
	y.Accident()
	if sum := y.passed(extractor.Options{}); len(sum.Held) == 0 || sum.Users.Removed > 0 {
		y.t.Fatalf("half the company: %d removed, held %+v", sum.Users.Removed, sum.Held)
	}
	y.Recover()
	y.pass(extractor.Options{}) // what was held dissolves
}

// point is where a snapshot stands in the stream.
func (y *year) point(number uint64) applier.Snapshot {
	y.t.Helper()
	h, err := history.Open(y.ctx, y.log)
	if err != nil {
		y.t.Fatal(err)
	}
	s, err := h.Committed(fmt.Sprint(number), time.Now())
	if err != nil {
		y.t.Fatal(err)
	}
	p := h.Point(s)
	return applier.Snapshot{Number: number, From: max(p.From, 1), To: p.To}
}

// cut makes an end of the past.
func (y *year) cut(t *testing.T) {
	t.Helper()
	y.Day()
	y.pass(extractor.Options{Full: true})
	y.Day()
	y.pass(extractor.Options{})
	r, err := extractor.Retain(y.ctx, y.log, time.Nanosecond)
	if err != nil || r.Snapshots == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// site is a target's database.
type site struct {
	store store
	db    *testenv.Database
	dsn   string
	what  string
	wants []string

	cancel context.CancelFunc
	live   *applier.Applier
	done   chan error
}

func (y *year) site(t *testing.T, kind string) *site {
	t.Helper()
	s := &site{what: "the live " + kind}
	settings := django.Settings{Users: django.Users{Columns: []string{"first_name", "last_name", "email"}}, Groups: django.Groups{Membership: true}}
	var err error
	if kind == "postgres" {
		s.dsn = testenv.Postgres(t)
		testenv.DjangoTables(t, s.dsn)
		s.store, err = postgres.Open(t.Context(), postgres.Config{DSN: s.dsn, Settings: settings})
	} else {
		s.dsn = testenv.SQLite(t)
		testenv.DjangoTables(t, s.dsn)
		path, _ := testenv.SQLitePath(s.dsn)
		s.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Settings: settings})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	if err := s.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.db = testenv.DB(t, s.dsn)
	return s
}

func (s *site) applier(y *year) *applier.Applier { return applier.New(s.config(y.t), s.store, y.log) }

func (s *site) config(t *testing.T) applier.Config {
	users, err := applier.NewMapping(s.store.Users(), []applier.Field{
		{Column: "username", From: []string{"uid"}}, {Column: "first_name", From: []string{"givenName"}},
		{Column: "last_name", From: []string{"sn"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := applier.NewMapping(s.store.Groups(), []applier.Field{{Column: "name", From: []string{"cn"}}})
	if err != nil {
		t.Fatal(err)
	}
	return applier.Config{Target: "default", Source: "corp", Users: users, Groups: groups, Memberships: true, BatchEntries: 100}
}

// follow applies what comes until stop.
func (s *site) follow(t *testing.T, y *year) {
	ctx, cancel := context.WithCancel(y.ctx)
	s.cancel, s.live, s.done = cancel, s.applier(y), make(chan error, 1)
	t.Cleanup(cancel)
	go func() { s.done <- s.live.Run(ctx) }()
}

// deactivate waits until all is applied, and deactivates who left: until then an account keeps its name, and somebody else may wait for that.
func (s *site) deactivate(t *testing.T, y *year) {
	t.Helper()
	s.applied(t, y)
	if _, err := callbacks.New(callbacks.Config{Target: "default", Callbacks: []string{callbacks.Deactivate}}, s.store).RunOnce(y.ctx); err != nil {
		t.Fatalf("%s: %v", s.what, err)
	}
}

// stop waits until all is applied, and ends following.
func (s *site) stop(t *testing.T, y *year) {
	t.Helper()
	s.applied(t, y)
	s.cancel()
	<-s.done
}

// applied waits until all is.
func (s *site) applied(t *testing.T, y *year) {
	t.Helper()
	_, last, err := y.log.Bounds(y.ctx)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(y.ctx, time.Minute)
	defer cancel()
	if err := s.live.WaitFor(ctx, last); err != nil {
		t.Fatalf("%s: %v, %v", s.what, err, len(s.done))
	}
}

// rows are the accounts of a database as Truth writes people.
func (s *site) rows() []string {
	teams := map[string][]string{}
	for _, row := range s.db.Rows(`SELECT u.username, g.name FROM auth_user_groups m JOIN auth_user u ON u.id = m.user_id JOIN auth_group g ON g.id = m.group_id`) {
		teams[fmt.Sprint(row[0])] = append(teams[fmt.Sprint(row[0])], fmt.Sprint(row[1]))
	}
	var lines []string
	for _, row := range s.db.Rows(`SELECT username, first_name, last_name, email, is_active FROM auth_user`) {
		name, active := fmt.Sprint(row[0]), row[4] == true || row[4] == int64(1)
		slices.Sort(teams[name])
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%v|%s", name, row[1], row[2], row[3], active, strings.Join(teams[name], ",")))
	}
	slices.Sort(lines)
	return lines
}

// wantExactly wants these people and nobody else.
func (s *site) wantExactly(t *testing.T, truth []string) {
	t.Helper()
	if got := s.rows(); !slices.Equal(got, truth) {
		t.Errorf("%s: %s", s.what, difference(got, truth))
	}
}

// want wants these people; the accounts of those who left are there, too.
func (s *site) want(t *testing.T, truth []string) {
	t.Helper()
	got := s.rows()
	if d := difference(nil, without(truth, got)); d != "" {
		t.Errorf("%s: %s", s.what, d)
	}
}

// difference names the first lines in which two lists differ.
func difference(got, want []string) string {
	var b strings.Builder
	for what, list := range map[string][]string{"too much": without(got, want), "missing": without(want, got)} {
		for i, line := range list {
			if i == 5 {
				fmt.Fprintf(&b, "\n  … of %d", len(list))
				break
			}
			fmt.Fprintf(&b, "\n  %s: %s", what, line)
		}
	}
	return b.String()
}

func (s *site) wantNoDifference(t *testing.T, y *year) {
	t.Helper()
	found, err := s.applier(y).Verify(y.ctx, applier.VerifyOptions{}, func(kind proto.Kind, c applier.Change) { t.Errorf("%s: %s %s %+v", s.what, c.Action, kind, c) })
	if err != nil || found.Differences() > 0 {
		t.Errorf("%s: %d differences, %v", s.what, found.Differences(), err)
	}
}

// rollBack replays a past snapshot, twice, and releases the target.
func (s *site) rollBack(t *testing.T, y *year, at applier.Snapshot, truth []string) {
	t.Helper()
	if _, err := s.applier(y).Replay(y.ctx, at); err != nil {
		t.Fatalf("%s: %v", s.what, err)
	}
	s.want(t, truth)
	s.wantNoDifference(t, y)
	before := testenv.Writes(t, s.dsn)
	if _, err := s.applier(y).Replay(y.ctx, at); err != nil {
		t.Fatalf("%s: %v", s.what, err)
	}
	if written := testenv.Writes(t, s.dsn).Since(before); written != "" {
		t.Errorf("%s: replayed again: %s", s.what, written)
	}
	if _, err := s.applier(y).Release(y.ctx); err != nil {
		t.Fatalf("%s: %v", s.what, err)
	}
	s.want(t, y.Truth())
	s.wantNoDifference(t, y)
}
