package extractor

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldapsync/proto"
)

// holdOf makes a hold of so many users.
func holdOf(change, key string, n int) *hold {
	var entries []heldEntry
	for i := range n {
		id := fmt.Sprint(i)
		entries = append(entries, heldEntry{keyOf(id), proto.DigestUser(&proto.User{Id: id, Dn: id})})
	}
	return newHold(respect{proto.KindUser, change, key}, false, entries)
}

// told are the events that tell of holds, in parts, between the brackets of a snapshot.
func told(t *testing.T, holds []*hold) []proto.Event {
	t.Helper()
	messages := []proto.Message{&proto.SnapshotStarted{}}
	types := []proto.Type{proto.TypeSnapshotStarted}
	parts := split(holds, 1000)
	for i, p := range parts {
		messages = append(messages, &proto.SnapshotHeld{Holds: p, Part: uint32(i + 1), Parts: uint32(len(parts))})
		types = append(types, proto.TypeSnapshotHeld)
	}
	messages = append(messages, &proto.SnapshotCommitted{})
	types = append(types, proto.TypeSnapshotCommitted)
	var events []proto.Event
	for i, m := range messages {
		data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, proto.Event{
			Type: types[i], ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: uint64(i + 1), Time: time.Unix(int64(i), 0),
		})
	}
	return events
}

func foldHeld(t *testing.T, f *heldFold, events ...proto.Event) {
	t.Helper()
	for _, e := range events {
		if err := f.take(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeldIsFoldedFromAllItsPartsOnly(t *testing.T) {
	holds := []*hold{holdOf(proto.ChangeAttribute, "mail", 100), holdOf(proto.ChangeRemoved, "", 300), holdOf(proto.ChangeStaff, "", 3)}
	events := told(t, holds)
	if len(events) < 8 {
		t.Fatalf("%d events", len(events))
	}
	var whole heldFold
	foldHeld(t, &whole, events...)
	if !slices.Equal(whole.now.hashes(), (&holding{holds: holds}).hashes()) || len(whole.now.holds) != 3 {
		t.Fatalf("%q", whole.now.hashes())
	}
	for i, h := range whole.now.holds {
		digest := proto.DigestUser(&proto.User{Id: "2", Dn: "2"})
		if h.change == proto.ChangeRemoved {
			digest = proto.Digest{}
		}
		if h.len() != holds[i].len() || !h.shown(keyOf("2"), digest) || h.has(keyOf("x")) {
			t.Errorf("hold %d isn't as it was", i)
		}
	}
	before := whole.now.hashes()
	other := told(t, []*hold{holdOf(proto.ChangeAttribute, "mail", 300)})
	for lost := range other {
		f := whole
		if lost == 0 { // a rest that nobody began
			foldHeld(t, &f, slices.Concat(other[2:len(other)-1], events[:1], other[len(other)-1:])...)
		} else {
			foldHeld(t, &f, slices.Delete(slices.Clone(other), lost, lost+1)...)
		}
		if !slices.Equal(f.now.hashes(), before) {
			t.Errorf("event %d of %d was left out: %q", lost, len(other), f.now.hashes())
		}
	}
}

// A snapshot that didn't commit doesn't lend its parts to the next one.
func TestHeldOfAnAbortedSnapshotDoesNotCount(t *testing.T) {
	var f heldFold
	events := told(t, []*hold{holdOf(proto.ChangeStaff, "", 3)})
	committed := events[len(events)-1]
	foldHeld(t, &f, events[:len(events)-1]...)
	foldHeld(t, &f, events[0], committed)
	if len(f.now.holds) != 0 {
		t.Errorf("%q", f.now.hashes())
	}
}

func TestHoldIsNamedByItsFirstDigits(t *testing.T) {
	h := holding{holds: []*hold{{hash: "0123456789"}, {hash: "0123456777"}, {hash: "aaaaaaaaaa"}}}
	for digits, want := range map[string]*hold{
		"0123456789": h.holds[0], "012345677": h.holds[1], "aaaaaaaa": h.holds[2], "aaaaaaa": nil, "01234567": nil, "bbbbbbbb": nil, "": nil,
	} {
		if got, note := h.named(digits); got != want || (note == "") != (want != nil) {
			t.Errorf("%s: %v, %q", digits, got, note)
		}
	}
}

// Of the groups only the largest losses are told, all others always.
func TestTallyTellsTheLargestGroups(t *testing.T) {
	counts := tally{allMemberships(): 100, {proto.KindUser, proto.ChangeStaff, ""}: 1}
	for i, n := range []int{5, 1, 3, 3, 3, 9, 2} {
		counts[respect{proto.KindUser, proto.ChangeMembership, fmt.Sprint("g", i)}] = n
	}
	for most, want := range map[int]string{
		0: "", 1: "9", 2: "5 9", 3: "5 3 9", 5: "5 3 3 3 9", 6: "5 3 3 3 9 2", 7: "5 1 3 3 3 9 2", 8: "5 1 3 3 3 9 2",
	} {
		got, others := "", 0
		for _, l := range counts.proto(most) {
			if l.GetKey() != "" {
				got += fmt.Sprint(" ", l.GetCount())
			} else {
				others++
			}
		}
		if got != "" {
			got = got[1:]
		}
		if got != want || others != 2 {
			t.Errorf("%d: %q, wanted %q, and %d others", most, got, want, others)
		}
	}
}

// Attributes come in one order, but not everybody has all.
func TestCensusCountsAttributesInAnyOrder(t *testing.T) {
	var c census
	for _, names := range [][]string{{"a", "c"}, {"a", "b", "c"}, {"C", "b"}, {"b"}, {}} {
		u := &proto.User{}
		for _, n := range names {
			u.Attributes = append(u.Attributes, &proto.Attribute{Name: n, Values: []string{"x"}})
		}
		u.Attributes = append(u.Attributes, &proto.Attribute{Name: "empty", Values: []string{""}})
		c.asIs(u, nil)
	}
	for name, want := range map[string]int{"a": 2, "b": 3, "c": 3, "empty": 0, "d": 0} {
		if got := c.of(respect{proto.KindUser, proto.ChangeAttribute, name}, nil); got != want {
			t.Errorf("%s: %d, wanted %d", name, got, want)
		}
	}
}

// Whoever wrote it: a hold has the hash of its entries.
func TestFoldedHoldHasTheHashOfItsEntries(t *testing.T) {
	h := holdOf(proto.ChangeStaff, "", 3)
	want := h.hash
	h.hash = "0123456789abcdef"
	var f heldFold
	foldHeld(t, &f, told(t, []*hold{h})...)
	if len(f.now.holds) != 1 || f.now.holds[0].hash != want {
		t.Errorf("%q, wanted %s", f.now.hashes(), want)
	}
}
