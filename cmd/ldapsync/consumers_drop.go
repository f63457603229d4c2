package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// dropOptions are the flags of consumers drop.
type dropOptions struct {
	source, outcomes string
	yes              bool
}

func (a *app) consumersDrop() *cobra.Command {
	var o dropOptions
	c := &cobra.Command{
		Use:   "drop [SOURCE] NAME",
		Short: "Forget where a consumer is, so that it holds nothing back",
		Long: `Forgets how far a target, or a durable consumer, has come.

A target that does come back and misses what was cut off meanwhile takes the last full snapshot and removes what that doesn't contain, under the
limits. A durable consumer is deleted on the server. The callbacks of ldapsync make theirs again when they come back, and look first who is due: they
miss nobody. Another program begins where it asks to when it makes its consumer again, most often with the oldest that is kept, or with the present;
what it hadn't seen may be gone by then.`,
		Example: "  ldapsync consumers list\n  ldapsync consumers drop corp crm\n  ldapsync consumers drop callback-crm-webhook",
		Args:    arguments(1, 2, "a name, as ldapsync consumers list shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			name := args[len(args)-1]
			if len(args) == 2 {
				if o.source != "" || o.outcomes != "" {
					return usage("ldapsync consumers drop "+name+" --source "+args[0], "%s: a source beside --source or --outcomes", c.CommandPath())
				}
				o.source = args[0]
			}
			return a.drop(c.Context(), name, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.source, "source", "", "who consumes the events of this `source`")
	f.StringVar(&o.outcomes, "outcomes", "", "who consumes the outcomes of this `target`")
	f.BoolVar(&o.yes, "yes", false, "don't ask before a durable consumer is deleted")
	c.MarkFlagsMutuallyExclusive("source", "outcomes")
	return c
}

// drop drops the one consumer of that name.
func (a *app) drop(ctx context.Context, name string, o dropOptions) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	none := usage("ldapsync consumers list", "no consumer is called %s%s", printable(name), o.where())
	if !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return none
	}
	b, err := a.openBus(ctx, cfg, 30*time.Second, a.logger(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer b.Close()
	views, err := o.candidates(ctx, cfg, b)
	if err != nil {
		return err
	}
	views = slices.DeleteFunc(views, func(v consumerView) bool { return v.position.Name() != name && v.Consumer != name })
	if len(views) > 1 {
		return usage(ambiguous(views), "several consumers are called %s", printable(name))
	}
	if len(views) == 0 {
		if o.source == "" || !proto.ValidName(name) {
			return none
		}
		// One that follows another stream of this name isn't listed.
		if err := b.Drop(ctx, o.source, name); errors.Is(err, proto.ErrNotFound) {
			return none
		} else if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "target %s holds back nothing of source %s any more\n", name, o.source)
		return nil
	}
	return a.dropOne(ctx, b, views[0], o.yes)
}

// where says which stream is meant, for people; "" if that wasn't said.
func (o dropOptions) where() string {
	switch {
	case o.source != "":
		return " in source " + printable(o.source)
	case o.outcomes != "":
		return " in the outcomes of target " + printable(o.outcomes)
	}
	return ""
}

// candidates lists who consumes the stream that is meant, which may be one that isn't configured any more, or all streams.
func (o dropOptions) candidates(ctx context.Context, cfg *config.Config, b *bus.Bus) ([]consumerView, error) {
	switch {
	case o.source != "":
		return consumersOf(ctx, b, o.source)
	case o.outcomes != "":
		return outcomesConsumers(ctx, b, o.outcomes)
	}
	return consumersOn(ctx, cfg, b, selection{})
}

// ambiguous is the hint where several consumers have one name.
func ambiguous(views []consumerView) string {
	var commands []string
	for _, v := range views {
		where := "--source " + v.Source
		if v.OutcomesOf != "" {
			where = "--outcomes " + v.OutcomesOf
		}
		commands = append(commands, fmt.Sprintf("ldapsync consumers drop %q %s", v.Consumer, where))
	}
	return strings.Join(commands, ", or ")
}

// dropOne drops a consumer. A durable one isn't noted anew, so that a person has to agree.
func (a *app) dropOne(ctx context.Context, b *bus.Bus, v consumerView, yes bool) error {
	if !v.position.Durable() {
		if err := b.Drop(ctx, v.Source, v.position.Name()); err != nil && !errors.Is(err, proto.ErrNotFound) {
			return err
		}
		fmt.Fprintf(a.stdout, "%s holds back nothing of %s any more\n", v.Consumer, v.of())
		return nil
	}
	fmt.Fprintf(a.stdout, "%s of %s has seen all up to sequence %d, and %d less than there is; it holds back: %s\n", v.Consumer, v.of(), v.Sequence, v.Behind, v.holds())
	if v.Connected {
		fmt.Fprintln(a.stdout, "its program is at work: it waits for messages right now")
	}
	if err := a.confirm(yes, "Delete it?"); err != nil {
		return err
	}
	stream := proto.StreamName(v.Source)
	if v.OutcomesOf != "" {
		stream = proto.OutcomesStream(v.OutcomesOf)
	}
	if err := b.DropConsumer(ctx, stream, v.position.Name()); err != nil && !errors.Is(err, proto.ErrNotFound) {
		return err
	}
	fmt.Fprintf(a.stdout, "%s holds back nothing of %s any more\n", v.Consumer, v.of())
	fmt.Fprintln(a.stdout, "should its program come back, it makes it anew: callbacks of ldapsync look who is due, and miss nobody; other programs begin where they ask to")
	return nil
}

// of names the stream in a sentence.
func (v consumerView) of() string {
	if v.OutcomesOf != "" {
		return "the outcomes of target " + v.OutcomesOf
	}
	return "source " + v.Source
}
