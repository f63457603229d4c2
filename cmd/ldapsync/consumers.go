package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

func (a *app) consumersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "consumers",
		Short: "List who consumes the streams, or drop one that won't come back",
		Long: `The history of a source is cut only as far as everybody has seen it: the targets, which note their positions on the bus, and durable
consumers of the callbacks and of other programs. Neither is anybody forgotten whose removal one of them hasn't seen, or whose outcomes a durable
consumer of those hasn't. One that never comes back holds all of it back; only a person drops it.`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.consumersList(), a.consumersDrop())
	return c
}

// consumerView is a consumer as --json prints it.
type consumerView struct {
	Source     string     `json:"source,omitempty"`
	OutcomesOf string     `json:"outcomes_of,omitempty"` // a target: the stream is that of its outcomes
	Consumer   string     `json:"consumer"`
	Sequence   uint64     `json:"sequence"`
	Behind     uint64     `json:"behind"` // events of any kind; brackets alone don't move a target
	Seen       *time.Time `json:"seen,omitempty"`
	Connected  bool       `json:"connected"`            // somebody waits for a durable's messages right now
	Holds      *time.Time `json:"holds_from,omitempty"` // when the first entry event was stored that it hasn't seen: what is younger is kept for it

	position bus.Position
}

// stream says which one it consumes, for people.
func (v consumerView) stream() string {
	if v.OutcomesOf != "" {
		return "outcomes of " + v.OutcomesOf
	}
	return v.Source
}

// holds says what it holds back.
func (v consumerView) holds() string {
	switch {
	case v.Holds != nil:
		return "the history from " + v.Holds.Local().Format(time.DateTime) + " on"
	case v.OutcomesOf != "" && v.Behind > 0:
		return "who is to be forgotten"
	}
	return "-"
}

func (a *app) consumersList() *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List them, with how far each has come, and what it holds back",
		Args:  arguments(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error {
			views, err := a.consumers(c.Context(), sel)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, views)
			}
			return a.printConsumers(views)
		},
	}
	sel.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return c
}

// consumers lists who consumes the streams of the selected sources and targets, the last one of each first.
func (a *app) consumers(ctx context.Context, sel selection) ([]consumerView, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	sources, err := sel.sourcesOf(cfg)
	if err != nil || !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return []consumerView{}, err
	}
	b, err := a.openBus(ctx, cfg, patience(sources), a.logger(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return consumersOn(ctx, cfg, b, sel)
}

func consumersOn(ctx context.Context, cfg *config.Config, b *bus.Bus, sel selection) ([]consumerView, error) {
	views := []consumerView{}
	sources, err := sel.sourcesOf(cfg)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		list, err := consumersOf(ctx, b, s.Name)
		if err != nil {
			return nil, err
		}
		views = append(views, list...)
	}
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if len(sel.targets) > 0 && !slices.Contains(sel.targets, t.Name) {
			continue
		}
		if !slices.ContainsFunc(sources, func(s *config.Source) bool { return slices.Contains(t.Sources, s.Name) }) {
			continue
		}
		list, err := outcomesConsumers(ctx, b, t.Name)
		if err != nil {
			return nil, err
		}
		views = append(views, list...)
	}
	return views, nil
}

// outcomesConsumers lists the durable consumers of a target's outcomes.
func outcomesConsumers(ctx context.Context, b *bus.Bus, target string) ([]consumerView, error) {
	all, last, err := b.OutcomesPositions(ctx, target)
	if err != nil {
		return nil, err
	}
	var views []consumerView
	for _, p := range all {
		views = append(views, newConsumerView(p, last, consumerView{OutcomesOf: target}))
	}
	return views, nil
}

// consumersOf lists who consumes the events of a source.
func consumersOf(ctx context.Context, b *bus.Bus, source string) ([]consumerView, error) {
	log, err := b.OpenLog(ctx, source)
	if errors.Is(err, proto.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	positions, err := log.Positions(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := lastEntry(ctx, log, last)
	if err != nil {
		return nil, err
	}
	var views []consumerView
	for _, p := range positions {
		v := newConsumerView(p, last, consumerView{Source: source})
		if p.Sequence < entry {
			for e, err := range log.Read(ctx, p.Sequence+1, last) {
				if err != nil {
					return nil, err
				}
				v.Holds = known(e.Time)
				break
			}
		}
		views = append(views, v)
	}
	return views, nil
}

func newConsumerView(p bus.Position, last uint64, of consumerView) consumerView {
	of.Consumer, of.Sequence, of.Behind, of.Seen, of.Connected, of.position = p.Consumer, p.Sequence, last-min(last, p.Sequence), known(p.Seen), p.Connected, p
	return of
}

func (a *app) printConsumers(views []consumerView) error {
	w := &lines{w: a.stdout}
	if len(views) == 0 {
		w.line("nobody has consumed anything yet")
		return w.err
	}
	table := newColumns(w)
	table.row("STREAM", "CONSUMER", "SEQUENCE", "BEHIND", "SEEN", "HOLDS BACK")
	for _, v := range views {
		seen := "-"
		if v.Seen != nil {
			seen = v.Seen.Local().Format(time.DateTime)
		}
		table.row(v.stream(), v.Consumer, strconv.FormatUint(v.Sequence, 10), strconv.FormatUint(v.Behind, 10), seen, v.holds())
	}
	table.print()
	return w.err
}
