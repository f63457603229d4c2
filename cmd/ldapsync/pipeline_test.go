package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/django"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// pipeline is a company, all stages on a real stream and a real database, and the ways in which they are killed.
type pipeline struct {
	*testenv.Life
	t     *rapid.T
	tb    testing.TB
	ctx   context.Context
	log   *bus.Log
	store *sqlite.Store
	db    *testenv.Database
	dsn   string
	local string // the accounts that aren't the directory's, as they were in the beginning
}

// Rules 1, 2, 3 and 7, end to end: whatever happens to a company, and whichever stage is killed when, the database ends equal to the directory; accounts of
// its own are never touched; nobody but whom a limit allowed or a person approved is removed on the way; and then nothing is written any more.
func TestRandomLivesEndEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newPipeline(t, rt)
		for range rapid.IntRange(2, 8).Draw(rt, "days") {
			w.live()
			w.pass(w.verdicts())
			w.apply()
			w.handle()
			w.wantLocalsUntouched()
		}
		w.settle()
	})
}

func newPipeline(t *testing.T, rt *rapid.T) *pipeline {
	dir := t.TempDir()
	w := &pipeline{t: rt, tb: t, ctx: t.Context(), dsn: testenv.SQLite(t), Life: testenv.NewLife(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(3, 60).Draw(rt, "people"))}
	testenv.DjangoTables(t, w.dsn)
	w.db = testenv.DB(t, w.dsn)
	for i, name := range []string{"admin", "clerk", "service"} {
		w.db.Exec(`INSERT INTO auth_user (username, first_name, last_name, email, password, is_active, is_staff, is_superuser, date_joined)
			VALUES ($1, '', '', '', 'secret', 1, $2, $2, '2020-01-01 00:00:00')`, name, i < 2)
	}
	w.db.Exec(`INSERT INTO auth_group (name) VALUES ('local')`)
	w.db.Exec(`INSERT INTO auth_user_groups (user_id, group_id) SELECT id, (SELECT id FROM auth_group) FROM auth_user`)
	w.local = w.locals()
	b, err := bus.Open(w.ctx, bus.Config{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { b.Close() })
	if w.log, err = b.Log(w.ctx, "corp"); err != nil {
		rt.Fatal(err)
	}
	path, _ := testenv.SQLitePath(w.dsn)
	settings := django.Settings{Users: django.Users{Columns: []string{"first_name", "last_name", "email"}}, Groups: django.Groups{Membership: true}}
	if w.store, err = sqlite.Open(w.ctx, sqlite.Config{Path: path, Settings: settings}); err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { w.store.Close() })
	if err := w.store.Migrate(w.ctx); err != nil {
		rt.Fatal(err)
	}
	return w
}

// locals are the accounts without links, with their groups, as text.
func (w *pipeline) locals() string {
	return w.db.Text(`SELECT * FROM auth_user WHERE password = 'secret' ORDER BY id`) +
		w.db.Text(`SELECT m.* FROM auth_user_groups m JOIN auth_user u ON u.id = m.user_id WHERE u.password = 'secret' ORDER BY m.id`)
}

func (w *pipeline) wantLocalsUntouched() {
	if now := w.locals(); now != w.local {
		w.t.Fatalf("rule 2: the local accounts were\n%s\nand are\n%s", w.local, now)
	}
}

// live lets some days pass, with an accident now and then.
func (w *pipeline) live() {
	for range rapid.IntRange(0, 3).Draw(w.t, "days at once") {
		w.Day()
	}
	switch rapid.IntRange(0, 5).Draw(w.t, "accident") {
	case 0:
		w.Accident()
	case 1, 2:
		w.Recover()
	}
}

// verdicts approves or rejects what is held, now and then.
func (w *pipeline) verdicts() (list []*proto.Verdict) {
	for _, h := range w.held() {
		switch rapid.IntRange(0, 5).Draw(w.t, "decision") {
		case 0:
			list = append(list, &proto.Verdict{Hash: h.Hash, Decision: proto.Decision_DECISION_APPROVE, By: "ada", Reason: "seen"})
		case 1:
			list = append(list, &proto.Verdict{Hash: h.Hash, Decision: proto.Decision_DECISION_REJECT, By: "ada", Reason: "seen"})
		}
	}
	return list
}

func (w *pipeline) held() []extractor.Hold {
	held, err := extractor.ReadHeld(w.ctx, w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	return held.Holds
}

var errKilled = fault.New(fault.Failed, "", "killed")

// dyingLog is a stream whose writer is killed after some events.
type dyingLog struct {
	extractor.Log
	left int
}

func (l *dyingLog) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if l.left--; l.left < 0 {
		return 0, errKilled
	}
	return l.Log.Publish(ctx, e)
}

// dyingStore is a database whose client is killed at a commit: before it, or after it and before it hears of it.
type dyingStore struct {
	*sqlite.Store
	left  int
	after bool
}

func (s *dyingStore) Update(ctx context.Context, fn func(applier.Tx) error) error {
	if s.left--; s.left < 0 && !s.after {
		return errKilled
	}
	err := s.Store.Update(ctx, fn)
	if s.left < 0 && err == nil {
		err = errKilled
	}
	return err
}

// often is how many steps a stage takes before it is killed; most live to the end.
func (w *pipeline) often(label string) int {
	if rapid.IntRange(0, 2).Draw(w.t, label+" dies") > 0 {
		return 1 << 20
	}
	return rapid.IntRange(0, 9).Draw(w.t, label+" dies after")
}

func (w *pipeline) extraction() extractor.Config {
	return extractor.Config{
		Source: "corp", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true, Limits: extractor.DefaultLimits(),
		Flags: extractor.Flags{Active: &extractor.Flag{Attribute: "userAccountControl", NotBit: 2}}, FullEvery: time.Hour,
	}
}

