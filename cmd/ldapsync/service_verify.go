package main

import (
	"context"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/fault"
)

// verifying compares a target with a source's stream at intervals until ctx is done, and warns of what differs. It repairs nothing: who edited rows by
// hand may have had a reason. The first comparison comes soon after the start, so that a service which is restarted every day makes one, too.
func (s *service) verifying(ctx context.Context, t *config.Target, src *config.Source, st store) error {
	if t.Verify == 0 {
		return nil
	}
	timer := time.NewTimer(t.Verify / 10)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		s.verifyOnce(ctx, t, src, st)
		timer.Reset(t.Verify)
	}
}

func (s *service) verifyOnce(ctx context.Context, t *config.Target, src *config.Source, st store) {
	if cp, err := st.Checkpoint(ctx, src.Name); err == nil && (cp == nil || cp.CatchingUp()) {
		return // nothing was applied yet, or the applier is at it
	}
	logger := s.logger.With("target", t.Name, "source", src.Name)
	v := &verifying{cfg: s.cfg, target: t, source: src, store: st, bus: s.bus, logger: s.logger}
	found, err := v.run(ctx, verifyOptions{})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		_, hint := fault.Of(err)
		logger.Warn("the database can't be compared with the stream now", "error", oneLine(err.Error()), "hint", hint)
	case found.Differences > 0:
		for _, c := range found.Changes {
			logger.Warn("the database differs from the stream", "what", c.String())
		}
		logger.Warn("the database differs from the stream", "differences", found.Differences, "users", found.Users, "groups", found.Groups,
			"hint", "ldapsync verify "+t.Name+" --repair")
	default:
		logger.Info("the database is as the stream says", "users", found.Users, "groups", found.Groups, "sequence", found.Sequence, "seconds", found.Seconds)
	}
}
