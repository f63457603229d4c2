package proto_test

import (
	"fmt"
	"testing"

	"ldapsync/proto"
)

// benchBatch is a batch about as large as the extractor makes them.
func benchBatch() *proto.UserUpserted {
	m := &proto.UserUpserted{Snapshot: 1, DigestVersion: proto.DigestVersion}
	for i := range 400 {
		uid := fmt.Sprintf("u%07d", i)
		u := &proto.User{
			Id: fmt.Sprintf("6b5b3b2c-6a39-4d3c-9f0a-%012x", i), Dn: "uid=" + uid + ",ou=people,dc=example,dc=org",
			Attributes: []*proto.Attribute{
				{Name: "uid", Values: []string{uid}}, {Name: "givenName", Values: []string{"Jürgen"}},
				{Name: "sn", Values: []string{"Świątek"}}, {Name: "mail", Values: []string{uid + "@example.org"}},
			},
			GroupIds: []string{"0d9d7f1f-6a39-4d3c-9f0a-6b5b3b2c6d01"},
		}
		d := proto.DigestUser(u)
		m.Ids, m.Users, m.Digests = append(m.Ids, u.Id), append(m.Users, u), append(m.Digests, d[:]...)
	}
	return m
}

func benchEvent(b *testing.B, m *proto.UserUpserted) proto.Event {
	b.Helper()
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		b.Fatal(err)
	}
	return proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: 1}
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

func BenchmarkDigest(b *testing.B) {
	users := benchBatch().Users
	b.ReportAllocs()
	for b.Loop() {
		for _, u := range users {
			proto.DigestUser(u)
		}
	}
	perEntry(b, len(users))
}

func BenchmarkEncode(b *testing.B) {
	for name, contentType := range map[string]string{"protobuf": proto.ContentTypeProtobuf, "json": proto.ContentTypeJSON} {
		b.Run(name, func(b *testing.B) {
			m := benchBatch()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := proto.Marshal(contentType, m); err != nil {
					b.Fatal(err)
				}
			}
			perEntry(b, len(m.Users))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	m := benchBatch()
	e := benchEvent(b, m)
	b.SetBytes(int64(len(e.Data)))
	b.ReportAllocs()
	for b.Loop() {
		var into proto.UserUpserted
		if err := proto.Unmarshal(e, &into); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, len(m.Users))
}

// What a fold costs: ids and digests, without the entries.
func BenchmarkReadIndex(b *testing.B) {
	m := benchBatch()
	e := benchEvent(b, m)
	b.SetBytes(int64(len(e.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proto.ReadIndex(e); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, len(m.Users))
}

// One user of a batch, as whoever looks for last-known entries picks them.
func BenchmarkPickUsers(b *testing.B) {
	m := benchBatch()
	e := benchEvent(b, m)
	one := m.Ids[len(m.Ids)/2]
	b.SetBytes(int64(len(e.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if users, err := proto.PickUsers(e, func(id string) bool { return id == one }); err != nil || len(users) != 1 {
			b.Fatal(users, err)
		}
	}
	perEntry(b, len(m.Users))
}
