package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// report prints the result.
func (r *runner) report(o runOptions) error {
	took := time.Since(r.result.begun)
	r.result.Seconds = took.Seconds()
	if o.asJSON {
		return writeJSON(r.stdout, r.result)
	}
	if o.quiet && !r.result.attention() {
		return nil
	}
	w := &lines{w: r.stdout}
	for _, s := range r.result.Sources {
		s.print(w)
	}
	for _, t := range r.result.Targets {
		t.print(w)
	}
	w.line("time %s", duration(took))
	return w.err
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// attention tells whether there is something that a person should know.
func (r *result) attention() bool {
	if r.skipped() > 0 || r.exit(false) != nil {
		return true
	}
	for _, t := range r.Targets {
		if len(t.Notes) > 0 || t.unhandled() {
			return true
		}
	}
	return false
}

// lines writes lines, and keeps the first error.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) line(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}

// row writes a row of a table, unless all of it is zero and it isn't one that people look for.
func (l *lines) row(always bool, label string, users, groups int) {
	if always || users != 0 || groups != 0 {
		l.line("  %-14s %8d %8d", label, users, groups)
	}
}

// columns are lines whose cells stand below each other.
type columns struct {
	lines *lines
	text  strings.Builder
	table *tabwriter.Writer
}

func newColumns(l *lines) *columns {
	c := &columns{lines: l}
	c.table = tabwriter.NewWriter(&c.text, 0, 0, 2, ' ', 0)
	return c
}

func (c *columns) row(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	fmt.Fprintln(c.table, strings.Join(cells, "\t"))
}

// print prints them, without space at the ends of lines.
func (c *columns) print() {
	_ = c.table.Flush() // into memory
	for line := range strings.Lines(c.text.String()) {
		c.lines.line("%s", strings.TrimRight(line, " \n"))
	}
}

func (s *sourceResult) print(w *lines) {
	kind := "delta"
	if s.Full {
		kind = "full"
	}
	w.line("source %s: snapshot %d (%s) from %s", s.Name, s.Snapshot, kind, printable(s.Server))
	w.line("  %-14s %8s %8s", "", "users", "groups")
	u, g := s.Users, s.Groups
	w.row(true, "read", int(u.Read), int(g.Read))
	w.row(false, "skipped", int(u.Skipped), int(g.Skipped))
	if s.Missing != nil {
		w.row(false, "missing", *s.Missing, 0)
	}
	w.row(false, "held", int(u.Held), int(g.Held))
	for _, d := range s.Decided {
		w.line("  %s", d.line())
	}
	for _, f := range s.Forgot {
		w.line("  %s", f.line())
	}
	s.Held.print(w)
	w.entries("skipped", s.Skipped, int(u.Skipped+g.Skipped), "--json lists the first 100")
}

func (t *targetResult) print(w *lines) {
	if t.Failed == "" {
		w.line("target %s:", t.Name)
	} else {
		w.line("target %s: failed; this is what was done before:", t.Name)
	}
	u, g := t.Users, t.Groups
	w.line("  %-14s %8s %8s", "", "users", "groups")
	w.row(true, "created", u.Created, g.Created)
	w.row(false, "adopted", u.Adopted, g.Adopted)
	w.row(false, "relinked", u.Relinked, g.Relinked)
	w.row(true, "updated", u.Updated, g.Updated)
	w.row(true, "unchanged", u.Unchanged, g.Unchanged)
	w.row(false, "missing", u.Missing, 0)
	w.row(true, "removed", u.Removed, g.Removed)
	w.row(false, "deactivated", u.Deactivated+t.Callbacks.Deactivated, 0)
	w.row(false, "deleted", t.Callbacks.Deleted, 0)
	w.row(false, "reactivated", u.Activated, 0)
	skipped, parked := byKind(t.Skipped), byKind(t.Parked)
	w.row(true, "skipped", skipped[0], skipped[1])
	w.row(false, "parked", parked[0], parked[1])
	if n := len(t.Retrying); n > 0 {
		w.row(true, "retrying", n, 0)
	}
	if t.Joined+t.Left > 0 {
		w.line("  memberships    %d added, %d taken", t.Joined, t.Left)
	}
	if t.unhandled() {
		w.line("  removed, no callback: nothing was done to their accounts (removal.callbacks: [deactivate])")
	}
	t.Held.print(w)
	w.names("adopted", t.Adopted)
	for _, note := range t.Notes {
		w.line("  note: %s", printable(note))
	}
	list := "ldapsync deadletters list --target " + t.Name + " lists all"
	w.entries("skipped", t.Skipped, len(t.Skipped), list)
	w.entries("parked", t.Parked, len(t.Parked), list)
	w.entries("retrying", t.Retrying, len(t.Retrying), list)
}

// unhandled tells whether users were removed and nothing was configured to happen.
func (t *targetResult) unhandled() bool { return t.Users.Removed > 0 && !t.hasCallbacks }

func byKind(list []entry) (n [2]int) {
	for _, e := range list {
		if e.Kind == "group" {
			n[1]++
		} else {
			n[0]++
		}
	}
	return n
}

// most is how many entries are named before they are only counted.
const most = 20

func (l *lines) entries(what string, list []entry, all int, rest string) {
	for i, e := range list {
		if i == most {
			break
		}
		l.line("  %s: %s: %s", what, printable(e.DN), printable(e.Reason))
	}
	if all > min(len(list), most) {
		l.line("  … and %d more %s: %s", all-min(len(list), most), what, rest)
	}
}

func (l *lines) names(what string, list []string) {
	if len(list) == 0 {
		return
	}
	shown := make([]string, min(len(list), most))
	for i := range shown {
		shown[i] = printable(list[i])
	}
	more := ""
	if len(list) > most {
		more = fmt.Sprintf(" and %d more", len(list)-most)
	}
	l.line("  %s: %s%s", what, strings.Join(shown, ", "), more)
}

// printable replaces what could move a terminal's cursor or break a line: names and reasons come from the directory.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, s)
}

func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
