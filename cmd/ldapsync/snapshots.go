package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

func (a *app) snapshotsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "snapshots",
		Short: "List past snapshots, show what was in them, compare and export them",
		Long: `Every pass over a source is a snapshot, and the stream keeps them for as long as the source's history.keep says. A snapshot is named by its
number, by latest, by latest~2 (the second before the latest), or by a time: the last one that was committed then or before.
2026-11-20T08:00Z, "2026-11-20 08:00" (local time), 2026-11-20 and yesterday (the end of that day), "2h ago".`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.snapshotsList(), a.snapshotsShow(), a.snapshotsDiff(), a.snapshotsExport())
	return c
}

// past is the history of one source.
type past struct {
	*history.History
	cfg    *config.Config
	source *config.Source
	log    *bus.Log
}

// pasts opens the streams of the sources that are selected, as they are, and hands those that have a history to fn: again, where that is cut meanwhile.
func (a *app) pasts(ctx context.Context, sel selection, fn func(past) error) error {
	return a.eachStream(ctx, sel, func(cfg *config.Config, s *config.Source, log *bus.Log) error {
		return a.lookAgain(ctx, func() error {
			h, err := history.Open(ctx, log)
			if err != nil {
				return blame(s.Name, err)
			}
			return fn(past{h, cfg, s, log})
		})
	})
}

// onePast is pasts for what can only be about one source.
func (a *app) onePast(ctx context.Context, sel selection, fn func(past) error) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	sources, err := sel.sourcesOf(cfg)
	if err != nil {
		return err
	}
	if len(sources) > 1 {
		return usage("one of "+names(len(sources), func(i int) string { return sources[i].Name }), "--source is missing: each source has snapshots of its own")
	}
	sel.sources, sel.targets = []string{sources[0].Name}, nil
	found := false
	err = a.pasts(ctx, sel, func(p past) error {
		found = true
		return fn(p)
	})
	if err == nil && !found {
		_, err = (&history.History{}).Resolve("latest", time.Now()) // says that there is none
	}
	return err
}

func (a *app) snapshotsList() *cobra.Command {
	var sel selection
	var asJSON bool
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots, the latest first",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON && !c.Flags().Changed("limit") {
				limit = 0
			}
			if limit < 0 {
				return usage("0 lists all", "--limit: %d", limit)
			}
			views := []snapshotView{}
			err := a.pasts(c.Context(), sel, func(p past) error {
				if !asJSON {
					return a.listSnapshots(p, limit)
				}
				for _, s := range latestSnapshots(p.History, limit) {
					views = append(views, p.view(s))
				}
				return nil
			})
			if err == nil && asJSON {
				err = writeJSON(a.stdout, views)
			}
			return err
		},
	}
	sel.sourceFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().IntVar(&limit, "limit", most, "the latest `N` of each source; 0: all")
	return c
}

// latestSnapshots returns the last n snapshots (0: all), the latest first.
func latestSnapshots(h *history.History, n int) []*history.Snapshot {
	if n == 0 || n > len(h.Snapshots) {
		n = len(h.Snapshots)
	}
	list := make([]*history.Snapshot, n)
	for i := range list {
		list[i] = &h.Snapshots[len(h.Snapshots)-1-i]
	}
	return list
}

func (a *app) listSnapshots(p past, limit int) error {
	list := latestSnapshots(p.History, limit)
	if len(list) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SOURCE\tSNAPSHOT\tKIND\tSTATUS\tWHEN\tUSERS\tCHANGES\tGROUPS\tCHANGES\tNOTE")
	for _, s := range list {
		users, groups := s.Users, s.Groups
		if s.Status != history.Committed {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t-\t\t-\t\t%s\n", p.source.Name, s.Number, kindOf(s), s.Status, localTime(snapshotTime(s)), printable(snapshotNote(s)))
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\n", p.source.Name, s.Number, kindOf(s), s.Status, localTime(snapshotTime(s)),
			users.GetRead(), changesOf(users), groups.GetRead(), changesOf(groups), snapshotNote(s))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := len(p.Snapshots) - len(list); more > 0 {
		_, err := fmt.Fprintf(a.stdout, "… and %d older ones of source %s: --limit 0 lists all\n", more, p.source.Name)
		return err
	}
	return nil
}

// snapshotTime is the time by which a snapshot is found.
func snapshotTime(s *history.Snapshot) time.Time {
	if s.Ended.IsZero() {
		return s.Started
	}
	return s.Ended
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func kindOf(s *history.Snapshot) string {
	if s.Full {
		return "full"
	}
	return "delta"
}

func changesOf(c *proto.Counts) string {
	return fmt.Sprintf("+%d ~%d -%d", c.GetAdded(), c.GetChanged(), c.GetRemoved())
}

// snapshotNote is what people should look at.
func snapshotNote(s *history.Snapshot) string {
	var list []string
	if n := s.Users.GetHeld() + s.Groups.GetHeld(); n > 0 {
		list = append(list, fmt.Sprintf("%d held", n))
	}
	if n := len(s.Decided); n > 0 {
		list = append(list, fmt.Sprintf("%d decided", n))
	}
	if n := s.Users.GetSkipped() + s.Groups.GetSkipped(); n > 0 {
		list = append(list, fmt.Sprintf("%d skipped", n))
	}
	if s.Reason != "" {
		list = append(list, s.Reason)
	}
	return strings.Join(list, ", ")
}
