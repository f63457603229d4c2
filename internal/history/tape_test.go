package history_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"ldapsync/internal/history"
	"ldapsync/proto"
)

var (
	_ history.Log = (*tape)(nil)
	// noon is when the first event of a tape was stored; each further one a minute later.
	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// tape is a stream in memory, with a writer that speaks the domain.
type tape struct {
	t      fataler
	events []proto.Event // by sequence - 1; without a type: erased
	first  uint64

	snapshot, started, full uint64
	isFull                  bool
	plain                   bool // protobuf alone, else JSON in between
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func newTape(t fataler) *tape { return &tape{t: t, first: 1} }

func (s *tape) Bounds(context.Context) (uint64, uint64, error) {
	return s.first, uint64(len(s.events)), nil
}

func (s *tape) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range s.events {
			if e.Type != "" && e.Sequence >= max(from, s.first) && e.Sequence <= to && !yield(e, nil) {
				return
			}
		}
	}
}

func (s *tape) Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for e, err := range s.Read(ctx, 1, uint64(len(s.events))) {
			if !e.Time.Before(from) && slices.Contains(types, e.Type) && !yield(e, err) {
				return
			}
		}
	}
}

func (s *tape) Get(_ context.Context, sequence uint64) (proto.Event, error) {
	if sequence < s.first || sequence > uint64(len(s.events)) || s.events[sequence-1].Type == "" {
		return proto.Event{}, fmt.Errorf("sequence %d: %w", sequence, proto.ErrNotFound)
	}
	return s.events[sequence-1], nil
}

func (s *tape) append(kind proto.Type, m proto.Message) uint64 {
	s.t.Helper()
	contentType := proto.ContentTypeProtobuf
	if !s.plain && len(s.events)%7 == 3 {
		contentType = proto.ContentTypeJSON
	}
	data, err := proto.Marshal(contentType, m)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	n := uint64(len(s.events) + 1)
	s.events = append(s.events, proto.Event{Type: kind, ContentType: contentType, Data: data, Sequence: n, Time: noon.Add(time.Duration(n-1) * time.Minute)})
	return n
}

// begin starts a snapshot.
func (s *tape) begin(full bool) {
	s.snapshot++
	s.isFull = full
	s.started = s.append(proto.TypeSnapshotStarted, &proto.SnapshotStarted{Snapshot: s.snapshot, Full: full, Server: "ldap://test",
		Question: &proto.Question{UserFilter: "(uid=*)"}})
}

func (s *tape) commit() {
	if s.isFull {
		s.full = s.started
	}
	s.append(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: s.snapshot, Full: s.isFull, StartedSequence: s.started, FullSequence: s.full,
		Users: &proto.Counts{Read: s.snapshot}, Skipped: []*proto.Skipped{{Dn: "uid=odd", Reason: "no uid"}}})
}

func (s *tape) abort(reason string) {
	s.append(proto.TypeSnapshotAborted, &proto.SnapshotAborted{Snapshot: s.snapshot, Reason: reason})
}

func (s *tape) users(users ...*proto.User) uint64 {
	m := &proto.UserUpserted{Snapshot: s.snapshot, DigestVersion: proto.DigestVersion, Users: users}
	for _, u := range users {
		d := proto.DigestUser(u)
		m.Ids, m.Digests = append(m.Ids, u.Id), append(m.Digests, d[:]...)
	}
	return s.append(proto.TypeUserUpserted, m)
}

func (s *tape) groups(groups ...*proto.Group) uint64 {
	m := &proto.GroupUpserted{Snapshot: s.snapshot, DigestVersion: proto.DigestVersion, Groups: groups}
	for _, g := range groups {
		d := proto.DigestGroup(g)
		m.Ids, m.Digests = append(m.Ids, g.Id), append(m.Digests, d[:]...)
	}
	return s.append(proto.TypeGroupUpserted, m)
}

func (s *tape) missing(u *proto.User) {
	s.append(proto.TypeUserMissing, &proto.UserMissing{Snapshot: s.snapshot, User: u, Reason: "not found"})
}

func (s *tape) remove(u *proto.User) {
	s.append(proto.TypeUserRemoved, &proto.UserRemoved{Snapshot: s.snapshot, User: u, Reason: "not found"})
}

func (s *tape) disband(g *proto.Group) {
	s.append(proto.TypeGroupRemoved, &proto.GroupRemoved{Snapshot: s.snapshot, Group: g, Reason: "not found"})
}

func (s *tape) open() *history.History {
	s.t.Helper()
	h, err := history.Open(context.Background(), s)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return h
}

// user makes one: her mail is pairs[0], the rest are her groups.
func user(id string, pairs ...string) *proto.User {
	u := &proto.User{Id: id, Dn: "uid=" + id + ",ou=people", Attributes: []*proto.Attribute{{Name: "uid", Values: []string{id}}}}
	if len(pairs) > 0 {
		u.Attributes = append(u.Attributes, &proto.Attribute{Name: "mail", Values: []string{pairs[0]}})
		u.GroupIds = pairs[1:]
	}
	return u
}

func group(id string) *proto.Group { return &proto.Group{Id: id, Dn: "cn=" + id + ",ou=groups"} }

func resolve(t *testing.T, h *history.History, ref string) *history.Snapshot {
	t.Helper()
	s, err := h.Resolve(ref, noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
