package applier

import (
	"context"
	"slices"
	"strings"

	"ldapsync/proto"
)

// settings are what a plan goes by, besides the facts.
type settings struct {
	source      string
	kind        proto.Kind
	mapping     *Mapping
	hash        string // of the mapping and the other settings that an entry's rows depend on
	adopt       Adoption
	memberships bool
	deleteRows  bool   // of groups that are gone and that sync created
	atEnd       bool   // of a snapshot: what is still parked becomes a dead letter
	refused     string // why the database refused the batch's only entry: it becomes a dead letter
	bare        bool   // even the flags and memberships of the refused entry
	every       bool   // entries whose links say that they are applied are compared, too
	evict       bool   // also active rows of entries that are gone give up their names
	known       bool   // who is missing, and whom the target doesn't know, needs no account
}

// facts are what the database says about the entries of a batch.
type facts struct {
	links       map[string]Link     // of the batch's ids
	letters     map[string]Letter   // of the batch's ids
	rows        map[string]Row      // by primary key: those that the links own, and those whose names are wanted
	named       map[string][]Row    // by folded name, for every name that is wanted
	owners      map[string][]Link   // by primary key: the links to the rows in named
	away        map[string]string   // by primary key: the names that those rows in named get which must give up theirs
	groups      map[string]Link     // present links of the groups that the users name, whose rows are there
	memberships map[string][]string // by the user's primary key: groups that the source manages
	superusers  []string            // who are active; filled only where one may be lost
	values      map[string]*mapped  // by id
}

// mapped is what the mapping made of an entry.
type mapped struct {
	values []any
	name   string // Fold
	err    error
}

// values maps the item, unless that is done.
func (it *item) values(m *Mapping) *mapped {
	if it.mapped == nil {
		var to mapped
		if to.values, to.err = m.Values(it.entry); to.err == nil {
			name, _ := to.values[0].(string)
			to.name = Fold(name)
		}
		it.mapped = &to
	}
	return it.mapped
}

// gather asks for all that a plan of these items must know. It adds to the items those parked entries that may get their names from
// what the batch does, if pull is set.
func gather(ctx context.Context, r Reader, s settings, items []item, pull bool) ([]item, *facts, error) {
	f := &facts{
		links: map[string]Link{}, letters: map[string]Letter{}, rows: map[string]Row{}, named: map[string][]Row{},
		owners: map[string][]Link{}, groups: map[string]Link{}, memberships: map[string][]string{},
	}
	fresh := items
	for len(fresh) > 0 {
		if err := f.readLinks(ctx, r, s, fresh); err != nil {
			return nil, nil, err
		}
		if !pull {
			break
		}
		parked, err := f.waiting(ctx, r, s, fresh)
		if err != nil {
			return nil, nil, err
		}
		items, fresh = append(slices.Clip(items), parked...), parked
	}
	active := make([]item, 0, len(items))
	for _, it := range items {
		if !f.settled(s, it) && !it.absent() {
			active = append(active, it)
		}
	}
	if len(active) == 0 {
		return items, f, nil
	}
	if err := f.readRows(ctx, r, s, active); err != nil {
		return nil, nil, err
	}
	if s.kind == proto.KindUser && s.memberships {
		if err := f.readMemberships(ctx, r, s, active); err != nil {
			return nil, nil, err
		}
	}
	return items, f, f.readSuperusers(ctx, r, s, active)
}

// settled tells whether the link says that the item is applied already.
func (f *facts) settled(s settings, it item) bool {
	l, ok := f.links[it.id]
	switch {
	case it.removed:
		return !ok || l.State != Present && l.State != Missing
	case it.missing:
		return !ok || l.State != Present && !(it.state && l.State == Gone)
	case it.kept && ok && l.State != Present, it.kept && !ok && s.known:
		return true
	}
	return ok && !s.every && l.State == Present && l.Digest == it.digest && l.Mapping == s.hash
}

func (f *facts) readLinks(ctx context.Context, r Reader, s settings, items []item) error {
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.id
	}
	links, err := r.Links(ctx, s.source, s.kind, ids)
	if err != nil {
		return err
	}
	if len(f.links) == 0 {
		f.links = make(map[string]Link, len(links))
	}
	for _, l := range links {
		f.links[l.ID] = l
	}
	letters, err := r.Letters(ctx, LetterQuery{Source: s.source, Kind: s.kind, IDs: ids})
	if err != nil {
		return err
	}
	for _, l := range letters {
		f.letters[l.ID] = l
	}
	return nil
}

