package proto_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

// tape is a stream in memory; sequences are places, from 1. An event without a type is a hole.
type tape []proto.Event

func (s *tape) append(t fataler, contentType string, kind proto.Type, m proto.Message) {
	e := encoded(t, kind, contentType, m)
	e.Sequence = uint64(len(*s) + 1)
	*s = append(*s, e)
}

func (s tape) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range s {
			if e.Type != "" && e.Sequence >= from && e.Sequence <= to && !yield(e, nil) {
				return
			}
		}
	}
}

// said is what a model remembers of an entry.
type said struct {
	description string // of the user's or group's attribute
	sequence    uint64
	missing     bool
	retained    proto.Retained
}

func word(text string) []*proto.Attribute {
	return []*proto.Attribute{{Name: "description", Values: []string{text}}}
}

// A state is what a map says that takes one event after the other, at any sequence, read from any earlier full snapshot on.
func TestStateEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s tape
		model := map[string]said{}
		states := []map[string]said{{}} // by sequence
		var fulls [][2]uint64           // where they begin and end
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		note := func() {
			states = append(states, maps.Clone(model))
		}
		for step := range rapid.IntRange(1, 30).Draw(t, "events") {
			contentType := rapid.SampledFrom(encodings).Draw(t, "encoding")
			seq, text, id := uint64(len(s)+1), fmt.Sprint("v", step), ids.Draw(t, "id")
			switch rapid.SampledFrom([]string{"users", "users", "groups", "missing", "removed", "disbanded", "bracket", "full", "hole"}).Draw(t, "what") {
			case "users":
				m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
				keep := rapid.Bool().Draw(t, "retained")
				for _, id := range rapid.SliceOfN(ids, 1, 4).Draw(t, "batch") { // perhaps one twice
					u := &proto.User{Id: id, Attributes: word(text + "." + fmt.Sprint(len(m.Ids)))}
					d := proto.DigestUser(u)
					m.Ids, m.Users, m.Digests = append(m.Ids, id), append(m.Users, u), append(m.Digests, d[:]...)
					v := said{description: u.Attributes[0].Values[0], sequence: seq}
					if keep {
						v.retained = rapid.SampledFrom([]proto.Retained{0, proto.Retained_RETAINED_HELD, proto.Retained_RETAINED_MISSING}).Draw(t, "why")
						m.Retained = append(m.Retained, v.retained)
						v.missing = v.retained == proto.Retained_RETAINED_MISSING
					}
					model["user:"+id] = v
				}
				s.append(t, contentType, proto.TypeUserUpserted, m)
			case "groups":
				model["group:"+id] = said{description: text, sequence: seq}
				s.repeat(t, contentType, "group:"+id, model["group:"+id])
			case "missing":
				s.append(t, contentType, proto.TypeUserMissing, &proto.UserMissing{User: &proto.User{Id: id, Attributes: word(text)}})
				model["user:"+id] = said{description: text, sequence: seq, missing: true}
			case "removed":
				s.append(t, contentType, proto.TypeUserRemoved, &proto.UserRemoved{User: &proto.User{Id: id}})
				delete(model, "user:"+id)
			case "disbanded":
				s.append(t, contentType, proto.TypeGroupRemoved, &proto.GroupRemoved{Group: &proto.Group{Id: id}})
				delete(model, "group:"+id)
			case "bracket":
				s.append(t, contentType, proto.TypeSnapshotStarted, &proto.SnapshotStarted{})
			case "hole":
				s = append(s, proto.Event{Sequence: seq})
			case "full": // says everything once more, for whoever reads from here on alone
				s.append(t, contentType, proto.TypeSnapshotStarted, &proto.SnapshotStarted{Full: true})
				note()
				for _, key := range slices.Sorted(maps.Keys(model)) {
					v := model[key]
					v.sequence = uint64(len(s) + 1)
					v.missing = v.retained == proto.Retained_RETAINED_MISSING
					model[key] = v
					s.repeat(t, contentType, key, v)
					note()
				}
				fulls = append(fulls, [2]uint64{seq, uint64(len(s))})
			}
			for len(states) <= len(s) {
				note()
			}
		}
		to := rapid.Uint64Range(0, uint64(len(s))).Draw(t, "to")
		from := []uint64{0, 1}
		for _, full := range fulls {
			if full[1] <= to {
				from = append(from, full[0])
			}
		}
		checkState(t, s, rapid.SampledFrom(from).Draw(t, "from"), to, states[to])
	})
}

// repeat appends an entry of the model as it is.
func (s *tape) repeat(t fataler, contentType, key string, v said) {
	if id, user := strings.CutPrefix(key, "user:"); user {
		u := &proto.User{Id: id, Attributes: word(v.description)}
		d := proto.DigestUser(u)
		s.append(t, contentType, proto.TypeUserUpserted, &proto.UserUpserted{DigestVersion: 1, Ids: []string{id}, Digests: d[:],
			Retained: []proto.Retained{v.retained}, Users: []*proto.User{u}})
		return
	}
	g := &proto.Group{Id: strings.TrimPrefix(key, "group:"), Attributes: word(v.description)}
	d := proto.DigestGroup(g)
	s.append(t, contentType, proto.TypeGroupUpserted, &proto.GroupUpserted{DigestVersion: 1, Ids: []string{g.Id}, Digests: d[:], Groups: []*proto.Group{g}})
}

