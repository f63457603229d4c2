package extractor

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"ldapsync/proto"
)

const benchUsers = 10_000

func benchRecords() []Record {
	records := make([]Record, benchUsers)
	for i := range records {
		uid := fmt.Sprintf("u%07d", i)
		records[i] = Record{
			ID: fmt.Sprintf("6b5b3b2c-6a39-4d3c-9f0a-%012x", i), DN: "uid=" + uid + ",ou=people,dc=example,dc=org", UID: uid,
			Attributes: []Attribute{
				{Name: "uid", Values: []string{uid}}, {Name: "givenName", Values: []string{"Jürgen"}},
				{Name: "sn", Values: []string{"Świątek"}}, {Name: "mail", Values: []string{uid + "@example.org"}},
			},
		}
	}
	return records
}

// benchGroups has one group for each 200 users, with 200 members.
func benchGroups(users []Record) []Record {
	var groups []Record
	for members := range slices.Chunk(users, 200) {
		g := Record{ID: fmt.Sprintf("0d9d7f1f-6a39-4d3c-9f0a-%012x", len(groups)), DN: fmt.Sprintf("cn=g%d,ou=groups,dc=example,dc=org", len(groups))}
		g.Attributes = []Attribute{{Name: "cn", Values: []string{fmt.Sprint("g", len(groups))}}}
		for _, m := range members {
			g.Members = append(g.Members, m.DN)
		}
		groups = append(groups, g)
	}
	return groups
}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

// listed is a directory that only lists what it holds.
type listed struct {
	Session
	users, groups []Record
}

func (d *listed) Open(context.Context, string) (Session, error) { return d, nil }
func (d *listed) Close() error                                  { return nil }

func (d *listed) Info() Info {
	return Info{Server: "ldap://bench", Question: &proto.Question{Bases: []string{"dc=example,dc=org"}, IdAttribute: "entryUUID"}}
}

func (d *listed) Users(context.Context) iter.Seq2[[]Record, error]  { return pages(d.users) }
func (d *listed) Groups(context.Context) iter.Seq2[[]Record, error] { return pages(d.groups) }

func pages(all []Record) iter.Seq2[[]Record, error] {
	return func(yield func([]Record, error) bool) {
		for page := range slices.Chunk(all, 1000) {
			if !yield(slices.Clone(page), nil) {
				return
			}
		}
	}
}

func benchConfig() Config {
	return Config{Source: "bench", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true}
}

// Normalize, digest, compare with an empty baseline, encode: all that lies between the directory and the stream.
func BenchmarkPreview(b *testing.B) {
	users := benchRecords()
	d := &listed{users: users, groups: benchGroups(users)}
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(benchConfig(), d, nil).Preview(b.Context(), false, func(proto.Event) error { return nil })
		if err != nil || s.Users.Added != benchUsers {
			b.Fatal(s, err)
		}
	}
	perEntry(b, benchUsers)
}

func benchPass() *pass {
	users := benchRecords()
	d := &listed{users: users, groups: benchGroups(users)}
	p := New(benchConfig(), d, nil).newPass(newState(), d, func(context.Context, proto.Event) (uint64, error) { return 1, nil })
	for _, g := range d.groups {
		p.members.group(g.ID, g)
	}
	p.members.sort()
	return p
}

func BenchmarkNormalize(b *testing.B) {
	p, records := benchPass(), benchRecords()
	b.ReportAllocs()
	for b.Loop() {
		for i := range records {
			p.user(records[i])
		}
	}
	perEntry(b, benchUsers)
}

func BenchmarkFoldDN(b *testing.B) {
	for name, dn := range map[string]string{
		"plain": "uid=u0000001,ou=people,dc=example,dc=org", "escaped": `CN=Świątek\, Jürgen,OU=Łódź,DC=example,DC=org`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				foldDN(dn)
			}
		})
	}
}

// Memberships are joined by a table of hashes.
func BenchmarkMemberships(b *testing.B) {
	users := benchRecords()
	groups := benchGroups(users)
	b.ReportAllocs()
	for b.Loop() {
		m := newMemberships()
		for _, g := range groups {
			m.group(g.ID, g)
		}
		m.sort()
		for i := range users {
			if len(m.of(users[i], false)) != 1 {
				b.Fatal("not in one group")
			}
		}
	}
	perEntry(b, benchUsers)
}

// What the compare of an entry costs that is known and hasn't changed.
func BenchmarkCompare(b *testing.B) {
	records := benchRecords()
	var table baseline
	d := proto.Digest{1}
	for i := range records {
		table.upsert(keyOf(records[i].ID), d, 1, proto.Retained_RETAINED_UNSPECIFIED)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range records {
			if k := table.put(keyOf(records[i].ID)); k.digest != d {
				b.Fatal("changed")
			}
		}
	}
	perEntry(b, benchUsers)
}

// What a pass begins with: the stream's events become the baseline.
func BenchmarkFold(b *testing.B) {
	users := benchRecords()
	d := &listed{users: users}
	var events []proto.Event
	if _, err := New(benchConfig(), d, nil).Preview(b.Context(), false, func(e proto.Event) error {
		e.Sequence = uint64(len(events) + 1)
		events = append(events, e)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s := newState()
		for _, e := range events {
			if err := s.take(e); err != nil {
				b.Fatal(err)
			}
		}
		if s.kinds[proto.KindUser].live != benchUsers {
			b.Fatal(s.kinds[proto.KindUser].live)
		}
	}
	perEntry(b, benchUsers)
}
