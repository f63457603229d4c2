package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// shownFirst is how many entries held show names without --all.
const shownFirst = 100

func (a *app) heldShow() *cobra.Command {
	var sel selection
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "show HASH",
		Short: "Show whom a hold is about: every account, with its groups and last login",
		Long: fmt.Sprintf(`Shows whom a hold is about, superusers and staff first, with the groups and the last login of their accounts in each target. HASH is the hash
that "held list" and the summary of a run give, or its first %d digits. The first %d are shown; --all shows all, --json always does.`, leastHash, shownFirst),
		Args: arguments(1, 1, "the hash of a hold"),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := a.openHolder(c.Context(), sel)
			if err != nil {
				return err
			}
			defer h.close()
			list, err := h.all(c.Context())
			if err != nil {
				return err
			}
			f, err := pick(list, args[0])
			if err != nil {
				return err
			}
			s := shownHold{holdView: f.holdView, Entries: []shownEntry{}, unread: h.unread(f)}
			if err := h.resolve(c.Context(), f, &s); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, s)
			}
			w := &lines{w: a.stdout}
			s.print(w, all, len(h.stores) > 1)
			return w.err
		},
	}
	sel.flags(c)
	c.Flags().BoolVar(&all, "all", false, "show all of them")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, all of them")
	return c
}

// shownHold is a hold with whom it is about, as --json prints it.
type shownHold struct {
	holdView
	Entries []shownEntry `json:"entries"`
	Unnamed int          `json:"unnamed,omitempty"` // how many more it is about, who can't be named
	Because string       `json:"because,omitempty"` // of which they can't

	unread string // the setting without which they aren't read
}

// shownEntry is one entry, and the accounts that it has in the targets.
type shownEntry struct {
	ID       string         `json:"id,omitempty"`
	DN       string         `json:"dn,omitempty"`
	Name     string         `json:"name"`
	Accounts []shownAccount `json:"accounts"`
}

// shownAccount is a row of a target.
type shownAccount struct {
	Target    string     `json:"target"`
	PK        string     `json:"pk"`
	Name      string     `json:"name"`
	Active    bool       `json:"active"`
	Staff     bool       `json:"staff"`
	Superuser bool       `json:"superuser"`
	LastLogin *time.Time `json:"last_login,omitempty"`
	Groups    []string   `json:"groups"`
}

func newShownAccount(target string, a django.Account, groups []string) shownAccount {
	s := shownAccount{Target: target, PK: a.PK, Name: a.Username, Active: a.Active, Staff: a.Staff, Superuser: a.Superuser, Groups: []string{}}
	s.Groups = append(s.Groups, groups...)
	if !a.LastLogin.IsZero() {
		s.LastLogin = &a.LastLogin
	}
	return s
}

// resolve fills in whom a hold is about.
func (h *holder) resolve(ctx context.Context, f *foundHold, s *shownHold) error {
	var err error
	switch {
	case f.row == nil:
		err = h.resolveEntries(ctx, f, s)
	case f.row.Change == applier.ChangeSweep:
		_, err = h.resolveLinks(ctx, f, s)
	case f.isReplay():
		err = h.resolveReplay(ctx, f, s)
	default:
		err = h.resolveRows(ctx, f, s)
	}
	slices.SortStableFunc(s.Entries, func(a, b shownEntry) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.DN, b.DN))
	})
	return err
}

// resolveRows finds the accounts that a target holds: those without a link whose keys it names.
func (h *holder) resolveRows(ctx context.Context, f *foundHold, s *shownHold) error {
	held := f.row.Keys()
	for o, err := range h.stores[f.Target].Orphans(ctx) {
		if err != nil {
			return err
		}
		if held[proto.EntryKey(o.PK)] {
			s.Entries = append(s.Entries, shownEntry{Name: o.Username, Accounts: []shownAccount{newShownAccount(f.Target, o.Account, nil)}})
		}
	}
	return nil
}

