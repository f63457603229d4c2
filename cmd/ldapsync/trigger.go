package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func (a *app) triggerCommand() *cobra.Command {
	var full, wait, asJSON bool
	c := &cobra.Command{
		Use:   "trigger SOURCE",
		Short: "Ask the service that reads a source for a pass now",
		Long: `Asks the service that reads a source for a pass now. Without a service, the request is kept for a week; the next ldapsync run or service
answers it. With --wait, exit code 4 says that something is held.`,
		Args: arguments(1, 1, "the name of a source"),
		RunE: func(c *cobra.Command, args []string) error {
			a.interruptible = true
			return a.trigger(c.Context(), args[0], full, wait, asJSON)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "publish every entry, changed or not")
	c.Flags().BoolVar(&wait, "wait", false, "wait until the pass is over, and print what it read")
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (a *app) trigger(ctx context.Context, source string, full, wait, asJSON bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return fault.New(fault.Usage, "start ldapsync serve with this state directory, or set NATS_URL (or nats.url); ldapsync run makes a pass itself",
			"trigger: no service has ever kept its stream in %s", cfg.State)
	}
	if err := (&selection{sources: []string{source}}).check(cfg); err != nil && len(cfg.Sources) > 0 {
		return err
	}
	logger := a.logger(slog.LevelWarn)
	b, err := a.openBus(ctx, cfg, 30*time.Second, logger)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, active, err := b.Active(ctx, roleExtractor, source); err != nil {
		return err
	} else if !active && wait && b.Alone() {
		return fault.Passing(fault.Stream, "ldapsync run makes a pass itself", "source %s: no service runs that could answer", source)
	} else if !active {
		logger.Warn("no service reads this source now: the request is kept until one does", "source", source)
	}
	if !wait {
		return a.request(ctx, b, source, full, asJSON)
	}
	log, err := b.Log(ctx, source)
	if err != nil {
		return err
	}
	patience := leastPatience
	if s := cfg.Source(source); s != nil {
		patience = max(patience, s.Retry.For)
	}
	got, err := triggerAndWait(ctx, b, log, source, &proto.RunRequest{RequestedBy: requester(), Full: full}, patience)
	if err != nil {
		return err
	}
	r := newResult()
	r.passed(source, got.summary())
	if asJSON {
		err = writeJSON(a.stdout, r.Sources[0])
	} else {
		w := &lines{w: a.stdout}
		r.Sources[0].print(w)
		err = w.err
	}
	if err != nil {
		return err
	}
	return r.exit(false)
}

func (a *app) request(ctx context.Context, b *bus.Bus, source string, full, asJSON bool) error {
	request := &proto.RunRequest{RequestedBy: requester(), Full: full}
	if err := b.Trigger(ctx, source, request); err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(map[string]string{"source": source, "request": request.GetId()})
	}
	_, err := fmt.Fprintf(a.stdout, "source %s: asked for a pass, request %s\n", source, request.GetId())
	return err
}
