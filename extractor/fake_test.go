package extractor_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// directory is a directory in memory that can be made to misbehave.
type directory struct {
	id     string
	users  []extractor.Record
	groups []extractor.Record

	hide      map[string]bool // ids that listings lack and look-ups find
	failAfter int             // users listed before the connection is cut; -1: never
	onUsers   func()          // called before users are listed
	lookups   int
	groupsOf  int      // how often a user's groups were asked for
	noLookup  bool     // look-ups fail
	filter    string   // of users
	asked     []string // names of attributes
	bases     []string
	teams     string // filter of groups
	scope     string
	context   string // naming context
	server    string
}

func newDirectory() *directory {
	return &directory{
		id: "entryUUID", failAfter: -1, hide: map[string]bool{}, filter: "(uid=*)", teams: "(cn=*)", scope: "subtree", context: "dc=x", bases: []string{"dc=x"}, server: "ldap://test",
	}
}

func (d *directory) Open(_ context.Context, pinned string) (extractor.Session, error) {
	return &session{d}, nil
}

type session struct{ *directory }

func (s *session) Close() error { return nil }

func (s *session) Info() extractor.Info {
	return extractor.Info{Server: s.server, Question: &proto.Question{
		Bases: s.bases, UserFilter: s.filter, GroupFilter: s.teams, Scope: s.scope, NamingContext: s.context, IdAttribute: s.id, Attributes: s.asked,
	}}
}

func (s *session) Users(context.Context) iter.Seq2[[]extractor.Record, error] {
	if s.onUsers != nil {
		s.onUsers()
	}
	return s.list(s.users, s.failAfter)
}

func (s *session) Groups(context.Context) iter.Seq2[[]extractor.Record, error] {
	return s.list(s.groups, -1)
}

func (s *session) list(all []extractor.Record, fail int) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		listed := 0
		for page := range slices.Chunk(all, 10) {
			var batch []extractor.Record
			for _, r := range page {
				if listed == fail {
					yield(nil, fmt.Errorf("connection cut"))
					return
				}
				listed++
				if !s.hide[r.ID] {
					batch = append(batch, r)
				}
			}
			if !yield(batch, nil) {
				return
			}
		}
		if fail >= listed {
			yield(nil, fmt.Errorf("connection cut"))
		}
	}
}

