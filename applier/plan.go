package applier

import (
	"slices"
	"time"

	"ldapsync/proto"
)

// plan tells what is to be done for the items, in their order. It asks nobody and writes nothing.
func plan(s settings, f *facts, items []item) ([]Change, error) {
	p := planner{settings: s, facts: f, gone: map[string]bool{}, taken: map[string]bool{}, was: map[string]Link{}}
	active := make([]item, 0, len(items))
	for _, it := range items {
		switch {
		case f.settled(s, it):
		case it.absent():
			p.gone[f.links[it.id].PK] = true
		default:
			active = append(active, it)
		}
	}
	seats := assign(s, f, active, p.gone)
	for _, st := range seats {
		if st.former != nil {
			p.taken[st.pk] = true
		}
	}
	changes := make([]Change, 0, len(items))
	for _, it := range items {
		c, err := p.change(it, seats[it.id])
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
		if st := seats[it.id]; st.former != nil && !p.gone[st.pk] {
			changes = append(changes, p.orphan(*st.former))
		}
		for _, row := range seats[it.id].evicts {
			changes = append(changes, p.evict(row))
		}
	}
	p.keepLastSuperuser(changes)
	p.ease(changes)
	return changes, nil
}

type planner struct {
	settings
	*facts
	gone  map[string]bool // primary keys of the rows whose entries the batch removes, or tells to be missing
	taken map[string]bool // and of those that go to an entry made again
	was   map[string]Link // by id: the links of the updates, as they are
}

func (p planner) change(it item, st seat) (Change, error) {
	c := Change{Action: Unchanged, Source: p.source, ID: it.id, DN: it.dn()}
	letter, lettered := p.letters[it.id]
	l, linked := p.links[it.id]
	c.Name, c.PK = l.Name, l.PK
	c.DropLetter = lettered
	switch {
	case p.settled(p.settings, it):
		return c, nil
	case it.absent():
		return p.leave(c, it, l), nil
	case st.action == Skip || st.action == Park:
		c.DropLetter = false
		return p.refuse(c, it, st, letter, lettered)
	}
	return p.row(c, it, st, l, linked), nil
}

// refuse plans for an entry that can't be applied as it is: a letter, and, where it has a row, those parts that can be told from its
// name and its attributes: that it is there, its flags and its memberships. Nobody stays active, or staff, for a name that is too long.
func (p planner) refuse(c Change, it item, st seat, letter Letter, lettered bool) (Change, error) {
	c.Action, c.Reason = st.action, st.reason
	m := p.values[it.id]
	if m.err == nil {
		c.Name = m.values[0].(string)
	}
	w, err := it.toLetter(p.source, p.kind, st.reason)
	if err != nil {
		return c, err
	}
	if w.Name = m.name; m.err != nil {
		w.Name = p.mapping.name(it.entry)
	}
	w.Parked = st.action == Park && !p.atEnd && !(lettered && !letter.Parked)
	if !lettered || letter.Reason != w.Reason || letter.Parked != w.Parked || letter.Sequence != w.Sequence {
		c.Letter = w
	}
	l, row, has := p.links[it.id], Row{}, false
	if _, row, has = p.own(it); !has || p.bare {
		return c, nil
	}
	was := l
	c.PK, c.Before, c.Values = row.PK, row.Values, p.mapping.flags(it.entry)
	u, _ := it.entry.(*proto.User)
	l.ActiveWritten = p.setActive(&c, decide(u, l, p.mapping.isActive(row)))
	c.compare(row, p.mapping.active)
	p.groupsOf(&c, u)
	if c.Reactivate {
		l.DeactivatedBy, l.DeactivatedAt = "", Link{}.DeactivatedAt
	}
	// No digest is equal to this one: the entry isn't settled, not even if it turns back to what it was.
	l.State, l.GoneSequence, l.GoneReason, l.Digest = Present, 0, "", proto.Digest{}
	if c.Letter != nil || len(c.Set)+len(c.Join)+len(c.Leave) > 0 || !sameLink(l, was) {
		c.Link = &l
	}
	return c, nil
}

