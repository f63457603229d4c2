package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
consumers of other programs. One that never comes back keeps all of it; only a person drops it.`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.consumersList(), a.consumersDrop())
	return c
}

// consumerView is a consumer as --json prints it.
type consumerView struct {
	Source   string     `json:"source"`
	Consumer string     `json:"consumer"`
	Sequence uint64     `json:"sequence"`
	Behind   uint64     `json:"behind"` // events of any kind; brackets alone don't move a target
	Seen     *time.Time `json:"seen,omitempty"`
}

func (a *app) consumersList() *cobra.Command {
	var sel selection
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List them, with how far each has come",
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
	sel.sourceFlag(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	return c
}

// consumers lists who consumes the streams of the selected sources, the last one of each first.
func (a *app) consumers(ctx context.Context, sel selection) ([]consumerView, error) {
	views := []consumerView{}
	err := a.eachStream(ctx, sel, func(_ *config.Config, s *config.Source, log *bus.Log) error {
		_, last, err := log.Bounds(ctx)
		if err != nil {
			return err
		}
		positions, err := log.Positions(ctx)
		if err != nil {
			return err
		}
		for _, p := range positions {
			views = append(views, consumerView{Source: s.Name, Consumer: p.Consumer, Sequence: p.Sequence, Behind: last - min(last, p.Sequence), Seen: known(p.Seen)})
		}
		return nil
	})
	return views, err
}

func (a *app) printConsumers(views []consumerView) error {
	w := &lines{w: a.stdout}
	if len(views) == 0 {
		w.line("nobody has consumed anything yet")
		return w.err
	}
	table := newColumns(w)
	table.row("SOURCE", "CONSUMER", "SEQUENCE", "BEHIND", "SEEN")
	for _, v := range views {
		seen := "-"
		if v.Seen != nil {
			seen = v.Seen.Local().Format(time.DateTime)
		}
		table.row(v.Source, v.Consumer, strconv.FormatUint(v.Sequence, 10), strconv.FormatUint(v.Behind, 10), seen)
	}
	table.print()
	return w.err
}

func (a *app) consumersDrop() *cobra.Command {
	return &cobra.Command{
		Use:   "drop SOURCE TARGET",
		Short: "Forget the position of a target, so that it holds no history back",
		Long: `Forgets how far a target has come in a source's stream. If it does come back and misses what was cut off meanwhile, it takes the last full
snapshot and removes what that doesn't contain, under the limits. Durable consumers of other programs are deleted with their own tools (nats consumer rm).`,
		Args: arguments(2, 2, "the source or the target"),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := a.load()
			if err != nil {
				return err
			}
			none := usage("ldapsync consumers list", "target %s has no position in source %s", args[1], args[0])
			if !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
				return none
			}
			b, err := a.openBus(c.Context(), cfg, 30*time.Second, a.logger(slog.LevelWarn))
			if err != nil {
				return err
			}
			defer b.Close()
			err = b.Drop(c.Context(), args[0], args[1])
			if errors.Is(err, proto.ErrNotFound) {
				return none
			}
			if err == nil {
				fmt.Fprintf(a.stdout, "target %s holds back nothing of source %s any more\n", args[1], args[0])
			}
			return err
		},
	}
}
