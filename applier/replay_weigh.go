package applier

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"ldapsync/proto"
)

// A replay, and the release from one, may take more at once than any pass: who came since, memberships and flags that were given since. What it would
// take is counted as its plan is made, before anything is written, and put to the limits. Beyond them it waits as a whole, until a person has said yes
// to exactly that: to these entries with these losses.

// respect is one in which entries lose something: what a limit limits. change is that of a proto.Loss; key is the kind of entries that are
// removed, the primary key of a group (memberships; "": of all groups) or a column.
type respect struct{ change, key string }

var (
	usersRemoved   = respect{proto.ChangeRemoved, string(proto.KindUser)}
	groupsRemoved  = respect{proto.ChangeRemoved, string(proto.KindGroup)}
	staffLost      = respect{change: proto.ChangeStaff}
	superuserLost  = respect{change: proto.ChangeSuperuser}
	deactivated    = respect{change: proto.ChangeActive}
	allMemberships = respect{change: proto.ChangeMembership}
)

// loser is an entry with what it loses: its HeldKey; 1 if it is removed, else 0; and 15 bytes of the SHA-256 of its losses.
type loser [32]byte

func (l loser) key() [16]byte { return [16]byte(l[:]) }
func (l loser) removed() bool { return l[16] == 1 }

// losers are those that a hold of a replay's is about.
func (h Held) losers() []loser {
	all := make([]loser, 0, len(h.Entries)/len(loser{}))
	for entries := h.Entries; len(entries) >= len(loser{}); entries = entries[len(loser{}):] {
		all = append(all, loser(entries))
	}
	return all
}

// Keys are the HeldKeys of those that a hold is about, or for ChangeOrphans the proto.EntryKeys of the primary keys of accounts.
func (h Held) Keys() map[[16]byte]bool {
	if _, is := h.Replay(); is {
		losers := h.losers()
		keys := make(map[[16]byte]bool, len(losers))
		for _, l := range losers {
			keys[l.key()] = true
		}
		return keys
	}
	keys := make(map[[16]byte]bool, len(h.Entries)/16)
	for _, key := range splitKeys(h.Entries) {
		keys[key] = true
	}
	return keys
}

// weigher counts what a replay would take. 32 bytes are kept of each entry that loses something.
type weigher struct {
	cfg     *Config
	change  string         // of what it holds
	allowed map[loser]bool // what persons have approved: it isn't counted
	all     map[respect]int
	lost    map[respect]int
	losers  []loser
	groups  []string // primary keys of the groups that are removed
}

func newWeigher(cfg *Config, change string, rows []Held) *weigher {
	w := &weigher{cfg: cfg, change: change, allowed: map[loser]bool{}, all: map[respect]int{}, lost: map[respect]int{}}
	for _, row := range rows {
		if row.Source != cfg.Source || row.Change != change || row.Decision != Approved {
			continue
		}
		for _, l := range row.losers() {
			w.allowed[l] = true
		}
	}
	return w
}

// take counts a batch that was planned: what its items have, and what the changes take from them. r reads as the plan does.
func (w *weigher) take(ctx context.Context, r Reader, s settings, f *facts, items []item, changes []Change) error {
	if s.kind == proto.KindGroup {
		for _, c := range changes {
			if c.Action == Remove && w.lose(s.kind, c.ID, []respect{groupsRemoved}) {
				w.groups = append(w.groups, c.PK)
			}
		}
		return nil
	}
	for _, it := range items {
		if _, row, has := f.own(it); has && !it.absent() {
			w.has(s.mapping, row, f.memberships[row.PK])
		}
	}
	var gone []Change
	for _, c := range changes {
		switch {
		case c.Action == Remove, c.Action == Miss && f.links[c.ID].State == Present && !isPlanned(c.PK):
			gone = append(gone, c)
			continue
		case c.Action == Adopt, c.Action == Relink:
			w.has(s.mapping, f.rows[c.PK], f.memberships[c.PK])
		}
		if losses := s.mapping.losses(c); len(losses) > 0 {
			w.lose(s.kind, c.ID, losses)
		}
	}
	return w.takeGone(ctx, r, s, gone)
}

// takeLast counts what entries lose that waited for the names of who is gone. What these entries had is counted, and the flags that went with who is gone.
func (w *weigher) takeLast(s settings, f *facts, changes []Change) {
	if s.kind == proto.KindGroup {
		return
	}
	for _, c := range changes {
		losses := s.mapping.losses(c)
		switch c.Action {
		case Adopt:
			w.has(s.mapping, f.rows[c.PK], f.memberships[c.PK])
		case Relink:
			losses = slices.DeleteFunc(losses, func(r respect) bool { return r == staffLost || r == superuserLost })
		}
		if len(losses) > 0 {
			w.lose(s.kind, c.ID, losses)
		}
	}
}

