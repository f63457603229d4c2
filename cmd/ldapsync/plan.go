package main

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/proto"
)

// plan is what a dry run found, as --json prints it.
type plan struct {
	Changes []planned       `json:"changes"`
	Totals  map[string]int  `json:"totals"` // by action
	Losing  map[string]int  `json:"losing"` // how many lose staff or superuser status, by column
	Sources []*sourceResult `json:"sources"`
	Held    holds           `json:"held"`              // by the targets: accounts that no entry stands behind
	Waiting int             `json:"waiting_decisions"` // about what is held: the next run carries them out, this plan doesn't contain them
	Note    string          `json:"note"`

	last map[[3]string]int // target, kind and id → the place in Changes
}

// planned is one change that run would make.
type planned struct {
	Target string         `json:"target"`
	Action string         `json:"action"`
	Kind   proto.Kind     `json:"kind"`
	ID     string         `json:"id"`
	DN     string         `json:"dn"`
	Name   string         `json:"name"`
	Set    []columnChange `json:"set,omitempty"`
	Join   []string       `json:"join,omitempty"`
	Leave  []string       `json:"leave,omitempty"`
	Then   []string       `json:"then,omitempty"` // what becomes of the row of one who is removed
	Reason string         `json:"reason,omitempty"`

	loses      []string // columns of staff and superuser, if it is a user's
	several    bool     // targets: then a line names its own
	superseded bool
}

type columnChange struct {
	Column string `json:"column"`
	From   any    `json:"from"`
	To     any    `json:"to"`
}

const planNote = "what the database refuses at the moment of writing can't be known before"

// add takes a change. Several of one entry (what is published already, then what the directory says now) become one: people want to
// know what it comes to.
func (p *plan) add(c planned) {
	key := [3]string{c.Target, string(c.Kind), c.ID}
	if p.last == nil {
		p.last = map[[3]string]int{}
	}
	if i, ok := p.last[key]; ok {
		before := &p.Changes[i]
		switch applier.Action(before.Action) {
		case applier.Skip, applier.Park:
			before.superseded = true
		case applier.Create, applier.Adopt, applier.Relink, applier.Update:
			if c.Action == string(applier.Update) {
				before.merge(c)
				return
			}
		}
	}
	p.last[key] = len(p.Changes)
	p.Changes = append(p.Changes, c)
}

// merge adds an update of the same entry.
func (c *planned) merge(later planned) {
	c.Name, c.DN = later.Name, later.DN
	c.Join, c.Leave = append(without(c.Join, later.Leave), without(later.Join, c.Leave)...), append(without(c.Leave, later.Join), without(later.Leave, c.Join)...)
	if c.Action == string(applier.Create) {
		return // a line of its own names no columns
	}
	for _, set := range later.Set {
		i := slices.IndexFunc(c.Set, func(s columnChange) bool { return s.Column == set.Column })
		if i < 0 {
			c.Set = append(c.Set, set)
		} else {
			c.Set[i].To = set.To
		}
	}
	c.Set = slices.DeleteFunc(c.Set, func(s columnChange) bool { return reflect.DeepEqual(s.From, s.To) })
	c.superseded = c.Action == string(applier.Update) && len(c.Set)+len(c.Join)+len(c.Leave) == 0
}

func without(list, taken []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(taken, s) })
}

// settle drops what was superseded, and counts the rest.
func (p *plan) settle() {
	p.Changes = slices.DeleteFunc(p.Changes, func(c planned) bool { return c.superseded })
	p.Losing = map[string]int{}
	for _, c := range p.Changes {
		p.Totals[c.Action]++
		for _, column := range c.loses {
			if slices.Contains(c.Set, columnChange{column, true, false}) {
				p.Losing[column]++
			}
		}
	}
}

// print prints the plan and ends with exit code 3 if there is something to do, else with 4 if something is held.
func (p *planner) print(o runOptions) error {
	p.plan.settle()
	p.plan.Sources, p.plan.Note = p.result.Sources, planNote
	if o.asJSON {
		if err := writeJSON(p.stdout, p.plan); err != nil {
			return err
		}
	} else if err := p.printLines(o); err != nil {
		return err
	}
	if len(p.plan.Changes) > 0 {
		return exit(codeDifference)
	}
	if len(p.plan.Held.open()) > 0 {
		return exit(codeLeftovers)
	}
	return p.result.exit(false) // something may be held
}

