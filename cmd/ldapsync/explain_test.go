package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// What is said of a user is what is said of her after decoding everybody.
func TestExplainFindsAsIfAllWereDecoded(t *testing.T) {
	p := openPast(t, pastEvents(t, 100))
	names := []string{
		idOfPerson(7), dnOfPerson(8), strings.ToUpper(dnOfPerson(9)), "u0000010", "U0000011", "u0000012@EXAMPLE.org",
		"Given13", "Sur0014", "SUR0015", // an old value of one, the new one of another
		"Świątek", "ŚWIĄTEK", "berlin", // of many
		"\u212aim", "kim", "Weiſs", "WEISS", "weiß", // folded as Unicode has it, and no further
		"u0000000", "u0000001", "u0000002", "u0000003", // missing, removed, returned by another name, returned as she was
		"u0000002-again", "old-u0000004", "u0000004", "u0000005", // renamed; retained
		"", "nobody", "dc=org", "\xff", "g1", "present",
	}
	for _, name := range names {
		got, want := explainedText(p.explain(t.Context(), name)), explainedText(p.explainDecoding(t.Context(), name))
		if got != want {
			t.Errorf("%q:\n%s\nwant\n%s", name, got, want)
		}
	}
	for name, want := range map[string]string{"u0000000": `"state":"missing"`, "u0000001": `"state":"removed"`, "u0000002-again": `"what":"returned"`,
		"kim": `"id":"` + idOfPerson(20) + `"`, "weiss": `"id":"` + idOfPerson(21) + `"`, "weiß": `"id":"` + idOfPerson(22) + `"`, "U0000011": `cn=g11,ou=groups`,
		"berlin": "that may be", "nobody": "null", "dc=org": "null"} {
		if got := explainedText(p.explain(t.Context(), name)); !strings.Contains(got, want) {
			t.Errorf("%q: no %s in %s", name, want, got)
		}
	}
}

// BenchmarkExplain explains one of 100,000 users, whose history has two full snapshots in it: from an embedded stream, and from one in memory, which shows
// what reading costs beyond the stream's own work.
func BenchmarkExplain(b *testing.B) {
	events := pastEvents(b, 100_000)
	for where, p := range map[string]past{"stream": openPast(b, onBus(b, events)), "memory": openPast(b, events)} {
		for how, explain := range map[string]func(context.Context, string) (*explained, error){"decoding": p.explainDecoding, "scanning": p.explain} {
			b.Run(where+"/"+how, func(b *testing.B) {
				b.ReportAllocs()
				var peak uint64
				for b.Loop() {
					stop := watchHeap(&peak)
					x, err := explain(b.Context(), "U0050000")
					stop()
					if err != nil || x == nil || x.Entry.ID != idOfPerson(50_000) {
						b.Fatal(x, err)
					}
				}
				b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			})
		}
	}
}

// watchHeap notes the most that the heap holds above what it holds now, until stop.
func watchHeap(peak *uint64) (stop func()) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !done.Load() {
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapAlloc-min(before, m.HeapAlloc))
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() { done.Store(true); <-ended }
}

// explainDecoding is explain as it was first: all that is there is decoded.
func (p past) explainDecoding(ctx context.Context, name string) (*explained, error) {
	state, err := p.State(ctx, p.Now())
	if err != nil {
		return nil, err
	}
	f := finder{name: name, usernames: usernames(p.cfg, p.source.Name)}
	for e, err := range state.Entries(ctx, proto.KindUser) {
		if err != nil {
			return nil, err
		}
		f.look(e)
	}
	x := &explained{Source: p.source.Name, State: "present"}
	if f.rank == 0 {
		x.State = "removed"
		for e, err := range p.Removed(ctx, nil) {
			if err != nil {
				return nil, err
			}
			f.look(e)
		}
	}
	e, err := f.found()
	if err != nil || e == nil {
		return nil, err
	}
	if e.Missing {
		x.State = "missing"
	}
	groups := map[string]string{}
	for g, err := range state.Entries(ctx, proto.KindGroup) {
		if err != nil {
			return nil, err
		}
		groups[g.ID()] = strings.Clone(g.DN())
	}
	p.describe(x, e, groups)
	if err := p.holding(ctx, x); err != nil {
		return nil, err
	}
	return x, p.happened(ctx, x)
}

func explainedText(x *explained, err error) string {
	text, failed := json.Marshal(x)
	if failed != nil {
		err = failed
	}
	return fmt.Sprint(string(text), err)
}

func idOfPerson(i int) string { return fmt.Sprintf("6b5b3b2c-6a39-4d3c-9f0a-%012x", i) }
func dnOfPerson(i int) string { return fmt.Sprintf("uid=u%07d,ou=people,dc=example,dc=org", i) }

// person is one of two groups. In the second snapshot every tenth has another surname.
func person(i, snapshot int) *proto.User {
	uid, surname, town := fmt.Sprintf("u%07d", i), fmt.Sprintf("Sur%04d", i), "Hamburg"
	if snapshot > 1 && i%10 == 4 {
		surname += "-King"
	}
	if i%2 == 0 {
		town = "Berlin"
	}
	given := fmt.Sprintf("Given%d", i)
	switch i {
	case 4:
		if snapshot == 1 {
			uid = "old-" + uid
		}
	case 20:
		given = "Kim"
	case 21:
		given = "Weiss"
	case 22:
		given = "Weiß"
	}
	return &proto.User{Id: idOfPerson(i), Dn: dnOfPerson(i), GroupIds: []string{"g0", fmt.Sprintf("g%d", i%100)}, Attributes: []*proto.Attribute{
		{Name: "uid", Values: []string{uid}}, {Name: "givenName", Values: []string{given, "Świątek"}}, {Name: "sn", Values: []string{surname}},
		{Name: "mail", Values: []string{uid + "@example.org"}}, {Name: "l", Values: []string{town}}, {Name: "jpegPhoto", Binary: [][]byte{{0xff, 0}}}}}
}

