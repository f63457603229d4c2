package applier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

// distrust is a memory whose links don't seem to be what they should, so that each entry is planned for.
type distrust struct{ *memory }

func (d distrust) Scan(ctx context.Context, q ScanQuery, v Visitor) error {
	return d.memory.Scan(ctx, q, suspicious{v})
}

type suspicious struct{ Visitor }

func (s suspicious) VisitLink(l *Link) {
	other := *l
	other.State, other.Name = Present, "no entry has this name"
	s.Visitor.VisitLink(&other)
}

// wide is a table with columns for flags.
type wide struct{ table }

func (wide) ColumnNames() []string {
	return []string{"username", "email", "is_active", "is_staff", "is_superuser"}
}
func (w wide) Convert(column string, value any) (any, error) {
	if flag, ok := value.(bool); ok {
		return flag, nil
	}
	return w.table.Convert(column, value)
}

// copy is a memory of its own with the same in it.
func (m *memory) copy() *memory {
	c := *m
	c.over = m.over.clone()
	return &c
}

// tables are all that a memory holds.
func (m *memory) tables() string {
	joined := map[string][]string{}
	for user, groups := range m.over.joined {
		for _, g := range slices.Sorted(maps.Keys(groups)) {
			if groups[g] {
				joined[user] = append(joined[user], g)
			}
		}
	}
	text := fmt.Sprint(m.over.rows, joined)
	for _, kind := range kinds {
		for _, id := range slices.Sorted(maps.Keys(m.over.links[kind])) {
			l := m.over.links[kind][id]
			written := "-"
			if l.ActiveWritten != nil {
				written = fmt.Sprint(*l.ActiveWritten)
			}
			l.ActiveWritten = nil
			text += fmt.Sprintf("\n%+v %s", l, written)
		}
		for _, id := range slices.Sorted(maps.Keys(m.over.letters[kind])) {
			if l := m.over.letters[kind][id]; l != nil {
				text += fmt.Sprint("\nletter ", id)
			}
		}
	}
	return text
}

// told is what a verification of a store tells.
func (e *env) toldOf(r *rapid.T, s Store, repair bool) (v Verified, lines []string) {
	v, err := New(e.cfg, s, e.stream).Verify(e.t.Context(), VerifyOptions{Repair: repair}, func(kind proto.Kind, c Change) {
		if c.Action == Skip || c.Action == Park {
			return // a repair tells of them as it meets them; they are no differences
		}
		slices.Sort(c.Leave) // the memory knows no order
		lines = append(lines, fmt.Sprint(kind, c.Action, c.ID, c.Name, c.PK, c.Set, c.Values, c.Join, c.Leave, c.Reason))
	})
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(lines)
	return v, lines
}

// Whatever was edited by hand, and whatever the directory said: what is found by reading the tables once is what plans for everything find, and a
// repair comes to the same.
func TestVerifyFindsWhatPlansForEverythingFind(t *testing.T) {
	users, err := NewMapping(wide{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}},
		{Column: "is_staff", Flag: "staff"}, {Column: "is_superuser", Flag: "superuser"}})
	if err != nil {
		t.Fatal(err)
	}
	agreed := 0
	rapid.Check(t, func(r *rapid.T) {
		e := newEnv(t)
		e.cfg.Users, e.cfg.Adopt.Privileged = users, true
		e.cfg.Memberships = rapid.IntRange(0, 5).Draw(r, "memberships") > 0
		e.history(r)
		e.mustApply()
		for range rapid.IntRange(0, 4).Draw(r, "edits") {
			e.edit(r)
		}
		trusting, lines := e.toldOf(r, e.memory.copy(), false)
		everything, want := e.toldOf(r, distrust{e.memory.copy()}, false)
		if len(want) > 0 { // what is planned for on account of others counts as unchanged, too, as often as that happens
			trusting.Summary.Users.Unchanged, everything.Summary.Users.Unchanged = 0, 0
		}
		if !slices.Equal(lines, want) || fmt.Sprint(trusting) != fmt.Sprint(everything) {
			r.Fatalf("found\n%q\n%+v\nnot\n%q\n%+v\nin %s", lines, trusting, want, everything, e.memory.tables())
		}
		one, other := e.memory.copy(), e.memory.copy()
		trusting, lines = e.toldOf(r, one, true)
		everything, want = e.toldOf(r, distrust{other}, true)
		if !slices.Equal(lines, want) || trusting.Differences() != everything.Differences() || one.tables() != other.tables() {
			r.Fatalf("repaired\n%q\n%s\nnot\n%q\n%s", lines, one.tables(), want, other.tables())
		}
		if len(lines) == 0 {
			agreed++
		}
	})
	if agreed == 0 {
		t.Error("something differed each time")
	}
}

var names = []string{"ada", "bob", "eve", "Eve", "kim"}