func (s *session) Lookup(_ context.Context, kind proto.Kind, ids []string) ([]extractor.Record, error) {
	s.lookups++
	if s.noLookup {
		return nil, fmt.Errorf("connection cut")
	}
	all := s.users
	if kind == proto.KindGroup {
		all = s.groups
	}
	var found []extractor.Record
	for _, r := range all {
		if slices.Contains(ids, r.ID) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (s *session) GroupsOf(_ context.Context, user extractor.Record) ([]extractor.Record, error) {
	s.groupsOf++
	var found []extractor.Record
	for _, g := range s.groups {
		if slices.Contains(g.Members, user.DN) {
			found = append(found, g)
		}
	}
	return found, nil
}

func (s *session) Group(_ context.Context, dn string) (extractor.Record, error) {
	for _, g := range s.groups {
		if strings.EqualFold(g.DN, dn) {
			return g, nil
		}
	}
	return extractor.Record{}, proto.ErrNotFound
}

func dn(uid string) string { return "uid=" + uid + ",ou=people,dc=x" }

func (d *directory) hire(uids ...string) {
	for _, uid := range uids {
		d.users = append(d.users, extractor.Record{
			ID: "id-" + uid, DN: dn(uid), UID: uid,
			Attributes: []extractor.Attribute{{Name: "uid", Values: []string{uid}}, {Name: "mail", Values: []string{uid + "@x"}}},
		})
	}
}

func (d *directory) leave(uid string) {
	d.users = slices.DeleteFunc(d.users, func(r extractor.Record) bool { return r.ID == "id-"+uid })
}

func (d *directory) user(uid string) *extractor.Record {
	i := slices.IndexFunc(d.users, func(r extractor.Record) bool { return r.ID == "id-"+uid })
	return &d.users[i]
}

func (d *directory) set(uid, attribute, value string) {
	r := d.user(uid)
	for i, a := range r.Attributes {
		if a.Name == attribute {
			r.Attributes[i].Values = []string{value}
			return
		}
	}
	r.Attributes = append(slices.Clone(r.Attributes), extractor.Attribute{Name: attribute, Values: []string{value}})
}

func (d *directory) team(cn string, uids ...string) {
	d.groups = slices.DeleteFunc(d.groups, func(r extractor.Record) bool { return r.ID == "gid-"+cn })
	g := extractor.Record{
		ID: "gid-" + cn, DN: "cn=" + cn + ",ou=groups,dc=x",
		Attributes: []extractor.Attribute{{Name: "cn", Values: []string{cn}}},
	}
	for _, uid := range uids {
		g.Members = append(g.Members, dn(uid))
	}
	d.groups = append(d.groups, g)
}

// env is a source with its stream.
type env struct {
	*directory
	t   *testing.T
	bus *bus.Bus
	log *bus.Log
	cfg extractor.Config
}

func newEnv(t *testing.T) *env {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	return &env{directory: newDirectory(), t: t, bus: b, log: log, cfg: extractor.Config{
		Source: "corp", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true,
		SpoolDir: t.TempDir(), FullEvery: time.Hour, Version: "test",
	}}
}

func (e *env) extractor() *extractor.Extractor { return extractor.New(e.cfg, e.directory, e.log) }

func (e *env) pass() *extractor.Summary {
	e.t.Helper()
	return e.passWith(extractor.Options{})
}

func (e *env) passWith(o extractor.Options) *extractor.Summary {
	e.t.Helper()
	s, err := e.extractor().Pass(e.t.Context(), o)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// published is what the events behind a sequence say, a line each.
func (e *env) published(after uint64) []string {
	e.t.Helper()
	_, last, err := e.log.Bounds(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for ev, err := range e.log.Read(e.t.Context(), after+1, last) {
		if err != nil {
			e.t.Fatal(err)
		}
		lines = append(lines, describe(e.t, ev)...)
	}
	return lines
}

func describe(t *testing.T, ev proto.Event) []string {
	t.Helper()
	var lines []string
	must := func(m proto.Message) {
		if err := proto.Unmarshal(ev, m); err != nil {
			t.Fatal(err)
		}
	}
	switch ev.Type {
	case proto.TypeUserUpserted:
		var m proto.UserUpserted
		must(&m)
		for i, u := range m.Users {
			line := "user " + u.Id
			if len(u.GroupIds) > 0 {
				line += " in " + strings.Join(u.GroupIds, " ")
			}
			if len(m.Retained) > 0 && m.Retained[i] != 0 {
				line += " " + strings.ToLower(strings.TrimPrefix(m.Retained[i].String(), "RETAINED_"))
			}
			lines = append(lines, line)
		}
	case proto.TypeGroupUpserted:
		var m proto.GroupUpserted
		must(&m)
		for i, g := range m.Groups {
			line := "group " + g.Id
			if len(m.Retained) > 0 && m.Retained[i] != 0 {
				line += " " + strings.ToLower(strings.TrimPrefix(m.Retained[i].String(), "RETAINED_"))
			}
			lines = append(lines, line)
		}
	case proto.TypeUserRemoved:
		var m proto.UserRemoved
		must(&m)
		lines = append(lines, "removed "+m.User.Id+" "+m.User.Dn)
	case proto.TypeUserMissing:
		var m proto.UserMissing
		must(&m)
		lines = append(lines, "missing "+m.User.Id)
	case proto.TypeSnapshotDecided:
		var m proto.SnapshotDecided
		must(&m)
		decision := strings.ToLower(strings.TrimPrefix(m.Verdict.Decision.String(), "DECISION_"))
		lines = append(lines, fmt.Sprintf("decided %s %d", decision, m.Entries))
	case proto.TypeGroupRemoved:
		var m proto.GroupRemoved
		must(&m)
		lines = append(lines, "removed "+m.Group.Id)
	case proto.TypeSnapshotStarted:
		var m proto.SnapshotStarted
		must(&m)
		kind := "delta"
		if m.Full {
			kind = "full"
		}
		lines = append(lines, fmt.Sprintf("started %d %s", m.Snapshot, kind))
	case proto.TypeSnapshotCommitted:
		var m proto.SnapshotCommitted
		must(&m)
		lines = append(lines, fmt.Sprintf("committed %d", m.Snapshot))
	case proto.TypeSnapshotHeld:
		lines = append(lines, "held")
	case proto.TypeSnapshotAborted:
		var m proto.SnapshotAborted
		must(&m)
		lines = append(lines, fmt.Sprintf("aborted %d", m.Snapshot))
	}
	return lines
}

func (e *env) want(after uint64, lines ...string) {
	e.t.Helper()
	if got := e.published(after); !slices.Equal(got, lines) {
		e.t.Errorf("published:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}
