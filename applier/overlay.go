package applier

import (
	"context"
	"slices"
	"strings"

	"ldapsync/proto"
)

// overlay is a Reader that answers as if the changes planned so far had been written: names claimed and set free, links, rows,
// memberships, letters. New rows get the primary key "new:" and their id.
type overlay struct {
	Reader
	links   map[proto.Kind]map[string]Link
	owned   map[proto.Kind]map[string]map[string]bool // primary key → ids of links in links
	rows    map[proto.Kind]map[string]Row
	byName  map[proto.Kind]map[string]map[string]bool // folded name → primary keys of rows in rows
	joined  map[string]map[string]bool                // user → group → is a member
	letters map[proto.Kind]map[string]*Letter         // nil: dropped

	forgotten   map[string]bool // sources whose letters in Reader are dropped
	noSuperuser map[string]bool // primary keys of those who are no active superusers any more
}

func newOverlay(r Reader) *overlay {
	o := &overlay{
		Reader: r,
		links:  map[proto.Kind]map[string]Link{}, owned: map[proto.Kind]map[string]map[string]bool{}, rows: map[proto.Kind]map[string]Row{},
		byName: map[proto.Kind]map[string]map[string]bool{}, joined: map[string]map[string]bool{},
		letters: map[proto.Kind]map[string]*Letter{}, forgotten: map[string]bool{}, noSuperuser: map[string]bool{},
	}
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		o.links[kind], o.rows[kind] = map[string]Link{}, map[string]Row{}
		o.owned[kind] = map[string]map[string]bool{}
		o.byName[kind], o.letters[kind] = map[string]map[string]bool{}, map[string]*Letter{}
	}
	return o
}

// forgetUsers forgets what is planned for users, and keeps the groups.
func (o *overlay) forgetUsers() {
	fresh := newOverlay(o.Reader)
	const kind = proto.KindGroup
	fresh.links[kind], fresh.owned[kind], fresh.rows[kind] = o.links[kind], o.owned[kind], o.rows[kind]
	fresh.byName[kind], fresh.letters[kind] = o.byName[kind], o.letters[kind]
	fresh.forgotten, fresh.noSuperuser = o.forgotten, o.noSuperuser
	*o = *fresh
}

// forgetLetters drops the letters of a source; those that are planned later stay.
func (o *overlay) forgetLetters(source string) { o.forgotten[source] = true }

// absorb takes changes as written.
func (o *overlay) absorb(kind proto.Kind, changes []Change) {
	for _, c := range changes {
		if c.DropLetter {
			o.letters[kind][c.ID] = nil
		}
		if c.Letter != nil {
			o.letters[kind][c.ID] = c.Letter
		}
		if c.Link == nil {
			continue
		}
		if c.Action == Create {
			c.PK = "new:" + c.ID
			c.Link.PK = c.PK
		}
		delete(o.owned[kind][o.links[kind][c.ID].PK], c.ID)
		put(o.owned[kind], c.Link.PK, c.ID)
		o.links[kind][c.ID] = *c.Link
		if c.Values == nil {
			continue
		}
		row := Row{PK: c.PK, Values: slices.Clone(c.Values), Privileged: c.Privileged, Superuser: c.Superuser}
		for i, v := range row.Values {
			if v == (Keep{}) && c.Before != nil {
				row.Values[i] = c.Before[i]
			}
		}
		row.Name, _ = row.Values[0].(string)
		o.lostSuperuser(c)
		if old, ok := o.rows[kind][c.PK]; ok {
			delete(o.byName[kind][Fold(old.Name)], c.PK)
		}
		o.rows[kind][c.PK] = row
		put(o.byName[kind], Fold(row.Name), c.PK)
		o.member(c.PK, c.Join, true)
		o.member(c.PK, c.Leave, false)
	}
}

// lostSuperuser notes that a planned change leaves nobody, or a person less, who is active and a superuser.
func (o *overlay) lostSuperuser(c Change) {
	if c.LosesSuperuser {
		o.noSuperuser[c.PK] = true
	}
}

// ActiveSuperusers leaves out those whom planned changes deactivate or take the flag from.
func (o *overlay) ActiveSuperusers(ctx context.Context) ([]string, error) {
	pks, err := o.Reader.ActiveSuperusers(ctx)
	return slices.DeleteFunc(pks, func(pk string) bool { return o.noSuperuser[pk] }), err
}