// history publishes what a directory may say.
func (e *env) history(r *rapid.T) {
	e.group("dev", "ops", "hr")
	flag := rapid.SampledFrom([]*bool{nil, nil, new(bool), func() *bool { b := true; return &b }()})
	for range rapid.IntRange(1, 8).Draw(r, "events") {
		id := rapid.IntRange(1, 5).Draw(r, "id")
		name := rapid.SampledFrom(names).Draw(r, "name")
		u := user(fmt.Sprintf("%d:%s mail=%s", id, name, rapid.SampledFrom([]string{"a@x", "b@x", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"}).Draw(r, "mail")))
		u.Active, u.Staff, u.Superuser = flag.Draw(r, "active"), flag.Draw(r, "staff"), flag.Draw(r, "superuser")
		u.GroupsUnknown = rapid.IntRange(0, 9).Draw(r, "groups unknown") == 0
		for _, g := range []string{"dev", "hr", "nowhere", "ops"} { // in their order
			if rapid.Bool().Draw(r, "in "+g) {
				u.GroupIds = append(u.GroupIds, "gid-"+g)
			}
		}
		d := proto.DigestUser(u)
		m := &proto.UserUpserted{DigestVersion: proto.DigestVersion, Users: []*proto.User{u}, Ids: []string{u.Id}, Digests: d[:]}
		switch rapid.IntRange(0, 9).Draw(r, "event") {
		case 0:
			e.publish(proto.TypeUserMissing, &proto.UserMissing{User: u, Reason: "not found"})
		case 1:
			e.remove(u.Id)
		case 2:
			m.Retained = []proto.Retained{rapid.SampledFrom([]proto.Retained{proto.Retained_RETAINED_HELD, proto.Retained_RETAINED_MISSING}).Draw(r, "retained")}
			fallthrough
		default:
			e.publish(proto.TypeUserUpserted, m)
		}
	}
	e.commitSnapshot()
}

// edit changes a row, a link or a membership by hand.
func (e *env) edit(r *rapid.T) {
	kind := rapid.SampledFrom([]proto.Kind{proto.KindUser, proto.KindUser, proto.KindGroup}).Draw(r, "kind")
	ids := slices.Sorted(maps.Keys(e.over.links[kind]))
	if len(ids) == 0 {
		return
	}
	l := e.over.links[kind][rapid.SampledFrom(ids).Draw(r, "whose")]
	row, there := e.over.rows[kind][l.PK]
	switch rapid.IntRange(0, 10).Draw(r, "edit") {
	case 0:
		if there {
			delete(e.over.byName[kind][Fold(row.Name)], l.PK)
			delete(e.over.rows[kind], l.PK)
			delete(e.over.joined, l.PK)
		}
		return
	case 1:
		delete(e.over.owned[kind][l.PK], l.ID)
		delete(e.over.links[kind], l.ID)
		return
	case 2:
		l.Name = "other"
	case 3:
		l.Mapping = "other"
	case 4:
		l.Digest[0]++
	case 5:
		l.DeactivatedBy = rapid.SampledFrom([]string{"", "sync", "other"}).Draw(r, "by")
		l.ActiveWritten = rapid.SampledFrom([]*bool{nil, new(bool), func() *bool { b := true; return &b }()}).Draw(r, "written")
	case 6:
		if l.PK != "" {
			l.State = rapid.SampledFrom([]LinkState{Present, Missing, Gone}).Draw(r, "state")
		}
	case 7:
		if kind == proto.KindUser && there {
			group := e.over.links[proto.KindGroup]["gid-"+rapid.SampledFrom([]string{"dev", "ops", "hr"}).Draw(r, "group")].PK
			if group != "" {
				e.over.member(l.PK, []string{group}, rapid.Bool().Draw(r, "member"))
			}
		}
	case 8:
		e.over.letters[kind][l.ID] = &Letter{Source: l.Source, Kind: kind, ID: l.ID, Reason: "an old one"}
		return
	default:
		if there {
			e.editRow(r, kind, row)
		}
		return
	}
	e.over.links[kind][l.ID] = l
}

func (e *env) editRow(r *rapid.T, kind proto.Kind, row Row) {
	row.Values = slices.Clone(row.Values)
	i := rapid.IntRange(0, len(row.Values)-1).Draw(r, "column")
	switch {
	case i == 0:
		// Not "Eve": whether a row that is "Eve" goes to her or waits for who is "eve" depends on whether both are in one batch.
		name := rapid.SampledFrom([]string{"zoe", "dev", "ada", "bob", "eve", "kim"}).Draw(r, "name")
		for _, other := range e.over.rows[kind] {
			if other.Name == name {
				return
			}
		}
		delete(e.over.byName[kind][Fold(row.Name)], row.PK)
		row.Name, row.Values[0] = name, name
		put(e.over.byName[kind], Fold(name), row.PK)
	case i == 1:
		row.Values[1] = rapid.SampledFrom([]any{"a@x", "b@x", "", nil}).Draw(r, "email")
	default:
		row.Values[i] = rapid.Bool().Draw(r, "flag")
	}
	e.over.rows[kind][row.PK] = row
}
