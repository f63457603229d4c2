package main

import (
	"context"
	"errors"
	"log/slog"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// eachStream opens the streams of the sources that are selected, as they are, and hands those that are there to fn. It makes none.
func (a *app) eachStream(ctx context.Context, sel selection, fn func(cfg *config.Config, s *config.Source, log *bus.Log) error) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	sources, err := sel.sourcesOf(cfg)
	if err != nil || !cfg.NATS.URL.IsSet() && !bus.HasStore(cfg.State) {
		return err
	}
	b, err := a.openBus(ctx, cfg, patience(sources), a.logger(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer b.Close()
	for _, s := range sources {
		log, err := b.OpenLog(ctx, s.Name)
		if errors.Is(err, proto.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := fn(cfg, s, log); err != nil {
			return err
		}
	}
	return nil
}