// pastEvents are those of a directory with n users and 100 groups: two full snapshots, and in a third one somebody is missing, somebody was
// removed, and two have come back.
func pastEvents(t testing.TB, n int) memoryLog {
	t.Helper()
	w := &pastWriter{t: t, json: n < 10_000}
	for snapshot := 1; snapshot <= 2; snapshot++ {
		w.full(uint64(snapshot), n)
	}
	w.publish(proto.TypeSnapshotStarted, &proto.SnapshotStarted{Snapshot: 3})
	w.publish(proto.TypeUserMissing, &proto.UserMissing{Snapshot: 3, User: person(0, 2), Reason: "not found"})
	for i := 1; i <= 3; i++ {
		w.publish(proto.TypeUserRemoved, &proto.UserRemoved{Snapshot: 3, User: person(i, 2), Reason: "not found"})
	}
	again := person(2, 2)
	again.Attributes[0].Values[0] += "-again"
	w.users(3, again, person(3, 2))
	w.publish(proto.TypeGroupRemoved, &proto.GroupRemoved{Snapshot: 3, Group: &proto.Group{Id: "g7", Dn: "cn=g7,ou=groups"}})
	w.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 3, FullSequence: w.began})
	return w.events
}

// openPast is the past of source corp, read from a log.
func openPast(t testing.TB, log history.Log) past {
	t.Helper()
	h, err := history.Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Sources: []config.Source{{Name: "corp"}}, Targets: []config.Target{{Name: "shop", Sources: []string{"corp"}}}}
	cfg.Targets[0].Users.UsernameField = "username"
	cfg.Targets[0].Users.Attributes = config.Attributes{{Name: "uid", Column: "username"}}
	return past{History: h, cfg: cfg, source: &cfg.Sources[0]}
}

// onBus publishes events to an embedded stream.
func onBus(t testing.TB, events []proto.Event) *bus.Log {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	log.Begin(0)
	for _, e := range events {
		e.ID, e.Sequence, e.Time = fmt.Sprintf("%s/1/x.%d", log.StreamID(), e.Sequence), 0, time.Time{}
		if _, err := log.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return log
}

// memoryLog is a stream in memory, by sequence - 1.
type memoryLog []proto.Event

func (l memoryLog) Bounds(context.Context) (first, last uint64, err error) {
	return 1, uint64(len(l)), nil
}

func (l memoryLog) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range l[max(from, 1)-1 : min(to, uint64(len(l)))] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (l memoryLog) Since(_ context.Context, _ time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range l {
			if slices.Contains(types, e.Type) && !yield(e, nil) {
				return
			}
		}
	}
}

func (l memoryLog) Get(_ context.Context, sequence uint64) (proto.Event, error) {
	return l[sequence-1], nil
}

// pastWriter publishes what an extractor would.
type pastWriter struct {
	t      testing.TB
	json   bool // some of it
	events memoryLog
	began  uint64 // the sequence at which the last full snapshot begins
}

func (w *pastWriter) publish(kind proto.Type, m proto.Message) {
	w.t.Helper()
	contentType, n := proto.ContentTypeProtobuf, uint64(len(w.events)+1)
	if w.json && n%7 == 3 {
		contentType = proto.ContentTypeJSON
	}
	data, err := proto.Marshal(contentType, m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.events = append(w.events, proto.Event{Type: kind, ContentType: contentType, Data: data, Sequence: n, Time: time.Unix(int64(n), 0)})
}

func (w *pastWriter) full(snapshot uint64, n int) {
	const size = 400
	w.publish(proto.TypeSnapshotStarted, &proto.SnapshotStarted{Snapshot: snapshot, Full: true, Server: "ldap://test", Question: &proto.Question{IdAttribute: "entryUUID"}})
	w.began = uint64(len(w.events))
	groups := &proto.GroupUpserted{Snapshot: snapshot, DigestVersion: proto.DigestVersion}
	for i := range 100 {
		g := &proto.Group{Id: fmt.Sprintf("g%d", i), Dn: fmt.Sprintf("cn=g%d,ou=groups", i)}
		d := proto.DigestGroup(g)
		groups.Ids, groups.Digests, groups.Groups = append(groups.Ids, g.Id), append(groups.Digests, d[:]...), append(groups.Groups, g)
	}
	w.publish(proto.TypeGroupUpserted, groups)
	for i := 0; i < n; i += size {
		var batch []*proto.User
		for j := i; j < min(i+size, n); j++ {
			batch = append(batch, person(j, int(snapshot)))
		}
		w.users(snapshot, batch...)
	}
	w.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: snapshot, Full: true, StartedSequence: w.began, FullSequence: w.began})
}

func (w *pastWriter) users(snapshot uint64, users ...*proto.User) {
	m := &proto.UserUpserted{Snapshot: snapshot, DigestVersion: proto.DigestVersion, Users: users, Retained: make([]proto.Retained, len(users))}
	for i, u := range users {
		d := proto.DigestUser(u)
		m.Ids, m.Digests = append(m.Ids, u.Id), append(m.Digests, d[:]...)
		if u.Id == idOfPerson(5) {
			m.Retained[i] = proto.Retained_RETAINED_HELD
		}
	}
	w.publish(proto.TypeUserUpserted, m)
}