// ListUnlinked leaves out the rows that planned links own, and counts the planned rows.
func (o *overlay) ListUnlinked(ctx context.Context) ([]Row, int, error) {
	rows, all, err := o.Reader.ListUnlinked(ctx)
	rows = slices.DeleteFunc(rows, func(r Row) bool { return len(o.owned[proto.KindUser][r.PK]) > 0 })
	for pk := range o.rows[proto.KindUser] {
		if _, planned := o.newRow(pk); planned {
			all++
		}
	}
	return rows, all, err
}

func (o *overlay) member(user string, groups []string, is bool) {
	if len(groups) > 0 && o.joined[user] == nil {
		o.joined[user] = map[string]bool{}
	}
	for _, g := range groups {
		o.joined[user][g] = is
	}
}

func (o *overlay) Links(ctx context.Context, source string, kind proto.Kind, ids []string) ([]Link, error) {
	links, err := o.Reader.Links(ctx, source, kind, ids)
	links = slices.DeleteFunc(links, func(l Link) bool { _, ok := o.links[kind][l.ID]; return ok })
	for _, id := range compact(ids) {
		if l, ok := o.links[kind][id]; ok {
			links = append(links, l)
		}
	}
	return links, err
}

func (o *overlay) LinksOf(ctx context.Context, kind proto.Kind, pks []string) ([]Link, error) {
	links, err := o.Reader.LinksOf(ctx, kind, pks)
	links = slices.DeleteFunc(links, func(l Link) bool {
		planned, ok := o.links[kind][l.ID]
		return ok && planned.Source == l.Source
	})
	for _, pk := range compact(pks) {
		for id := range o.owned[kind][pk] {
			links = append(links, o.links[kind][id])
		}
	}
	return links, err
}

func (o *overlay) Rows(ctx context.Context, kind proto.Kind, pks []string) ([]Row, error) {
	var rows []Row
	var ask []string
	for _, pk := range compact(pks) {
		if row, ok := o.rows[kind][pk]; ok {
			rows = append(rows, row)
		} else {
			ask = append(ask, pk)
		}
	}
	there, err := o.Reader.Rows(ctx, kind, ask)
	return append(rows, there...), err
}

func (o *overlay) Named(ctx context.Context, kind proto.Kind, names []string) ([]Row, error) {
	rows, err := o.Reader.Named(ctx, kind, names)
	rows = slices.DeleteFunc(rows, func(r Row) bool { _, ok := o.rows[kind][r.PK]; return ok })
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = Fold(name)
	}
	for _, name := range compact(folded) {
		for pk := range o.byName[kind][name] {
			rows = append(rows, o.rows[kind][pk])
		}
	}
	return rows, err
}

func (o *overlay) Memberships(ctx context.Context, source string, users []string) ([]Membership, error) {
	ask := slices.DeleteFunc(slices.Clone(users), func(pk string) bool { _, ok := o.newRow(pk); return ok })
	members, err := o.Reader.Memberships(ctx, source, ask)
	members = slices.DeleteFunc(members, func(m Membership) bool { _, ok := o.joined[m.User][m.Group]; return ok })
	for _, user := range compact(users) {
		for group, is := range o.joined[user] {
			if is {
				members = append(members, Membership{user, group})
			}
		}
	}
	return members, err
}

// newRow tells whether a primary key is that of a row that is only planned.
func (o *overlay) newRow(pk string) (Row, bool) {
	row, ok := o.rows[proto.KindUser][pk]
	return row, ok && len(pk) > 4 && pk[:4] == "new:"
}

func (o *overlay) Letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	letters, err := o.Reader.Letters(ctx, q)
	letters = slices.DeleteFunc(letters, func(l Letter) bool { _, ok := o.letters[q.Kind][l.ID]; return ok || o.forgotten[l.Source] })
	for id, l := range o.letters[q.Kind] {
		if l != nil && (q.All && id > q.After || slices.Contains(q.IDs, id) || slices.Contains(q.Names, l.Name)) {
			letters = append(letters, *l)
		}
	}
	if q.All {
		slices.SortFunc(letters, func(a, b Letter) int { return strings.Compare(a.ID, b.ID) })
		if q.Limit > 0 {
			letters = letters[:min(q.Limit, len(letters))]
		}
	}
	return letters, err
}

func put(sets map[string]map[string]bool, key, member string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	sets[key][member] = true
}

func compact(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return slices.Compact(keys)
}