// takeGone counts users who become gone, or missing, and the flags that go with them.
func (w *weigher) takeGone(ctx context.Context, r Reader, s settings, gone []Change) error {
	if len(gone) == 0 {
		return nil
	}
	pks := make([]string, len(gone))
	for i, c := range gone {
		pks[i] = c.PK
	}
	rows, err := r.Rows(ctx, s.kind, pks)
	if err != nil {
		return err
	}
	of := make(map[string]Row, len(rows))
	for _, row := range rows {
		of[row.PK] = row
	}
	memberships := map[string][]string{}
	if s.memberships {
		members, err := r.Memberships(ctx, s.source, pks)
		if err != nil {
			return err
		}
		for _, m := range members {
			memberships[m.User] = append(memberships[m.User], m.Group)
		}
	}
	for _, c := range gone {
		losses := []respect{usersRemoved}
		if row, there := of[c.PK]; there {
			if c.Action == Remove { // who is missing came as she was known before
				w.has(s.mapping, row, memberships[row.PK])
			}
			for _, had := range []struct {
				is bool
				respect
			}{{s.mapping.isStaff(row), staffLost}, {row.Superuser, superuserLost}} {
				if had.is {
					losses = append(losses, had.respect)
				}
			}
		}
		w.lose(s.kind, c.ID, losses)
	}
	return nil
}

// isPlanned tells whether a primary key is that of a row which an overlay has and the database hasn't.
func isPlanned(pk string) bool { return strings.HasPrefix(pk, "new:") }

// has counts what there is to lose.
func (w *weigher) has(m *Mapping, row Row, groups []string) {
	if m.active >= 0 && m.isActive(row) {
		w.all[deactivated]++
	}
	if m.isStaff(row) {
		w.all[staffLost]++
	}
	if row.Superuser {
		w.all[superuserLost]++
	}
	for i := range m.columns {
		if i < len(row.Values) && m.attribute(i) && filled(row.Values[i]) {
			w.all[respect{proto.ChangeAttribute, m.columns[i]}]++
		}
	}
	for _, group := range groups {
		w.all[respect{proto.ChangeMembership, group}]++
	}
	w.all[allMemberships] += len(groups)
}

// lose counts what an entry loses, unless a person has approved it, which it tells.
func (w *weigher) lose(kind proto.Kind, id string, losses []respect) (counts bool) {
	slices.SortFunc(losses, respect.compare)
	l := newLoser(kind, id, losses)
	if w.allowed[l] {
		return false
	}
	w.losers = append(w.losers, l)
	for _, r := range losses {
		w.lost[r]++
		if r.change == proto.ChangeMembership {
			w.lost[allMemberships]++
		}
	}
	return true
}

func newLoser(kind proto.Kind, id string, losses []respect) (l loser) {
	key := HeldKey(kind, id)
	h := sha256.New()
	h.Write([]byte(kind))
	for _, r := range losses {
		h.Write([]byte("\x00" + r.change + "\x00" + r.key))
	}
	copy(l[:], key[:])
	copy(l[17:], h.Sum(nil))
	if slices.ContainsFunc(losses, func(r respect) bool { return r.change == proto.ChangeRemoved }) {
		l[16] = 1
	}
	return l
}

func (r respect) compare(other respect) int {
	if c := strings.Compare(r.change, other.change); c != 0 {
		return c
	}
	return strings.Compare(r.key, other.key)
}

// losses are what an update takes from a user.
func (m *Mapping) losses(c Change) []respect {
	var losses []respect
	for _, i := range c.Set {
		if i >= len(c.Before) {
			continue
		}
		before, after := c.Before[i], c.Values[i]
		switch taken := before == true && after == false; {
		case i == m.active && taken:
			losses = append(losses, deactivated)
		case m.flag(i) == "staff" && taken:
			losses = append(losses, staffLost)
		case m.flag(i) == "superuser" && taken:
			losses = append(losses, superuserLost)
		case m.attribute(i) && filled(before) && !filled(after):
			losses = append(losses, respect{proto.ChangeAttribute, m.columns[i]})
		}
	}
	for _, group := range c.Leave {
		losses = append(losses, respect{proto.ChangeMembership, group})
	}
	return losses
}

// flag is the flag that a column takes: "staff" or "superuser", by a rule of the source's or because it has Django's name for it.
func (m *Mapping) flag(i int) string {
	switch {
	case m.fields[i] == nil:
		return ""
	case m.fields[i].Flag != "":
		return m.fields[i].Flag
	case m.columns[i] == "is_staff":
		return "staff"
	case m.columns[i] == "is_superuser":
		return "superuser"
	}
	return ""
}

// isStaff tells whether a row is that of a staff user. Where no staff column is mapped, a privileged account that isn't a superuser is.
func (m *Mapping) isStaff(row Row) bool {
	for i := range m.fields {
		if i < len(row.Values) && m.flag(i) == "staff" {
			return row.Values[i] == true
		}
	}
	return row.Privileged && !row.Superuser
}

// attribute tells whether a column, which isn't the name, takes the value of an attribute.
func (m *Mapping) attribute(i int) bool {
	return i > 0 && i != m.active && m.fields[i] != nil && m.flag(i) == ""
}

// filled tells whether a column holds something. A boolean always does.
func filled(v any) bool { return v != nil && v != "" }
