package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
)

// The roles under which processes announce themselves on the bus.
const (
	roleRun       = "run"       // a run reads a source
	roleExtractor = "extractor" // a service reads a source
	roleApplier   = "applier"   // a service applies to a target
	roleCallbacks = "callbacks" // a service handles who left a target
)

// busConfig says how to reach the bus. retryFor 0 never gives up.
func (a *app) busConfig(cfg *config.Config, retryFor time.Duration, logger *slog.Logger) (bus.Config, error) {
	host, _ := os.Hostname()
	c := bus.Config{StateDir: cfg.State, Name: fmt.Sprintf("ldapsync on %s, process %d", host, os.Getpid()), RetryFor: retryFor, Logger: logger}
	if cfg.NATS.URL.IsSet() {
		url, err := cfg.NATS.URL.Value()
		if err != nil {
			return c, err
		}
		c.URL, c.StateDir = url, ""
	}
	if file := cfg.NATS.CredsFile; file != "" {
		c.Credentials = func() ([]byte, error) { return os.ReadFile(file) }
	}
	return c, nil
}

func (a *app) openBus(ctx context.Context, cfg *config.Config, retryFor time.Duration, logger *slog.Logger) (*bus.Bus, error) {
	c, err := a.busConfig(cfg, retryFor, logger)
	if err != nil {
		return nil, err
	}
	return bus.Open(ctx, c)
}

// external refuses a command that only makes sense with other processes.
func external(cfg *config.Config, command string) error {
	if cfg.NATS.URL.IsSet() {
		return nil
	}
	return fault.New(fault.Usage, "set NATS_URL (or nats.url) to a NATS server with JetStream; ldapsync serve runs all stages in one process without",
		"%s: needs a NATS server that other processes reach, too", command)
}