// pass makes a pass that may be killed, and holds what it removed to the limits and decisions.
func (w *pipeline) pass(verdicts []*proto.Verdict) {
	_, before, err := w.log.Bounds(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	o := extractor.Options{Full: rapid.IntRange(0, 4).Draw(w.t, "full") == 0, Verdicts: verdicts}
	_, err = extractor.New(w.extraction(), w.Life, &dyingLog{w.log, w.often("extractor")}).Pass(w.ctx, o)
	if err != nil && !errors.Is(err, errKilled) {
		w.t.Fatal(err)
	}
	if _, err := w.log.Flush(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.wantOnlyAllowed(before)
}

// wantOnlyAllowed checks rule 1: what a pass removed without anybody's approval isn't more than five people, or than their share.
func (w *pipeline) wantOnlyAllowed(before uint64) {
	_, last, err := w.log.Bounds(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for e, err := range w.log.Read(w.ctx, before+1, last) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Type != proto.TypeUserRemoved {
			continue
		}
		var m proto.UserRemoved
		if err := proto.Unmarshal(e, &m); err != nil {
			w.t.Fatal(err)
		}
		if m.GetApproved() == "" {
			n++
		}
	}
	if n > 5 {
		w.t.Fatalf("rule 1: %d people of a small company were removed by one pass, and nobody approved it", n)
	}
}

func (w *pipeline) application() applier.Config {
	users, err := applier.NewMapping(w.store.Users(), []applier.Field{
		{Column: "username", From: []string{"uid"}}, {Column: "first_name", From: []string{"givenName"}},
		{Column: "last_name", From: []string{"sn"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	groups, err := applier.NewMapping(w.store.Groups(), []applier.Field{{Column: "name", From: []string{"cn"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return applier.Config{
		Target: "default", Source: "corp", Users: users, Groups: groups, Memberships: true, Adopt: applier.Adoption{Existing: true},
		BatchEntries: rapid.SampledFrom([]int{1, 7, 1000}).Draw(w.t, "batch"),
	}
}

// apply applies what there is; it may be killed.
func (w *pipeline) apply() {
	store := &dyingStore{Store: w.store, left: w.often("applier"), after: rapid.Bool().Draw(w.t, "after the commit")}
	if err := w.applyWith(store); err != nil && !errors.Is(err, errKilled) {
		w.t.Fatal(err)
	}
}

func (w *pipeline) applyWith(store applier.Store) error {
	_, last, err := w.log.Bounds(w.ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	a := applier.New(w.application(), store, w.log)
	ended, arrived := make(chan error, 1), make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	go func() { arrived <- a.WaitFor(ctx, last) }()
	select {
	case err = <-ended:
		return err
	case err = <-arrived:
		cancel()
		<-ended
		return err
	}
}

// handle lets the callbacks deactivate who left, now and then.
func (w *pipeline) handle() {
	if rapid.Bool().Draw(w.t, "callbacks") {
		w.handleAll()
	}
}

func (w *pipeline) handleAll() {
	if _, err := callbacks.New(callbacks.Config{Target: "default", Callbacks: []string{callbacks.Deactivate}}, w.store).RunOnce(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

// settle ends all accidents and holds, lets everything run to its end, and compares.
func (w *pipeline) settle() {
	w.Recover()
	w.run(nil)
	for range 5 { // what is released may bring what waited behind it
		var all []*proto.Verdict
		for _, h := range w.held() {
			all = append(all, &proto.Verdict{Hash: h.Hash, Decision: proto.Decision_DECISION_APPROVE, By: "ada", Reason: "seen"})
		}
		if len(all) == 0 {
			break
		}
		w.run(all)
	}
	w.run(nil) // the names of those who are deactivated by now go to who waits for them
	if left := w.held(); len(left) > 0 {
		w.t.Fatalf("still held: %+v", left)
	}
	w.wantEqual()
	w.wantLocalsUntouched()
	before := testenv.Writes(w.tb, w.dsn)
	w.run(nil)
	if written := testenv.Writes(w.tb, w.dsn).Since(before); written != "" {
		w.t.Fatalf("rule 7: nothing changed, and this was written:\n%s", written)
	}
}

func (w *pipeline) run(verdicts []*proto.Verdict) {
	if _, err := extractor.New(w.extraction(), w.Life, w.log).Pass(w.ctx, extractor.Options{Verdicts: verdicts}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.applyWith(w.store); err != nil {
		w.t.Fatal(err)
	}
	w.handleAll()
}

// wantEqual compares everybody in the directory with the accounts that aren't local.
func (w *pipeline) wantEqual() {
	want := w.Truth()
	var got []string
	for _, row := range w.db.Rows(`SELECT u.username, u.first_name, u.last_name, u.email, u.is_active, (SELECT coalesce(group_concat(name, ','), '') FROM
		(SELECT g.name FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE m.user_id = u.id ORDER BY g.name))
		FROM auth_user u JOIN ldapsync_link l ON l.kind = 'user' AND l.pk = CAST(u.id AS text) AND l.state = 'present' ORDER BY 1`) {
		got = append(got, fmt.Sprintf("%v|%v|%v|%v|%v|%v", row[0], row[1], row[2], row[3], fmt.Sprint(row[4]) == "1" || row[4] == true, row[5]))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Fatalf("rule 3: %d accounts, %d people; the first that differ:\n%s", len(got), len(want), firstDifference(got, want))
	}
	if n := w.db.Int(`SELECT count(*) FROM auth_user u JOIN ldapsync_link l ON l.kind = 'user' AND l.pk = CAST(u.id AS text) AND l.state = 'gone' WHERE u.is_active`); n > 0 {
		w.t.Fatalf("%d accounts of people who left are still active", n)
	}
}
