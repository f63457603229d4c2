package history_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/internal/history"
	"ldapsync/proto"
)

// person is what the model knows of an entry: a user's or a group's.
type person struct {
	text    string
	missing bool
}

// company is a model of the directory that publishes what happens to it.
type company struct {
	*tape
	people map[string]person
	points []snapped
}

// snapped is what the model looked like when a snapshot ended.
type snapped struct {
	number uint64
	people map[string]person
}

func (c *company) user(id string) *proto.User {
	if strings.HasPrefix(id, "g") {
		c.t.Fatalf("%s is a group", id)
	}
	return user(id, c.people[id].text)
}

func (c *company) group(id string) *proto.Group {
	g := group(id)
	g.Attributes = []*proto.Attribute{{Name: "mail", Values: []string{c.people[id].text}}}
	return g
}

func (c *company) publish(id string) {
	switch p := c.people[id]; {
	case strings.HasPrefix(id, "g"):
		c.groups(c.group(id))
	case p.missing:
		c.missing(c.user(id))
	default:
		c.users(c.user(id))
	}
}

var ids = []string{"a", "b", "c", "d", "g1", "g2"}

func (c *company) step(t *rapid.T) {
	id, what := rapid.SampledFrom(ids).Draw(t, "id"), rapid.SampledFrom([]string{"set", "set", "missing", "gone"}).Draw(t, "what")
	p, there := c.people[id]
	isGroup := strings.HasPrefix(id, "g")
	switch {
	case what == "set":
		c.people[id] = person{text: fmt.Sprint("v", rapid.IntRange(0, 2).Draw(t, "text"))}
		c.publish(id)
	case !there:
	case what == "missing" && !isGroup && !p.missing:
		p.missing = true
		c.people[id] = p
		c.publish(id)
	case isGroup:
		c.disband(c.group(id))
		delete(c.people, id)
	default:
		c.remove(c.user(id))
		delete(c.people, id)
	}
}

// simulate makes a random history.
func simulate(t *rapid.T) *company {
	c := &company{tape: newTape(t), people: map[string]person{}}
	for n := range rapid.IntRange(1, 8).Draw(t, "snapshots") {
		c.begin(n == 0 || rapid.IntRange(0, 3).Draw(t, "full") == 0)
		for range rapid.IntRange(0, 5).Draw(t, "steps") {
			c.step(t)
		}
		if n > 0 && rapid.IntRange(0, 4).Draw(t, "aborted") == 0 {
			c.abort("cut")
		} else {
			if c.isFull {
				for _, id := range slices.Sorted(maps.Keys(c.people)) {
					c.publish(id)
				}
			}
			c.commit()
		}
		c.points = append(c.points, snapped{c.snapshot, maps.Clone(c.people)})
	}
	return c
}

func describe(e *proto.StateEntry) person {
	for _, a := range e.Attributes() {
		if a.Name == "mail" {
			return person{a.Values[0], e.Missing}
		}
	}
	return person{}
}

// A state, and a difference of any two snapshots, are those of the model.
func TestStatesAndDifferencesEqualTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := simulate(t)
		h := c.open()
		a, b := rapid.SampledFrom(c.points).Draw(t, "a"), rapid.SampledFrom(c.points).Draw(t, "b")
		from, to := number(t, h, a.number), number(t, h, b.number)
		state, err := h.State(context.Background(), h.Point(to))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]person{}
		for e, err := range state.Entries(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			got[e.ID()] = describe(&e)
		}
		if !maps.Equal(got, b.people) {
			t.Fatalf("state at %d: %v, not %v", b.number, got, b.people)
		}
		compare(t, h, h.Point(from), h.Point(to), a.people, b.people)
		earlier := map[string]person{}
		if b.number > 1 {
			earlier = c.points[b.number-2].people
		}
		before, ok := h.Before(to)
		if !ok {
			t.Fatal("nothing was cut")
		}
		compare(t, h, before, h.Point(to), earlier, b.people)
	})
}

