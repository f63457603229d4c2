package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/export"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

func (a *app) snapshotsDiff() *cobra.Command {
	var sel selection
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Compare two snapshots: who came, went or changed, and in what",
		Long: `Compares the directory as it was at two snapshots: who came, who went, and who changed, attribute by attribute and group by group. Prints the
first 20 of each, or all with --all; with --json all, a line each.`,
		Example: "  ldapsync snapshots diff latest~1 latest\n  ldapsync snapshots diff yesterday now --json",
		Args:    arguments(2, 2, "a snapshot"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			return a.onePast(c.Context(), sel, func(p past) error {
				return a.diffSnapshots(c.Context(), p, args[0], args[1], asJSON, all)
			})
		},
	}
	sel.sourceFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, a line for each entry")
	c.Flags().BoolVar(&all, "all", false, "print all entries, however many")
	return c
}

func (a *app) diffSnapshots(ctx context.Context, p past, from, to string, asJSON, all bool) error {
	now := time.Now()
	before, err := p.Committed(from, now)
	if err != nil {
		return err
	}
	after, err := p.Committed(to, now)
	if err != nil {
		return err
	}
	d, err := p.Diff(ctx, p.Point(before), p.Point(after))
	if err != nil {
		return err
	}
	if asJSON {
		return a.differencesJSON(ctx, d)
	}
	w := &lines{w: a.stdout}
	w.line("source %s: from snapshot %d (%s) to %d (%s)", p.source.Name, before.Number, localTime(before.Ended), after.Number, localTime(after.Ended))
	return printDifferences(ctx, w, d, all)
}

// differenceView is one difference as --json prints it.
type differenceView struct {
	Action  string        `json:"action"` // came, went or changed
	Kind    proto.Kind    `json:"kind"`
	ID      string        `json:"id"`
	DN      string        `json:"dn"`
	Changes []changeView  `json:"changes,omitempty"`
	Before  *export.Entry `json:"before,omitempty"`
	After   *export.Entry `json:"after,omitempty"`
}

// changeView is one change of an entry. What isn't text is in base64.
type changeView struct {
	Field  history.Field `json:"field"`
	Name   string        `json:"name,omitempty"`
	Binary bool          `json:"binary,omitempty"`
	Before any           `json:"before"`
	After  any           `json:"after"`
}

func viewChanges(changes []history.Change) []changeView {
	var list []changeView
	for _, c := range changes {
		list = append(list, changeView{c.Field, c.Name, c.Binary, shownValues(c.Before, c.Binary), shownValues(c.After, c.Binary)})
	}
	return list
}

func shownValues(values []string, binary bool) any {
	if !binary {
		return append([]string{}, values...)
	}
	raw := make([][]byte, len(values)) // base64, as JSON has bytes
	for i, v := range values {
		raw[i] = []byte(v)
	}
	return raw
}

func actionOf(d history.Difference) string {
	switch {
	case d.Before == nil:
		return "came"
	case d.After == nil:
		return "went"
	}
	return "changed"
}

func (a *app) differencesJSON(ctx context.Context, d *history.Diff) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for one, err := range d.Differences(ctx) {
		if err != nil {
			return err
		}
		e := one.Entry()
		v := differenceView{Action: actionOf(one), Kind: e.Kind, ID: e.ID(), DN: e.DN(), Changes: viewChanges(one.Changes())}
		if one.Before != nil {
			entry := export.View(one.Before)
			v.Before = &entry
		}
		if one.After != nil {
			entry := export.View(one.After)
			v.After = &entry
		}
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

// printDifferences prints the first of what came, changed and went, or all, and counts the rest.
func printDifferences(ctx context.Context, w *lines, d *history.Diff, all bool) error {
	w.tally("users", d.Users)
	w.tally("groups", d.Groups)
	total := map[string]int{"came": d.Users.Came + d.Groups.Came, "changed": d.Users.Changed + d.Groups.Changed, "went": d.Users.Went + d.Groups.Went}
	shown, left := map[string]int{}, 0
	for action := range total {
		left += total[action]
		if !all {
			left -= max(0, total[action]-most)
		}
	}
	for one, err := range d.Differences(ctx) {
		if err != nil {
			return err
		}
		action := actionOf(one)
		if shown[action] == most && !all {
			continue
		}
		shown[action]++
		printDifference(ctx, w, d, one)
		if left--; left == 0 || w.err != nil {
			break
		}
	}
	for _, action := range []string{"came", "changed", "went"} {
		if more := total[action] - shown[action]; more > 0 {
			w.line("  … and %d more %s: --all prints them", more, action)
		}
	}
	return w.err
}

func (l *lines) tally(what string, t history.Tally) {
	if t.Any() {
		l.line("  %s: %d came, %d changed, %d went", what, t.Came, t.Changed, t.Went)
	} else {
		l.line("  %s: no difference", what)
	}
}

func printDifference(ctx context.Context, w *lines, d *history.Diff, one history.Difference) {
	e := one.Entry()
	sign := map[string]string{"came": "+", "changed": "~", "went": "-"}[actionOf(one)]
	w.line("%s %s %s", sign, e.Kind, printable(e.DN()))
	for _, c := range one.Changes() {
		printChange(w, c, func(id string) string { return groupDN(ctx, d, id) })
	}
}

// groupDN names a group, by its id if nothing else is known.
func groupDN(ctx context.Context, d *history.Diff, id string) string {
	if g, err := d.Group(ctx, id); err == nil {
		return g.GetDn()
	} else if !errors.Is(err, proto.ErrNotFound) {
		return fmt.Sprintf("%s (%v)", id, err)
	}
	return id
}

// printChange prints one change; groupName names the group of an id.
func printChange(w *lines, c history.Change, groupName func(id string) string) {
	switch c.Field {
	case history.FieldDN:
		w.line("    renamed from %s", printable(c.Before[0]))
	case history.FieldMissing:
		if c.After[0] == "true" {
			w.line("    missing from the directory")
		} else {
			w.line("    in the directory again")
		}
	case history.FieldUnknown:
		w.line("    groups unknown: %s → %s", c.Before[0], c.After[0])
	case history.FieldGroups:
		for _, id := range c.After {
			w.line("    joined %s", printable(groupName(id)))
		}
		for _, id := range c.Before {
			w.line("    left %s", printable(groupName(id)))
		}
	default:
		w.line("    %s: %s → %s", c.Name, shortValues(c.Before, c.Binary), shortValues(c.After, c.Binary))
	}
}

// shortValues are values in one line that a person can read.
func shortValues(values []string, binary bool) string {
	if len(values) == 0 {
		return "(none)"
	}
	list := make([]string, 0, len(values))
	for i, v := range values {
		if i == 5 && len(values) > 6 {
			list = append(list, fmt.Sprintf("… %d more", len(values)-i))
			break
		}
		const longest = 200
		if binary {
			v = fmt.Sprintf("(%d bytes)", len(v))
		} else if utf8.RuneCountInString(v) > longest {
			v = string([]rune(v)[:longest]) + "…"
		}
		list = append(list, printable(v))
	}
	return strings.Join(list, ", ")
}
