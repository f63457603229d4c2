package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/internal/history"
	"ldapsync/proto"
)

func (a *app) snapshotsShow() *cobra.Command {
	var sel selection
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "show SNAPSHOT",
		Short: "Show one snapshot, and who came, went or changed in it",
		Args:  arguments(1, 1, "a snapshot"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			return a.onePast(c.Context(), sel, func(p past) error {
				s, err := p.Resolve(args[0], time.Now())
				if err != nil {
					return err
				}
				if asJSON {
					return a.showSnapshotJSON(c.Context(), p, s)
				}
				return a.showSnapshot(c.Context(), p, s, all)
			})
		},
	}
	sel.sourceFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().BoolVar(&all, "all", false, "print all entries, however many")
	return c
}

// shownView is what show --json prints.
type shownView struct {
	snapshotView
	Skipped     []entry    `json:"skipped"` // the first of them
	Losses      []lossView `json:"losses"`
	Differences *tallyView `json:"differences"` // null where what was before it isn't known any more; snapshots diff names them
}

type lossView struct {
	Kind   string `json:"kind"`
	Change string `json:"change"`
	Key    string `json:"key,omitempty"`
	Count  uint64 `json:"count"`
}

type tallyView struct {
	Users  history.Tally `json:"users"`
	Groups history.Tally `json:"groups"`
}

// within compares what a snapshot left with what it found; nil if that was cut off.
func (p past) within(ctx context.Context, s *history.Snapshot) (*history.Diff, error) {
	before, ok := p.Before(s)
	if !ok {
		return nil, nil
	}
	return p.Diff(ctx, before, p.Point(s))
}

func (a *app) showSnapshotJSON(ctx context.Context, p past, s *history.Snapshot) error {
	details, err := p.Details(ctx, s)
	if err != nil {
		return err
	}
	d, err := p.within(ctx, s)
	if err != nil {
		return err
	}
	v := shownView{snapshotView: p.view(s), Skipped: []entry{}, Losses: []lossView{}}
	for _, skipped := range details.Skipped {
		v.Skipped = append(v.Skipped, entry{DN: skipped.GetDn(), Reason: skipped.GetReason()})
	}
	for _, l := range details.Losses {
		v.Losses = append(v.Losses, lossView{l.GetKind(), l.GetChange(), l.GetKey(), l.GetCount()})
	}
	if d != nil {
		v.Differences = &tallyView{d.Users, d.Groups}
	}
	return writeJSON(a.stdout, v)
}

func (a *app) showSnapshot(ctx context.Context, p past, s *history.Snapshot, all bool) error {
	details, err := p.Details(ctx, s)
	if err != nil {
		return err
	}
	d, err := p.within(ctx, s)
	if err != nil {
		return err
	}
	w := &lines{w: a.stdout}
	w.line("source %s: snapshot %d (%s), %s", p.source.Name, s.Number, kindOf(s), s.Status)
	if s.Reason != "" {
		w.line("  reason:    %s", printable(s.Reason))
	}
	w.line("  time:      %s to %s", localTime(s.Started), localTime(s.Ended))
	w.line("  server:    %s", printable(s.Server))
	w.question(s.Question)
	w.line("  sequences: %d to %d", s.First, p.Point(s).To)
	w.counts(s)
	w.decisions(s)
	w.holds(p.Told(s), s)
	list := make([]entry, len(details.Skipped))
	for i, skipped := range details.Skipped {
		list[i] = entry{DN: skipped.GetDn(), Reason: skipped.GetReason()}
	}
	if all {
		for _, e := range list {
			w.line("  skipped: %s: %s", printable(e.DN), printable(e.Reason))
		}
	} else {
		w.entries("skipped", list, int(s.Users.GetSkipped()+s.Groups.GetSkipped()), "--all prints the first 100")
	}
	if d == nil {
		w.line("what it changed isn't known: the history before it was cut off")
		return w.err
	}
	w.line("what it changed:")
	return printDifferences(ctx, w, d, all)
}

func (l *lines) question(q *proto.Question) {
	if q == nil {
		return
	}
	l.line("  base:      %s (%s)", printable(strings.Join(q.GetBases(), "; ")), q.GetScope())
	if f := q.GetUserFilter(); f != "" {
		l.line("  users:     %s", printable(f))
	}
	if f := q.GetGroupFilter(); f != "" {
		l.line("  groups:    %s", printable(f))
	}
	l.line("  id:        %s", printable(q.GetIdAttribute()))
	for _, names := range []struct {
		of   string
		from []string
	}{{"users", q.GetUserNames()}, {"groups", q.GetGroupNames()}} {
		if len(names.from) > 0 {
			l.line("             names of %s from %s", names.of, printable(strings.Join(names.from, ", else ")))
		}
	}
}

func (l *lines) counts(s *history.Snapshot) {
	if s.Status != history.Committed {
		return
	}
	l.line("  %-14s %8s %8s", "", "users", "groups")
	u, g := s.Users, s.Groups
	for _, row := range []struct {
		label string
		users uint64
		group uint64
	}{
		{"read", u.GetRead(), g.GetRead()}, {"added", u.GetAdded(), g.GetAdded()}, {"changed", u.GetChanged(), g.GetChanged()},
		{"unchanged", u.GetUnchanged(), g.GetUnchanged()}, {"removed", u.GetRemoved(), g.GetRemoved()},
		{"skipped", u.GetSkipped(), g.GetSkipped()}, {"held", u.GetHeld(), g.GetHeld()},
	} {
		l.row(row.label == "read", row.label, int(row.users), int(row.group))
	}
}

// decisions prints what was decided, and who was forgotten.
func (l *lines) decisions(s *history.Snapshot) {
	for _, d := range s.Decided {
		v := viewDecision(d)
		l.line("  decided: %s %.8s by %s: %s (%d entries)", v.Decision, v.Hash, printable(v.By), printable(v.Reason), v.Entries)
		if v.Note != "" {
			l.line("    %s", printable(v.Note))
		}
	}
	for _, m := range s.Forgot {
		l.line("  %s", newForgotView(m).line())
	}
}

// holds prints what waited when s ended, as told says.
func (l *lines) holds(told, s *history.Snapshot) {
	if told == nil {
		return
	}
	if told == s && len(s.Held) == 0 {
		l.line("  nothing is held any more")
	}
	for _, h := range told.Held {
		what, name, since := "held", "", ""
		if h.GetRejected() {
			what = "rejected"
		}
		if h.GetName() != "" {
			name = " of " + h.GetName()
		}
		if h.GetSince() != nil {
			since = " since " + localTime(h.GetSince().AsTime())
		} else if told != s {
			since = fmt.Sprintf(" since snapshot %d", told.Number)
		}
		l.line("  %s%s: %s%s, %d of %d %ss: %s (%.8s)", what, since, h.GetChange(), printable(name), h.GetCount(), h.GetOf(), h.GetKind(), printable(h.GetReason()), h.GetHash())
	}
}