func number(t *rapid.T, h *history.History, n uint64) *history.Snapshot {
	s, err := h.Resolve(fmt.Sprint(n), noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compare holds a difference to two maps.
func compare(t *rapid.T, h *history.History, from, to history.Point, a, b map[string]person) {
	d, err := h.Diff(context.Background(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, id := range ids {
		was, before := a[id]
		is, after := b[id]
		if before != after || was != is {
			want[id] = fmt.Sprint(before, was, after, is)
		}
	}
	got := map[string]string{}
	tally := map[proto.Kind]history.Tally{}
	for one, err := range d.Differences(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		var was, is person
		n := tally[one.Entry().Kind]
		if one.Before != nil {
			was = describe(one.Before)
		}
		if one.After != nil {
			is = describe(one.After)
		}
		switch {
		case one.Before == nil:
			n.Came++
		case one.After == nil:
			n.Went++
		default:
			n.Changed++
			if len(one.Changes()) == 0 {
				t.Fatalf("%s changed in nothing", one.Entry().ID())
			}
		}
		tally[one.Entry().Kind] = n
		if _, again := got[one.Entry().ID()]; again {
			t.Fatalf("%s is handed out twice", one.Entry().ID())
		}
		got[one.Entry().ID()] = fmt.Sprint(one.Before != nil, was, one.After != nil, is)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("from %v to %v differs %v, not %v", from, to, got, want)
	}
	if tally[proto.KindUser] != d.Users || tally[proto.KindGroup] != d.Groups {
		t.Fatalf("counted %v and %v, not %v", d.Users, d.Groups, tally)
	}
}

// What a life tells is what the model's differences from snapshot to snapshot tell, at its end at least.
func TestLifeEndsAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := simulate(t)
		h := c.open()
		id := rapid.SampledFrom(ids).Draw(t, "id")
		kind := proto.KindUser
		if strings.HasPrefix(id, "g") {
			kind = proto.KindGroup
		}
		var last *history.Happening
		there := false
		for one, err := range h.Life(context.Background(), kind, id) {
			if err != nil {
				t.Fatal(err)
			}
			switch one.What {
			case history.Came, history.Returned:
				if there {
					t.Fatalf("%s %s, but was there", id, one.What)
				}
				there = true
			case history.Removed:
				if !there {
					t.Fatalf("%s was removed, but wasn't there", id)
				}
				there = false
			}
			last = &one
		}
		p, want := c.people[id]
		if there != want || there && describe(last.After) != p {
			t.Fatalf("%s: %t %+v at the end, not %t %+v", id, there, last, want, p)
		}
	})
}

func TestChangesNameWhatDiffers(t *testing.T) {
	yes, no := true, false
	was := &proto.User{Id: "7", Dn: "uid=ada,ou=a", GroupIds: []string{"dev", "ops"}, Active: &yes, Attributes: []*proto.Attribute{
		{Name: "mail", Values: []string{"ada@x", "l@x", "m@x"}}, {Name: "sn", Values: []string{"Lovelace"}}, {Name: "title", Values: []string{"Countess"}},
		{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0}}}}}
	is := &proto.User{Id: "7", Dn: "uid=ada,ou=b", GroupIds: []string{"web", "dev"}, Active: &no, Staff: &yes, GroupsUnknown: true, Attributes: []*proto.Attribute{
		{Name: "Mail", Values: []string{"ada@x", "m@x", "l@x"}}, {Name: "sn", Values: []string{"King"}}, {Name: "description", Values: []string{"new"}},
		{Name: "jpegPhoto", Binary: [][]byte{{0xff, 1}}}}}
	d := history.Difference{Before: &proto.StateEntry{Kind: proto.KindUser, User: was}, After: &proto.StateEntry{Kind: proto.KindUser, User: is, Missing: true}}
	var got []string
	for _, c := range d.Changes() {
		got = append(got, fmt.Sprintf("%s %s %q %q %t", c.Field, c.Name, c.Before, c.After, c.Binary))
	}
	want := []string{
		`missing  ["false"] ["true"] false`, `dn  ["uid=ada,ou=a"] ["uid=ada,ou=b"] false`, `attribute description [] ["new"] false`,
		`attribute jpegPhoto ["\xff\x00"] ["\xff\x01"] true`, `attribute sn ["Lovelace"] ["King"] false`, `attribute title ["Countess"] [] false`,
		`unknown  ["false"] ["true"] false`, `groups  ["ops"] ["web"] false`, `flag active ["true"] ["false"] false`, `flag staff [] ["true"] false`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if c := (history.Difference{After: d.After}).Changes(); c != nil {
		t.Errorf("somebody new changed in %v", c)
	}
	first := history.Difference{
		Before: &proto.StateEntry{Kind: proto.KindGroup, Group: &proto.Group{Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"a", "b"}}}}},
		After:  &proto.StateEntry{Kind: proto.KindGroup, Group: &proto.Group{Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"b", "a"}}}}},
	}
	if len(first.Changes()) != 1 {
		t.Error("another first value is no change")
	}
}