// waiting returns the entries that wait for a name which the items may set free.
func (f *facts) waiting(ctx context.Context, r Reader, s settings, items []item) ([]item, error) {
	var names []string
	for _, it := range items {
		if l, ok := f.links[it.id]; ok && l.Name != "" && !f.settled(s, it) {
			names = append(names, l.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	letters, err := r.Letters(ctx, LetterQuery{Source: s.source, Kind: s.kind, Names: names})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(letters, func(a, b Letter) int { return strings.Compare(a.ID, b.ID) }) // of several the same one gets a name in each plan
	var parked []item
	for _, l := range letters {
		if _, inBatch := f.letters[l.ID]; inBatch {
			continue
		}
		it, err := fromLetter(l)
		if err != nil {
			return nil, err
		}
		parked = append(parked, it)
	}
	return parked, nil
}

// readRows maps the items, and reads the rows they have and the rows whose names they want.
func (f *facts) readRows(ctx context.Context, r Reader, s settings, items []item) error {
	f.values = make(map[string]*mapped, len(items))
	var pks []string
	for _, it := range items {
		f.values[it.id] = it.values(s.mapping)
		l, linked := f.links[it.id]
		if linked && l.PK != "" {
			pks = append(pks, l.PK)
		}
	}
	rows, err := r.Rows(ctx, s.kind, pks)
	if err != nil {
		return err
	}
	for _, row := range rows {
		f.rows[row.PK] = row
	}
	names := make([]string, 0, len(items))
	for _, it := range items {
		m := f.values[it.id]
		if m.err != nil {
			continue
		}
		row, ok := f.rows[f.links[it.id].PK] // a row that keeps its name needs nobody's leave
		if name := m.values[0].(string); !ok || row.Name != name {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	holders, err := r.Named(ctx, s.kind, names)
	if err != nil {
		return err
	}
	var owned []string
	for _, row := range holders {
		name := Fold(row.Name)
		f.named[name] = append(f.named[name], row)
		f.rows[row.PK] = row
		owned = append(owned, row.PK)
	}
	links, err := r.LinksOf(ctx, s.kind, owned)
	if err != nil {
		return err
	}
	for _, l := range links {
		f.owners[l.PK] = append(f.owners[l.PK], l)
	}
	return f.readAway(ctx, r, s)
}

// readMemberships reads the links of the groups that the items name, and the memberships of the rows that they have or may get.
func (f *facts) readMemberships(ctx context.Context, r Reader, s settings, items []item) error {
	wanted := map[string]bool{}
	for _, it := range items {
		if u, ok := it.entry.(*proto.User); ok {
			for _, id := range u.GetGroupIds() {
				wanted[id] = true
			}
		}
	}
	groups, err := groupsOf(ctx, r, s.source, keys(wanted))
	if err != nil {
		return err
	}
	f.groups = make(map[string]Link, len(groups))
	for _, l := range groups {
		f.groups[l.ID] = l
	}
	members, err := r.Memberships(ctx, s.source, keys(f.rows))
	if err != nil {
		return err
	}
	for _, m := range members {
		f.memberships[m.User] = append(f.memberships[m.User], m.Group)
	}
	return nil
}

func groupsOf(ctx context.Context, r Reader, source string, ids []string) ([]Link, error) {
	if g, ok := r.(GroupReader); ok {
		return g.Groups(ctx, source, ids)
	}
	return PresentGroups(ctx, r, source, ids)
}

// PresentGroups is what GroupReader's Groups returns, looked up.
func PresentGroups(ctx context.Context, r Reader, source string, ids []string) ([]Link, error) {
	links, err := r.Links(ctx, source, proto.KindGroup, ids)
	if err != nil {
		return nil, err
	}
	links = slices.DeleteFunc(links, func(l Link) bool { return l.State != Present || l.PK == "" })
	pks := make([]string, len(links))
	for i, l := range links {
		pks[i] = l.PK
	}
	rows, err := r.Rows(ctx, proto.KindGroup, pks)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(rows))
	for _, row := range rows {
		there[row.PK] = true
	}
	return slices.DeleteFunc(links, func(l Link) bool { return !there[l.PK] }), nil
}

// readSuperusers reads who is an active superuser, if an item is one and may stop to be.
func (f *facts) readSuperusers(ctx context.Context, r Reader, s settings, items []item) error {
	for _, it := range items {
		u, isUser := it.entry.(*proto.User)
		row, has := f.rows[f.links[it.id].PK]
		if !isUser || u.Active == nil && u.Superuser == nil || has && !row.Superuser {
			continue
		}
		if !has && !slices.ContainsFunc(f.named[f.values[it.id].name], func(r Row) bool { return r.Superuser }) {
			continue
		}
		var err error
		f.superusers, err = r.ActiveSuperusers(ctx)
		return err
	}
	return nil
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
