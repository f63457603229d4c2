package applier

import (
	"fmt"
	"slices"
	"strings"
)

// A username, or the name of a group, is unique. Who gets which is settled for a whole batch at once, before anything is
// written: entries that change their names at the same time may swap them or follow each other.

// seat is where an entry goes: to a row that is there, to a new one, or nowhere.
type seat struct {
	action Action // Create, Adopt, Relink or Update; Skip or Park
	pk     string
	former *Link // of a relinked row: the link of the entry that is gone
	evicts []Row // rows of entries that are gone, which must give up the name
	reason string
}

// assign finds a seat for every item. The entries that leave their names are assumed to succeed first; whoever can't stops being
// one of them, and the rest is looked at again until nothing changes. gone are the primary keys of the rows whose entries this
// batch removes.
func assign(s settings, f *facts, items []item, gone map[string]bool) map[string]seat {
	leaving := map[string]bool{} // primary keys of rows that give up their folded names
	for _, it := range items {
		if m, row, ok := f.own(it); ok && m.err == nil && Fold(row.Name) != m.name {
			leaving[row.PK] = true
		}
	}
	for {
		seats, stuck := assignOnce(s, f, items, leaving, gone)
		if len(stuck) == 0 {
			return seats
		}
		for _, pk := range stuck {
			delete(leaving, pk)
		}
	}
}

// own returns what an item was mapped to and the row that its link owns, if that is there.
func (f *facts) own(it item) (*mapped, Row, bool) {
	m := f.values[it.id]
	l, ok := f.links[it.id]
	if !ok || l.PK == "" {
		return m, Row{}, false
	}
	row, ok := f.rows[l.PK]
	return m, row, ok
}

func assignOnce(s settings, f *facts, items []item, leaving, gone map[string]bool) (seats map[string]seat, stuck []string) {
	seats = make(map[string]seat, len(items))
	claims := make(map[string]*item, len(items)) // by folded name
	for i, it := range items {
		m, row, has := f.own(it)
		if m.err != nil || s.refused != "" {
			seats[it.id] = seat{action: Skip, reason: s.refused}
			if s.refused == "" {
				seats[it.id] = seat{action: Skip, reason: m.err.Error()}
			}
			continue
		}
		var st seat
		if has {
			st = rename(s, f, row, m, leaving, gone, claims)
		} else {
			st = enter(s, f, m, leaving, gone, claims)
		}
		if st.action == Park && has && leaving[row.PK] {
			stuck = append(stuck, row.PK)
		}
		if st.action != Park && st.action != Skip {
			claims[m.name] = &items[i]
		}
		seats[it.id] = st
	}
	return seats, stuck
}

// rename seats an entry that has a row.
func rename(s settings, f *facts, row Row, m *mapped, leaving, gone map[string]bool, claims map[string]*item) seat {
	want := m.values[0].(string)
	st := seat{action: Update, pk: row.PK}
	if row.Name == want {
		return st
	}
	if other, taken := claims[m.name]; taken {
		return seat{action: Park, reason: fmt.Sprintf("%q is taken by %s", want, other.dn())}
	}
	same := m.name == Fold(row.Name) // only the case changes: then a row that differs by case is in nobody's way
	for _, holder := range f.named[m.name] {
		if holder.PK == row.PK || leaving[holder.PK] || same && holder.Name != want {
			continue
		}
		if gone[holder.PK] || !f.evictable(s, holder) { // who has just gone, or is missing again, has the name for now
			return seat{action: Park, reason: f.heldBy(want, holder)}
		}
		st.evicts = append(st.evicts, holder)
	}
	return st
}

// evictable tells whether a row belongs to entries of the source that are gone, and to nobody else. Only a replay takes a name from an account
// that somebody may still log in with.
func (f *facts) evictable(s settings, holder Row) bool {
	if !s.evict && s.mapping.isActive(holder) {
		return false
	}
	for _, l := range f.owners[holder.PK] {
		if l.Source != s.source || l.State != Gone || l.How == Swept || f.comesBack(l.ID) {
			return false
		}
	}
	return len(f.owners[holder.PK]) > 0 && (!holder.Privileged || s.adopt.Privileged)
}

// enter seats an entry that has no row: a new one, or one that is there under its name.
func enter(s settings, f *facts, m *mapped, leaving, gone map[string]bool, claims map[string]*item) seat {
	want := m.values[0].(string)
	if other, taken := claims[m.name]; taken {
		return seat{action: Park, reason: fmt.Sprintf("%q is taken by %s", want, other.dn())}
	}
	var holders []Row
	for _, h := range f.named[m.name] {
		if h.Name == want && !leaving[h.PK] {
			holders = []Row{h} // exact case wins
			break
		}
		if !leaving[h.PK] {
			holders = append(holders, h)
		}
	}
	switch len(holders) {
	case 0:
		return seat{action: Create}
	case 1:
		return takeOver(s, f, want, holders[0], gone)
	}
	var names []string
	for _, h := range holders {
		names = append(names, fmt.Sprintf("%q", h.Name))
	}
	slices.Sort(names)
	return seat{action: Skip, reason: fmt.Sprintf("%q matches several accounts: %s", want, strings.Join(names, ", "))}
}

// takeOver decides whether an entry without a row may have the row that holds its name.
func takeOver(s settings, f *facts, want string, holder Row, gone map[string]bool) seat {
	st := seat{action: Adopt, pk: holder.PK}
	for _, l := range f.owners[holder.PK] {
		switch {
		case l.How == Swept && l.State != Present: // of no source
		case l.Source != s.source:
			return seat{action: Skip, reason: fmt.Sprintf("%q belongs to source %s", want, l.Source)}
		case f.comesBack(l.ID) || l.State == Present && !gone[holder.PK]:
			return seat{action: Park, reason: f.heldBy(want, holder)}
		}
		st.action, st.former = Relink, &l
	}
	switch {
	case (st.action == Adopt || st.former.How == Swept) && !s.adopt.Existing:
		return seat{action: Skip, reason: fmt.Sprintf("%q exists already, and adopt.existing is off", want)}
	case holder.Privileged && !s.adopt.Privileged:
		return seat{action: Skip, reason: fmt.Sprintf("%q exists already as staff or superuser, and adopt.privileged is off", want)}
	}
	return st
}

// comesBack tells whether the batch itself brings the entry that a row belongs to.
func (f *facts) comesBack(id string) bool {
	_, ok := f.values[id]
	return ok
}

// heldBy says who has the name. The account of somebody who is gone keeps its name as long as it is active: until then only an entry without
// an account of its own gets it, as a whole.
func (f *facts) heldBy(want string, holder Row) string {
	reason := fmt.Sprintf("%q is taken by another account (id %s)", want, holder.PK)
	for _, l := range f.owners[holder.PK] {
		if l.State == Present {
			return fmt.Sprintf("%q is taken by %s", want, l.DN)
		}
		reason = fmt.Sprintf("%q is still the name of %s, who is gone: rename or delete that row (id %s)", want, l.DN, holder.PK)
	}
	return reason
}