// Digests of another version don't compare: the entries do.
func TestAnotherVersionOfTheDigestIsNoDifference(t *testing.T) {
	s := newTape(t)
	s.begin(true)
	ada, bob := user("ada", "a"), user("bob", "b")
	s.users(ada, bob)
	s.commit()
	s.begin(true)
	bob = user("bob", "c")
	s.append(proto.TypeUserUpserted, &proto.UserUpserted{Snapshot: 2, DigestVersion: proto.DigestVersion + 1, Ids: []string{"ada", "bob"},
		Digests: make([]byte, 32), Users: []*proto.User{ada, bob}})
	s.commit()
	h := s.open()
	d, err := h.Diff(t.Context(), h.Point(&h.Snapshots[0]), h.Point(&h.Snapshots[1]))
	if err != nil || d.Users != (history.Tally{Changed: 1}) || d.Groups.Any() {
		t.Errorf("%+v, %+v, %v", d.Users, d.Groups, err)
	}
}

// A group is named as it is, or as it was last.
func TestDiffNamesGroups(t *testing.T) {
	s := newTape(t)
	s.begin(true)
	s.groups(group("dev"), group("ops"))
	s.commit()
	s.begin(true)
	renamed := group("dev")
	renamed.Dn = "cn=devs,ou=groups"
	s.groups(renamed)
	s.disband(group("ops"))
	s.commit()
	h := s.open()
	d, err := h.Diff(t.Context(), h.Point(&h.Snapshots[0]), h.Point(&h.Snapshots[1]))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"dev": "cn=devs,ou=groups", "ops": "cn=ops,ou=groups"} {
		if g, err := d.Group(t.Context(), id); err != nil || g.Dn != want {
			t.Errorf("group %s: %v, %v", id, g, err)
		}
	}
	if _, err := d.Group(t.Context(), "web"); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("an unknown group: %v", err)
	}
}

// Two full snapshots of 50,000 users, who all changed, take at most 64 bytes a user.
func TestDifferencesAreSmall(t *testing.T) {
	const n, size = 50_000, 500
	s := newTape(t)
	for _, mail := range []string{"old", "new"} {
		s.begin(true)
		for i := 0; i < n; i += size {
			var batch []*proto.User
			for j := range size {
				batch = append(batch, user(fmt.Sprintf("%08x", i+j), mail))
			}
			s.users(batch...)
		}
		s.commit()
	}
	h := s.open()
	before := heap()
	d, err := h.Diff(t.Context(), h.Point(&h.Snapshots[0]), h.Point(&h.Snapshots[1]))
	if err != nil {
		t.Fatal(err)
	}
	if taken := heap() - before; taken > 64*n {
		t.Errorf("%d bytes an entry", taken/n)
	}
	if d.Users.Changed != n {
		t.Errorf("%+v", d.Users)
	}
	changed := 0
	for one, err := range d.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if changed++; changed%10_000 == 0 && len(one.Changes()) != 1 {
			t.Errorf("%+v", one.Changes())
		}
	}
	if changed != n {
		t.Errorf("%d changed", changed)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