// resolveLinks finds the accounts and groups that a target holds by the ids of their links. It returns the keys of the others: no link of an entry that is
// there has those.
func (h *holder) resolveLinks(ctx context.Context, f *foundHold, s *shownHold) (rest map[[16]byte]bool, err error) {
	rest = f.row.Keys()
	st := h.stores[f.Target]
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		var ids []string
		first := len(s.Entries)
		for after, more := "", true; more; {
			var links []applier.Link
			err := st.View(ctx, func(r applier.Reader) (err error) { // one page: in SQLite nobody can write meanwhile
				links, err = r.LinksAfter(ctx, f.Source, kind, after, pageOfIDs)
				return err
			})
			if err != nil {
				return nil, err
			}
			for _, l := range links {
				key := applier.HeldKey(kind, l.ID)
				if after = l.ID; rest[key] {
					ids = append(ids, l.ID)
					s.Entries = append(s.Entries, shownEntry{ID: l.ID, DN: l.DN, Name: l.ID, Accounts: []shownAccount{}})
					delete(rest, key)
				}
			}
			more = len(links) == pageOfIDs
		}
		if err := addProfiles(ctx, st, f.Target, f.Source, kind, ids, s.Entries[first:]); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// pageOfIDs is how many ids a database is asked for at a time.
const pageOfIDs = 1000

// addProfiles adds to each of entries, whose ids are these, the account that it has in a target.
func addProfiles(ctx context.Context, st store, target, source string, kind proto.Kind, ids []string, entries []shownEntry) error {
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	for chunk := range slices.Chunk(ids, pageOfIDs) {
		profiles, err := st.Profiles(ctx, source, kind, chunk)
		if err != nil {
			return err
		}
		for _, p := range profiles {
			e := &entries[place[p.ID]]
			if e.Accounts = append(e.Accounts, newShownAccount(target, p.Account, p.Groups)); len(e.Accounts) == 1 {
				e.Name = p.Username
			}
		}
	}
	return nil
}

// resolveEntries finds the entries that a source holds, and their accounts in its targets.
func (h *holder) resolveEntries(ctx context.Context, f *foundHold, s *shownHold) error {
	var ids []string
	for e, err := range f.state.Entries(ctx, f.Hash) {
		if err != nil {
			return err
		}
		entry := h.entry(f.Source, e.User, e.Group)
		ids = append(ids, entry.ID)
		s.Entries = append(s.Entries, entry)
	}
	for _, t := range h.cfg.TargetsOf(f.Source) {
		st := h.stores[t.Name]
		if st == nil {
			continue // not asked for, or it doesn't answer
		}
		if err := addProfiles(ctx, st, t.Name, f.Source, f.Kind, ids, s.Entries); err != nil {
			return err
		}
	}
	return nil
}

// entry is how a source's entry is shown: by its username or group name, else by its id.
func (h *holder) entry(source string, u *proto.User, g *proto.Group) shownEntry {
	e := shownEntry{ID: u.GetId(), DN: u.GetDn(), Accounts: []shownAccount{}}
	names, attributes := usernames(h.cfg, source), u.GetAttributes()
	if g != nil {
		e.ID, e.DN = g.GetId(), g.GetDn()
		names, attributes = groupNames(h.cfg, source), g.GetAttributes()
	}
	e.Name = e.ID
	for _, name := range names {
		for _, a := range attributes {
			if strings.EqualFold(a.GetName(), name) && len(a.GetValues()) > 0 {
				e.Name = a.GetValues()[0]
				return e
			}
		}
	}
	return e
}

// rank puts first whose loss hurts most.
func (e shownEntry) rank() int {
	rank := 2
	for _, a := range e.Accounts {
		switch {
		case a.Superuser:
			return 0
		case a.Staff:
			rank = 1
		}
	}
	return rank
}

// print prints a hold for people.
func (s *shownHold) print(w *lines, all, several bool) {
	w.line("%s", s.what())
	w.line("  hash    %s", s.Hash)
	w.line("  %s  %s", map[bool]string{true: "target", false: "source"}[s.Target != ""], cmp.Or(s.Target, s.Source))
	w.line("  reason  %s", s.why())
	w.line("  since   %s%s", s.Since.Format(time.RFC3339), s.deciders())
	if among := s.among(time.Now()); among != "" {
		w.line("  among them: %s", among)
	}
	shown := s.Entries
	if !all && len(shown) > shownFirst {
		shown = shown[:shownFirst]
	}
	w.line("")
	s.table(w, shown, several)
	if rest := len(s.Entries) - len(shown); rest > 0 {
		w.line("… and %d more: ldapsync held show %s --all", rest, s.short())
	}
	if s.Unnamed > 0 {
		w.line("… and %d more who can't be named now: %s", s.Unnamed, printable(s.Because))
	}
	if s.Asked != nil {
		return
	}
	w.line("")
	if s.unread != "" {
		w.line("%ss aren't read now, so nothing happens to them: to let it happen, set %s again first", s.Kind, s.unread)
	}
	w.line("to let it happen:          ldapsync held approve %s --reason TEXT", s.short())
	if !s.Rejected {
		w.line("to keep it from happening: ldapsync held reject %s --reason TEXT", s.short())
		w.line("if the directory or a setting is wrong, mend that: it dissolves with the next pass")
	}
}

// among counts those whom one should look at twice.
func (s *shownHold) among(now time.Time) string {
	var superusers, staff, recent, without int
	for _, e := range s.Entries {
		switch e.rank() {
		case 0:
			superusers++
		case 1:
			staff++
		}
		if slices.ContainsFunc(e.Accounts, func(a shownAccount) bool { return a.LastLogin != nil && now.Sub(*a.LastLogin) < 30*24*time.Hour }) {
			recent++
		}
		if len(e.Accounts) == 0 {
			without++
		}
	}
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{
		{superusers, plural(superusers, "superuser", "superusers")}, {staff, plural(staff, "staff user", "staff users")},
		{recent, fmt.Sprintf("%d who logged in within the last 30 days", recent)},
	} {
		if p.n > 0 {
			parts = append(parts, p.text)
		}
	}
	if without > 0 && without < len(s.Entries) {
		parts = append(parts, fmt.Sprintf("%d without an account", without))
	}
	return strings.Join(parts, ", ")
}

// table prints a line for each account, and for each entry without one.
func (s *shownHold) table(w *lines, shown []shownEntry, several bool) {
	t := newColumns(w)
	row := func(target string, cells ...string) {
		if several {
			cells = append([]string{target}, cells...)
		}
		t.row(cells...)
	}
	if s.Kind == proto.KindGroup {
		row("TARGET", "GROUP", "DN")
	} else {
		row("TARGET", "ACCOUNT", "", "LAST LOGIN", "GROUPS", "DN")
	}
	for _, e := range shown {
		if len(e.Accounts) == 0 {
			e.Accounts = []shownAccount{{Name: e.Name, Target: "-", PK: ""}}
		}
		for _, a := range e.Accounts {
			if s.Kind == proto.KindGroup {
				row(a.Target, a.Name, e.DN)
				continue
			}
			row(a.Target, a.Name, a.standing(), a.login(), strings.Join(a.Groups, ", "), e.DN)
		}
	}
	t.print()
}

// standing is what an account is, beyond being one.
func (a shownAccount) standing() string {
	var words []string
	switch {
	case a.PK == "":
		return "no account"
	case a.Superuser:
		words = append(words, "superuser")
	case a.Staff:
		words = append(words, "staff")
	}
	if !a.Active {
		words = append(words, "inactive")
	}
	return strings.Join(words, ", ")
}

func (a shownAccount) login() string {
	switch {
	case a.PK == "":
		return ""
	case a.LastLogin == nil:
		return "never"
	}
	return a.LastLogin.Format(time.DateOnly)
}