func (p *planner) printLines(o runOptions) error {
	w := &lines{w: p.stdout}
	for _, c := range p.plan.Changes {
		w.line("%s", c.String())
	}
	if o.quiet && len(p.plan.Changes) == 0 {
		return w.err
	}
	for _, s := range p.plan.Sources {
		w.line("source %s: %d users and %d groups read from %s", s.Name, s.Users.Read, s.Groups.Read, printable(s.Server))
		w.entries("skipped", s.Skipped, int(s.Users.Skipped+s.Groups.Skipped), "--json lists the first 100")
		s.Held.preview(w)
	}
	p.plan.Held.preview(w)
	if n := p.plan.Waiting; n > 0 {
		w.line("  %s for the next run, and nothing of that is planned here", plural(n, "decision waits", "decisions wait"))
	}
	if len(p.plan.Changes) == 0 {
		if p.result.holds()+len(p.plan.Held.open()) > 0 {
			w.line("nothing else to do")
		} else {
			w.line("nothing to do")
		}
		return w.err
	}
	var totals []string
	for _, action := range []applier.Action{applier.Create, applier.Adopt, applier.Relink, applier.Update, applier.Miss, applier.Remove, "deactivate", "delete", applier.Skip, applier.Park} {
		switch n := p.plan.Totals[string(action)]; {
		case n == 0:
		case action == applier.Miss:
			totals = append(totals, fmt.Sprintf("%d missing", n))
		default:
			totals = append(totals, fmt.Sprintf("%d to %s", n, action))
		}
	}
	if len(p.plan.Losing) > 0 {
		var losing []string
		for _, column := range slices.Sorted(maps.Keys(p.plan.Losing)) {
			losing = append(losing, fmt.Sprintf("%s (%s)", plural(p.plan.Losing[column], "account", "accounts"), column))
		}
		w.line("take care: rights would be taken from %s", strings.Join(losing, ", "))
	}
	w.line("dry run: %s; nothing was changed (%s)", strings.Join(totals, ", "), planNote)
	return w.err
}

// String is the change's line: the action, who, and what.
func (c planned) String() string {
	var b strings.Builder
	if c.several {
		fmt.Fprintf(&b, "%s: ", c.Target)
	}
	what := string(c.Action)
	if c.Kind == proto.KindGroup {
		what += " group"
	}
	name, dn := printable(c.Name), printable(c.DN)
	switch applier.Action(c.Action) {
	case applier.Create, applier.Adopt, applier.Relink:
		fmt.Fprintf(&b, "%-6s  %s → %s", what, dn, name)
	case applier.Update:
		fmt.Fprintf(&b, "%-6s  %s", what, name)
	default:
		fmt.Fprintf(&b, "%-6s  %s", what, dn)
		if name != "" {
			fmt.Fprintf(&b, " (%s)", name)
		}
	}
	var details []string
	for _, s := range c.Set {
		details = append(details, fmt.Sprintf("%s %s → %s", s.Column, shownValue(s.From), shownValue(s.To)))
	}
	for _, g := range c.Join {
		details = append(details, "joins "+printable(g))
	}
	for _, g := range c.Leave {
		details = append(details, "leaves "+printable(g))
	}
	details = append(details, c.Then...)
	if c.Reason != "" {
		details = append(details, printable(c.Reason))
	}
	if len(details) > 0 {
		b.WriteString(": " + strings.Join(details, ", "))
	}
	return b.String()
}

func shownValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if v == "" {
			return `""`
		}
		return printable(v)
	}
	return printable(fmt.Sprint(v))
}

// describer turns an applier's changes for one target into lines of the plan.
type describer struct {
	target  *config.Target
	several bool
	store   store
	config  applier.Config
	groups  map[string]string // primary key → name
}

func (d *describer) describe(ctx context.Context, kind proto.Kind, c applier.Change) planned {
	p := planned{Target: d.target.Name, Action: string(c.Action), Kind: kind, ID: c.ID, DN: c.DN, Name: c.Name, Reason: c.Reason, several: d.several}
	mapping := d.config.Users
	if kind == proto.KindUser {
		p.loses = []string{d.target.Users.Columns.StaffOrDefault(), d.target.Users.Columns.SuperuserOrDefault()}
	} else {
		mapping = d.config.Groups
		if c.Link != nil {
			d.groups[c.Link.PK] = c.Name
		}
	}
	if c.Action == applier.Remove || c.Action == applier.Miss {
		p.Then = d.then(kind, c)
	}
	columns := mapping.Columns()
	for _, i := range c.Set {
		if c.Before != nil && i < len(columns) {
			p.Set = append(p.Set, columnChange{columns[i], c.Before[i], c.Values[i]})
		}
	}
	p.Join, p.Leave = d.named(ctx, c.Join), d.named(ctx, c.Leave)
	return p
}

// then tells what becomes of the row of one who is removed.
func (d *describer) then(kind proto.Kind, c applier.Change) []string {
	switch callbacks := d.target.Removal.Callbacks; {
	case kind == proto.KindGroup && c.DeleteRow:
		return []string{config.Delete}
	case kind == proto.KindGroup:
		return nil
	case c.Action == applier.Miss && d.target.Removal.Missing != config.MissingDeactivate:
		return []string{"stays as it is for " + duration(d.target.Removal.Grace)}
	case c.Action == applier.Miss:
		return []string{config.Deactivate}
	case len(callbacks) == 0:
		return []string{"no callback"}
	default:
		return callbacks
	}
}

// named gives groups their names. One whose name can't be read keeps its primary key: this is for people.
func (d *describer) named(ctx context.Context, pks []string) []string {
	var ask []string
	for _, pk := range pks {
		if _, known := d.groups[pk]; !known {
			ask = append(ask, pk)
		}
	}
	if len(ask) > 0 {
		_ = d.store.View(ctx, func(r applier.Reader) error {
			rows, err := r.Rows(ctx, proto.KindGroup, ask)
			for _, row := range rows {
				d.groups[row.PK] = row.Name
			}
			return err
		})
	}
	names := make([]string, len(pks))
	for i, pk := range pks {
		if names[i] = d.groups[pk]; names[i] == "" {
			names[i] = pk
		}
	}
	return names
}
