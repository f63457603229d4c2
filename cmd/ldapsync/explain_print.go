package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"ldapsync/applier"
)

// print prints what there is to say, for people.
func (x *explained) print(w *lines) {
	w.line("user %s", printable(x.Entry.DN))
	switch {
	case x.State == "present":
		w.line("  source:    %s", x.Source)
	case x.Entry.Missing != nil && x.State == "missing":
		w.line("  source:    %s, missing since %s: %s", x.Source, localTime(*x.Entry.Missing), printable(x.Reason))
	default:
		w.line("  source:    %s, %s: %s", x.Source, x.State, printable(x.Reason))
	}
	id := ""
	if x.Question != nil {
		id = " (" + x.Question.IDAttribute + ")"
	}
	w.line("  id:        %s%s", printable(x.Entry.ID), printable(id))
	if q := x.Question; q != nil {
		w.line("  found by:  %s below %s (%s)", printable(q.UserFilter), printable(strings.Join(q.Bases, "; ")), q.Scope)
	}
	w.line("  published: %s", x.Published)
	if x.Confirmed != nil && x.Confirmed.Snapshot != x.Published.Snapshot {
		w.line("  confirmed: %s", *x.Confirmed)
	}
	for _, g := range x.Groups {
		w.line("  group:     %s", printable(cmp.Or(g.DN, g.ID+" (gone)")))
	}
	for _, f := range x.Flags {
		w.line("  %-10s %t (%s)", f.Flag+":", f.Value, printable(f.Rule))
	}
	for _, h := range x.Held {
		w.line("  held:      %s, with %d others: %s (%.8s)", h.Change, max(h.Count, 1)-1, printable(h.Reason), h.Hash)
	}
	w.line("what happened:")
	for _, h := range x.Happened {
		h.print(w, x)
	}
	for _, t := range x.Targets {
		t.print(w)
	}
}

// String names a place in the stream.
func (p publication) String() string {
	text := fmt.Sprintf("sequence %d", p.Sequence)
	if p.Snapshot != 0 {
		text = fmt.Sprintf("snapshot %d, %s", p.Snapshot, text)
	}
	if p.Time != nil {
		text += ", " + localTime(*p.Time)
	}
	if p.Server != "" {
		text += ", from " + printable(p.Server)
	}
	return text
}

func (h happeningView) print(w *lines, x *explained) {
	text := string(h.What)
	if h.Reason != "" {
		text += ": " + printable(h.Reason)
	}
	if h.Approved != "" {
		text += " (approved by " + printable(h.Approved) + ")"
	}
	w.line("  %s  snapshot %d: %s", localTime(h.Time), h.Snapshot, text)
	for _, c := range h.changes {
		printChange(w, c, func(id string) string {
			for _, g := range x.Groups {
				if g.ID == id {
					return cmp.Or(g.DN, id)
				}
			}
			return id
		})
	}
}

func (v *explainedAccount) print(w *lines) {
	if v.Failed != "" {
		w.line("target %s: %s", v.Target, printable(v.Failed))
		return
	}
	switch {
	case v.How == "":
		w.line("target %s: no account", v.Target)
	case v.PK == "":
		w.line("target %s: its account was deleted: %s", v.Target, printable(v.Reason))
	default:
		w.line("target %s: row %s of %s (%s), %s", v.Target, v.PK, v.Table, printable(v.Name), map[applier.How]string{
			applier.Created: "created by sync", applier.Adopted: "adopted: it was there before", applier.Relinked: "taken over from an entry that is gone"}[v.How])
	}
	if v.State != "" && v.State != string(applier.Present) && v.PK != "" {
		w.line("  its entry is %s: %s", v.State, printable(v.Reason))
	}
	if v.Deactivated != "" {
		who := map[string]string{"sync": "deactivated by sync", "other": "found inactive: somebody else deactivated it"}[v.Deactivated]
		when := ""
		if v.When != nil {
			when = ", " + localTime(*v.When)
		}
		w.line("  %s%s", cmp.Or(who, "deactivated by "+printable(v.Deactivated)), when)
	}
	v.printColumns(w)
	for _, l := range v.Letters {
		w.line("  waits (%s) since %s: %s", l.Stage, localTime(l.Since), printable(l.Reason))
	}
	if v.Refused != "" {
		w.line("  can't be applied: %s", printable(v.Refused))
	}
	if len(v.Next) == 0 {
		w.line("  next run: nothing to do, if the directory stays as it is")
	}
	for _, n := range v.Next {
		w.line("  next run: %s", n.String())
	}
}

func (v *explainedAccount) printColumns(w *lines) {
	if w.err != nil {
		return
	}
	table := tabwriter.NewWriter(w.w, 0, 0, 2, ' ', 0)
	for _, c := range v.Columns {
		shown := shownValue(c.Wanted)
		if c.hasRow {
			shown = shownValue(c.Is)
		}
		from := "from " + printable(c.From)
		switch {
		case c.Kept && c.From == "nothing":
			from = "left alone"
		case c.hasRow && !c.Kept && shownValue(c.Is) != shownValue(c.Wanted):
			from += ", which says " + shownValue(c.Wanted)
		}
		if c.Kept && !c.hasRow {
			continue
		}
		fmt.Fprintf(table, "    %s\t%s\t%s\n", c.Column, shown, from)
	}
	w.err = table.Flush()
}