func checkState(t *rapid.T, s tape, from, to uint64, want map[string]said) {
	state, err := proto.ReadState(context.Background(), s, from, to)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as often as one likes
		got, counts := map[string]said{}, map[proto.Kind]int{}
		for e, err := range state.Entries(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			key := string(e.Kind) + ":" + e.ID()
			if _, again := got[key]; again {
				t.Fatalf("%s is handed out twice", key)
			}
			got[key] = said{e.Attributes()[0].Values[0], e.Sequence, e.Missing, e.Retained}
			counts[e.Kind]++
			if e.Kind == proto.KindUser && e.Digest != proto.DigestUser(e.User) || e.Kind == proto.KindGroup && e.Digest != proto.DigestGroup(e.Group) {
				t.Fatalf("%s has the digest of another", key)
			}
			if at, ok := state.Find(e.Kind, e.ID()); !ok || at != e.Sequence {
				t.Fatalf("%s: found %d %t, not %d", key, at, ok, e.Sequence)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("state from %d to %d: %v\nwant %v", from, to, got, want)
		}
		if state.Len(proto.KindUser) != counts[proto.KindUser] || state.Len(proto.KindGroup) != counts[proto.KindGroup] {
			t.Fatalf("%d users, %d groups, but %v", state.Len(proto.KindUser), state.Len(proto.KindGroup), counts)
		}
	}
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		n := 0
		for e, err := range state.Entries(context.Background(), kind) {
			if err != nil || e.Kind != kind {
				t.Fatalf("one of the %ss: %+v, %v", kind, e, err)
			}
			n++
		}
		if n != state.Len(kind) {
			t.Fatalf("%d of %d %ss", n, state.Len(kind), kind)
		}
	}
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		if _, there := want["user:"+id]; state.Contains(proto.KindUser, id) != there {
			t.Fatalf("user %s: contained %t", id, !there)
		}
	}
}

// A stream that was cut while it was read gives an error, never a part of the state.
func TestStateOfAStreamThatIsCutMeanwhile(t *testing.T) {
	var s tape
	for _, id := range []string{"a", "b"} {
		s.append(t, proto.ContentTypeProtobuf, proto.TypeUserUpserted, &proto.UserUpserted{Ids: []string{id}, Digests: make([]byte, 16), Users: []*proto.User{{Id: id}}})
	}
	r := &failing{tape: s}
	state, err := proto.ReadState(t.Context(), r, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	r.tape = s[1:]
	var ids []string
	for e, failed := range state.Entries(t.Context()) {
		if err = failed; err == nil {
			ids = append(ids, e.ID())
		}
	}
	if !errors.Is(err, proto.ErrCut) || !slices.Equal(ids, []string{"b"}) {
		t.Errorf("handed out %v, %v", ids, err)
	}
	r.err = errors.New("the connection is gone")
	for _, failed := range state.Entries(t.Context()) {
		err = failed
	}
	if !errors.Is(err, r.err) {
		t.Errorf("ended with %v", err)
	}
	if _, err := proto.ReadState(t.Context(), r, 1, 2); !errors.Is(err, r.err) {
		t.Errorf("ended with %v", err)
	}
}

// failing is a tape whose reading ends with an error.
type failing struct {
	tape
	err error
}

func (f *failing) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for e := range f.tape.Read(ctx, from, to) {
			if !yield(e, nil) {
				return
			}
		}
		if f.err != nil {
			yield(proto.Event{}, f.err)
		}
	}
}

// crowd is a stream of batches of 400 users each, made as they are read.
type crowd struct{ batches int }

func (c crowd) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		m := benchBatch()
		m.Users = nil
		for n := from; n <= min(to, uint64(c.batches)); n++ {
			for i := range m.Ids {
				m.Ids[i] = fmt.Sprintf("6b5b3b2c-6a39-4d3c-%012x", int(n)*len(m.Ids)+i)
			}
			data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
			if !yield(proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: n}, err) {
				return
			}
		}
	}
}

// A million entries stay well under 64 MB.
func TestStateOfAMillionIsSmall(t *testing.T) {
	c := crowd{batches: 2500}
	before := heap()
	state, err := proto.ReadState(t.Context(), c, 1, 2500)
	if err != nil {
		t.Fatal(err)
	}
	taken := heap() - before
	if n := state.Len(proto.KindUser); n != 1_000_000 {
		t.Errorf("%d users", n)
	}
	if taken > 40<<20 {
		t.Errorf("a state of a million entries takes %d bytes", taken)
	}
	runtime.KeepAlive(state)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkState(b *testing.B) {
	var s tape
	const n = 100_000
	for i := range n / 400 {
		m := benchBatch()
		for j := range m.Users {
			m.Users[j].Id = fmt.Sprintf("6b5b3b2c-6a39-4d3c-%012x", i*400+j)
			m.Ids[j] = m.Users[j].Id
		}
		s.append(b, proto.ContentTypeProtobuf, proto.TypeUserUpserted, m)
	}
	b.Run("fold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := proto.ReadState(b.Context(), s, 1, uint64(len(s))); err != nil {
				b.Fatal(err)
			}
		}
		perEntry(b, n)
	})
	b.Run("entries", func(b *testing.B) {
		state, err := proto.ReadState(b.Context(), s, 1, uint64(len(s)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, err := range state.Entries(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		perEntry(b, n)
	})
}