// sameLink compares what refuse may change.
func sameLink(a, b Link) bool {
	return a.State == b.State && a.Digest == b.Digest && a.DeactivatedBy == b.DeactivatedBy &&
		(a.ActiveWritten == nil) == (b.ActiveWritten == nil) && (a.ActiveWritten == nil || *a.ActiveWritten == *b.ActiveWritten)
}

// leave makes a link gone, or missing. Of a group, Write takes the memberships that sync made.
func (p planner) leave(c Change, it item, l Link) Change {
	c.Action, c.Reason = Remove, it.reason
	if l.State == Present { // else it goes on being absent: what was done about that holds
		l.DeactivatedBy, l.DeactivatedAt = "", Link{}.DeactivatedAt
	}
	l.State, l.GoneSequence, l.GoneReason, l.Sequence = Gone, it.seq, it.reason, it.seq
	if it.missing {
		c.Action, l.State = Miss, Missing
	}
	switch {
	case p.taken[l.PK]:
		l.State, l.PK = Deleted, ""
	case p.kind == proto.KindGroup && p.deleteRows && l.How == Created:
		c.DeleteRow, l.State, l.PK = true, Deleted, ""
	}
	c.Link = &l
	return c
}

// orphan takes the row away from the link of an entry that is gone, because another entry got it.
func (p planner) orphan(l Link) Change {
	l.State, l.PK = Deleted, ""
	return Change{
		Action: Touch, Source: l.Source, ID: l.ID, DN: l.DN, Name: l.Name, Link: &l,
		Reason: "its account went to an entry that was made again", along: true,
	}
}

// evict gives the row of an entry that is gone another name, since somebody else has it now, or had it at the snapshot that is replayed, whose row is
// there, too. Should the entry return, the row gets its name back.
func (p planner) evict(row Row) Change {
	l := p.owners[row.PK][0]
	name := p.away[row.PK]
	l.Name = Fold(name)
	values := make([]any, len(row.Values))
	for i := range values {
		values[i] = Keep{}
	}
	values[0] = name
	return Change{
		Action: Update, Source: l.Source, ID: l.ID, DN: l.DN, Name: name, PK: row.PK, Values: values, Before: row.Values, Set: []int{0}, Rename: true,
		Privileged: row.Privileged, Superuser: row.Superuser, Link: &l, KeepGroups: true, Reason: "it is gone, and another entry has its name",
		along: true,
	}
}

// row plans the row of an entry that has a seat.
func (p planner) row(c Change, it item, st seat, l Link, linked bool) Change {
	m := p.values[it.id]
	c.Action, c.PK, c.Values, c.Reason = st.action, st.pk, slices.Clone(m.values), ""
	c.Name, _ = m.values[0].(string)
	returning := linked && l.State != Present
	read := l.Mapping // by which the row was last written for this entry
	if st.former != nil {
		l, returning = *st.former, true
	}
	u, _ := it.entry.(*proto.User)
	if how, ok := hows[st.action]; ok {
		l.How = how
	}
	partial := false
	if st.action == Create {
		l.ActiveWritten = p.setActive(&c, begin(u))
	} else {
		before := p.rows[st.pk]
		c.Before = before.Values
		partial = (it.old || it.dated && read != p.settings.hash) && c.keepUnread(p.mapping, it.entry)
		l.ActiveWritten = p.setActive(&c, decide(u, l, p.mapping.isActive(before)))
		c.compare(before, p.mapping.active)
	}
	p.groupsOf(&c, u)
	was := l
	l.Source, l.Kind, l.ID, l.PK, l.DN, l.Name = p.source, p.kind, it.id, st.pk, it.dn(), m.name
	l.State, l.GoneSequence, l.GoneReason, l.DeactivatedBy = Present, 0, "", ""
	l.DeactivatedAt = Link{}.DeactivatedAt
	l.Digest, l.Mapping, l.Sequence = it.digest, p.settings.hash, it.seq
	if partial {
		l.Digest = proto.Digest{} // the next time that she is published it may be different
		if !it.old {
			l.Mapping = read // and until a full snapshot brings her, what else is from before clears nothing either
		}
	}
	c.Link, c.NewLink = &l, !linked
	if c.Action == Update && !returning {
		p.was[c.ID] = was
	}
	return c
}

