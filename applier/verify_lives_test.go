package applier

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

// lives are what a directory tells of five people, snapshot by snapshot.
type lives struct {
	*env
	r       *rapid.T
	known   map[string]*proto.User
	missing map[string]bool
	full    uint64 // where the last full snapshot began
	points  []Snapshot
}

var people = []string{"1", "2", "3", "4", "5"}

// Whatever a directory tells, and however much of that was cut off: what was applied is what verification wants, and what a replay does is what it planned.
func TestNothingDiffersFromWhatWasApplied(t *testing.T) {
	users, err := NewMapping(wide{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}},
		{Column: "is_staff", Flag: "staff"}, {Column: "is_superuser", Flag: "superuser"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		l := lives{env: newEnv(t), r: r, known: map[string]*proto.User{}, missing: map[string]bool{}, full: 1}
		l.cfg.Users, l.cfg.Adopt.Privileged = users, true
		l.cfg.BatchEntries = rapid.SampledFrom([]int{1, 2, 3, 2000}).Draw(r, "batch")
		for i := range 4 {
			l.pass(i)
			if i > 0 && i < 3 && rapid.IntRange(0, 2).Draw(r, "skip") == 0 {
				continue
			}
			if rapid.Bool().Draw(r, "cut") {
				l.stream.cut = l.full
				l.points = slices.DeleteFunc(l.points, func(p Snapshot) bool { return p.From < l.full })
			}
			l.mustApply()
			l.nothingDiffers(fmt.Sprint("after pass ", i))
			for _, id := range people {
				l.callback(id)
			}
			l.nothingDiffers(fmt.Sprint("when callbacks were done after pass ", i))
		}
		l.replay(l.points[rapid.IntRange(0, len(l.points)-1).Draw(r, "to")])
	})
}

func (l *lives) nothingDiffers(when string) {
	m := l.memory.copy()
	if _, lines := l.toldOf(l.r, m, false); len(lines) > 0 {
		l.r.Fatalf("%s %q differ\n%s", when, lines, m.tables())
	}
	l.toldOf(l.r, m, true) // may apply what was parked
	if _, lines := l.toldOf(l.r, m, false); len(lines) > 0 {
		l.r.Fatalf("%s and a repair %q differ\n%s", when, lines, m.tables())
	}
}

// replay replays a snapshot, and ends that.
func (l *lives) replay(at Snapshot) {
	planned, err := New(l.cfg, l.memory.copy(), l.stream).PreviewReplay(l.t.Context(), at, nil)
	if err != nil {
		l.r.Fatal(err)
	}
	done, err := New(l.cfg, l.memory, l.stream).Replay(l.t.Context(), at)
	if err != nil {
		l.r.Fatal(err)
	}
	for _, n := range []*Counts{&planned.Users, &done.Users} { // what is tried twice counts twice
		n.Skipped, n.Parked, n.Unchanged = 0, 0, 0
	}
	if planned.Users != done.Users {
		l.r.Fatalf("planned %+v, did %+v\n%s", planned.Users, done.Users, l.memory.tables())
	}
	l.nothingDiffers("replayed,")
	if _, err := New(l.cfg, l.memory, l.stream).Release(l.t.Context()); err != nil {
		l.r.Fatal(err)
	}
	l.nothingDiffers("released,")
}

// callback deactivates or deletes who is gone, or does nothing.
func (l *lives) callback(id string) {
	link := l.link(id)
	row, there := l.over.rows[proto.KindUser][link.PK]
	if link.State != Gone || !there {
		return
	}
	switch rapid.IntRange(0, 3).Draw(l.r, "callback") {
	case 0:
		l.deactivate(id)
	case 1:
		delete(l.over.byName[proto.KindUser][Fold(row.Name)], link.PK)
		delete(l.over.rows[proto.KindUser], link.PK)
		delete(l.over.joined, link.PK)
		delete(l.over.owned[proto.KindUser][link.PK], id)
		link.State, link.PK = Deleted, ""
		l.over.links[proto.KindUser][id] = link
	}
}

// pass publishes a snapshot.
func (l *lives) pass(i int) {
	if i == 0 {
		l.group("dev", "ops", "hr")
	}
	for range rapid.IntRange(1, 6).Draw(l.r, "events") {
		id := rapid.SampledFrom(people).Draw(l.r, "id")
		switch u := l.known[id]; rapid.IntRange(0, 4).Draw(l.r, "event") {
		case 0:
			if u != nil && !l.missing[id] {
				l.missing[id] = true
				l.publish(proto.TypeUserMissing, &proto.UserMissing{User: u, Reason: "not found"})
			}
		case 1:
			if u != nil {
				l.publish(proto.TypeUserRemoved, &proto.UserRemoved{User: u, Reason: "not found"})
				delete(l.known, id)
				delete(l.missing, id)
			}
		default:
			l.change(id)
		}
	}
	if i > 0 && rapid.Bool().Draw(l.r, "full") {
		l.whole()
		l.env.full(l.full)
	} else {
		l.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: l.full})
	}
	l.points = append(l.points, Snapshot{Number: uint64(i), From: l.full, To: uint64(len(l.events))})
}

// change publishes somebody who is new, or changed.
func (l *lives) change(id string) {
	u := user(fmt.Sprintf("%s:%s mail=%s", id, rapid.SampledFrom([]string{"ada", "bob", "eve", "kim"}).Draw(l.r, "name"),
		rapid.SampledFrom([]string{"a@x", "b@x", "c@x"}).Draw(l.r, "mail")))
	yes, no := true, false
	flag := rapid.SampledFrom([]*bool{nil, nil, &yes, &no})
	u.Active, u.Staff, u.Superuser = flag.Draw(l.r, "active"), flag.Draw(l.r, "staff"), flag.Draw(l.r, "superuser")
	for _, g := range []string{"dev", "hr", "nowhere", "ops"} {
		if rapid.IntRange(0, 2).Draw(l.r, "in "+g) == 0 {
			u.GroupIds = append(u.GroupIds, "gid-"+g)
		}
	}
	l.known[id] = u
	delete(l.missing, id)
	l.tell(u)
}

func (l *lives) tell(u *proto.User, why ...proto.Retained) {
	d := proto.DigestUser(u)
	l.publish(proto.TypeUserUpserted, &proto.UserUpserted{DigestVersion: proto.DigestVersion, Users: []*proto.User{u}, Ids: []string{u.Id}, Digests: d[:], Retained: why})
}

// whole publishes what a full snapshot carries.
func (l *lives) whole() {
	l.full = uint64(len(l.events)) + 1
	l.group("dev", "ops", "hr")
	for _, id := range people {
		switch u := l.known[id]; {
		case u == nil:
		case l.missing[id]:
			l.tell(u, proto.Retained_RETAINED_MISSING)
			l.publish(proto.TypeUserMissing, &proto.UserMissing{User: u, Reason: "not found"})
		default:
			l.tell(u)
		}
	}
}
