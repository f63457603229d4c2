package applier

import (
	"fmt"
	"testing"

	"ldapsync/proto"
)

const benchUsers = 2000 // as many as one transaction takes

// benchEvent is one event with all of them.
func benchEvent(b *testing.B) proto.Event {
	b.Helper()
	m := &proto.UserUpserted{Snapshot: 1, DigestVersion: proto.DigestVersion}
	for i := range benchUsers {
		uid := fmt.Sprintf("u%07d", i)
		u := &proto.User{
			Id: fmt.Sprintf("6b5b3b2c-6a39-4d3c-9f0a-%012x", i), Dn: "uid=" + uid + ",ou=people,dc=example,dc=org",
			Attributes: []*proto.Attribute{
				{Name: "uid", Values: []string{uid}}, {Name: "givenName", Values: []string{"Jürgen"}},
				{Name: "sn", Values: []string{"Świątek"}}, {Name: "mail", Values: []string{uid}},
			},
			GroupIds: []string{fmt.Sprint("gid-", i%10)},
		}
		d := proto.DigestUser(u)
		m.Ids, m.Users, m.Digests = append(m.Ids, u.Id), append(m.Users, u), append(m.Digests, d[:]...)
	}
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		b.Fatal(err)
	}
	return proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: 1}
}

func benchSettings(b *testing.B) settings {
	b.Helper()
	users, err := NewMapping(table{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		b.Fatal(err)
	}
	groups, err := NewMapping(groupTable{}, []Field{{Column: "name", From: []string{"cn"}}})
	if err != nil {
		b.Fatal(err)
	}
	return Config{Target: "default", Source: "corp", Users: users, Groups: groups, Memberships: true}.settings(proto.KindUser)
}

func perEntry(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchUsers, "ns/entry")
}

func BenchmarkDecodeEvent(b *testing.B) {
	e := benchEvent(b)
	b.ReportAllocs()
	for b.Loop() {
		var all batches
		if err := all.event(e); err != nil || all.n != benchUsers {
			b.Fatal(all.n, err)
		}
	}
	perEntry(b)
}

func BenchmarkMap(b *testing.B) {
	var all batches
	if err := all.event(benchEvent(b)); err != nil {
		b.Fatal(err)
	}
	s := benchSettings(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, it := range all.runs[0].items {
			if _, err := s.mapping.Values(it.entry); err != nil {
				b.Fatal(err)
			}
		}
	}
	perEntry(b)
}

// Gather and plan for users that the database doesn't have; it answers at once.
func BenchmarkPlanNew(b *testing.B) {
	var all batches
	if err := all.event(benchEvent(b)); err != nil {
		b.Fatal(err)
	}
	s := benchSettings(b)
	b.ReportAllocs()
	for b.Loop() {
		items, f, err := gather(b.Context(), nothing{}, s, all.runs[0].items, true)
		if err != nil {
			b.Fatal(err)
		}
		changes, err := plan(s, f, items)
		if err != nil || len(changes) != benchUsers || changes[0].Action != Create {
			b.Fatal(changes[0], err)
		}
	}
	perEntry(b)
}

// The same for users whose links say that nothing changed.
func BenchmarkPlanUnchanged(b *testing.B) {
	var all batches
	if err := all.event(benchEvent(b)); err != nil {
		b.Fatal(err)
	}
	s := benchSettings(b)
	m := newMemory()
	for _, it := range all.runs[0].items {
		m.over.links[proto.KindUser][it.id] = Link{
			Source: s.source, Kind: s.kind, ID: it.id, PK: it.id, State: Present, Digest: it.digest, Mapping: s.hash,
		}
	}
	r := memoryTx{m, m.over}
	b.ReportAllocs()
	for b.Loop() {
		items, f, err := gather(b.Context(), r, s, all.runs[0].items, true)
		if err != nil {
			b.Fatal(err)
		}
		changes, err := plan(s, f, items)
		if err != nil || len(changes) != benchUsers || changes[0].Action != Unchanged {
			b.Fatal(changes[0], err)
		}
	}
	perEntry(b)
}