// ease makes those updates touches that don't change the row, and nothing of those that don't change the link either.
func (p planner) ease(changes []Change) {
	for i := range changes {
		c := &changes[i]
		was, update := p.was[c.ID]
		if !update || c.Action != Update || c.PK != was.PK || len(c.Set)+len(c.Join)+len(c.Leave) > 0 {
			continue
		}
		c.Action = Touch
		if p.every && sameLink(*c.Link, was) && c.Link.Mapping == was.Mapping && c.Link.Name == was.Name {
			c.Action, c.Link = Unchanged, nil
		}
	}
}

// hows tells how a link came to be, by the action that makes it.
var hows = map[Action]How{Create: Created, Adopt: Adopted, Relink: Relinked}

func (p planner) setActive(c *Change, a activity) *bool {
	if p.mapping.active < 0 {
		return nil
	}
	c.Values[p.mapping.active] = a.value
	return a.written
}

// keepUnread keeps the columns for which an entry, as last known, has none of the attributes: it may have been read before they were mapped. It tells
// whether it has kept what would have been written.
func (c *Change) keepUnread(m *Mapping, e entry) (kept bool) {
	for i, f := range m.fields {
		if i == 0 || f == nil || f.Flag != "" || c.Values[i] == (Keep{}) || f.has(e) {
			continue
		}
		kept = kept || !equal(c.Values[i], c.Before[i])
		c.Values[i] = Keep{}
	}
	return kept
}

// compare finds the columns that differ.
func (c *Change) compare(before Row, active int) {
	c.Privileged, c.Superuser = before.Privileged, before.Superuser
	for i, want := range c.Values {
		if want == (Keep{}) || equal(want, before.Values[i]) {
			continue
		}
		c.Set = append(c.Set, i)
		c.Rename = c.Rename || i == 0
		if i == active {
			c.Reactivate, c.Deactivate = want == true, want == false
		}
	}
}

// equal compares two values of a column. Times are equal if they are the same instant.
func equal(a, b any) bool {
	if at, ok := a.(time.Time); ok {
		bt, ok := b.(time.Time)
		return ok && at.Equal(bt)
	}
	return a == b
}

// groupsOf compares the memberships in the groups that the source manages.
func (p planner) groupsOf(c *Change, u *proto.User) {
	if c.KeepGroups = u == nil || !p.settings.memberships || u.GetGroupsUnknown(); c.KeepGroups {
		return
	}
	var wanted []string
	for _, id := range u.GetGroupIds() {
		if l, ok := p.groups[id]; ok {
			wanted = append(wanted, l.PK)
		} else {
			c.Pending = append(c.Pending, id)
		}
	}
	slices.Sort(wanted)
	c.Join = slices.Compact(wanted)
	if c.PK == "" {
		return
	}
	for _, pk := range p.facts.memberships[c.PK] {
		if i, found := slices.BinarySearch(c.Join, pk); found {
			c.Join = slices.Delete(c.Join, i, i+1)
		} else {
			c.Leave = append(c.Leave, pk)
		}
	}
}

// keepLastSuperuser takes back what would leave nobody active who is a superuser.
func (p planner) keepLastSuperuser(changes []Change) {
	left := map[string]bool{}
	for _, pk := range p.superusers {
		left[pk] = true
	}
	if len(left) == 0 {
		return
	}
	super := slices.IndexFunc(p.mapping.fields, func(f *Field) bool { return f != nil && f.Flag == "superuser" })
	loses := func(c Change, column int) bool {
		return column >= 0 && slices.Contains(c.Set, column) && c.Values[column] == false
	}
	for i, c := range changes {
		for _, column := range []int{p.mapping.active, super} {
			if !left[c.PK] || !loses(c, column) {
				continue
			}
			if len(left) > 1 {
				delete(left, c.PK)
				changes[i].LosesSuperuser = true
				continue
			}
			changes[i].Note = "the last active superuser stays one"
			changes[i].Set = slices.DeleteFunc(slices.Clone(changes[i].Set), func(n int) bool { return n == column })
			changes[i].Values[column] = Keep{}
			changes[i].Deactivate = changes[i].Deactivate && column != p.mapping.active
			if l := changes[i].Link; l != nil {
				l.Digest = proto.Digest{} // the next time that she is published it may be different
				if column == p.mapping.active {
					l.ActiveWritten = p.links[c.ID].ActiveWritten
				}
			}
		}
	}
}
