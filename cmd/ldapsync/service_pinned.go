package main

import (
	"context"
	"log/slog"
	"time"

	"ldapsync/internal/fault"
)

// pinnedEvery is how often a service looks whether a pinned target was released.
const pinnedEvery = 5 * time.Second

// awaitRelease waits until a target is no longer pinned to a snapshot, which it says once.
func awaitRelease(ctx context.Context, st store, target, source string, pinned error, logger *slog.Logger) error {
	_, hint := fault.Of(pinned)
	logger.Warn("nothing is applied to this target until it is released", "target", target, "source", source, "because", oneLine(pinned.Error()), "hint", hint)
	tick := time.NewTicker(pinnedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		cp, err := st.Checkpoint(ctx, source)
		if err != nil {
			logger.Debug("the checkpoint can't be read", "target", target, "source", source, "error", err)
			continue
		}
		if _, is := cp.Pinned(); !is {
			logger.Info("the target was released", "target", target, "source", source)
			return nil
		}
	}
}
