package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// Callbacks act on whom a target calls gone. One that is behind a stream may call somebody gone who is back already, and whose return merely
// waits to be applied; so before each look every source of the target must be applied to where its stream ended when the look was due.

// upToDate tells whether the sources of a target are applied.
type upToDate struct {
	bus    *bus.Bus
	target *config.Target
	store  positioned
	except []string // sources that a replay has just brought where they are meant to be
}

// streamEnd is what a target's checkpoint must have reached.
type streamEnd struct {
	source, stream string
	entry          uint64 // 0: the stream holds no entries, or there is none
}

// ends returns where the streams of the target's sources end now.
func (u upToDate) ends(ctx context.Context) ([]streamEnd, error) {
	var list []streamEnd
	for _, name := range u.target.Sources {
		if slices.Contains(u.except, name) {
			continue
		}
		end := streamEnd{source: name}
		log, err := u.bus.OpenLog(ctx, name)
		if err == nil {
			end.stream = log.StreamID()
			end.entry, err = lastEntry(ctx, log, math.MaxUint64)
		}
		if err != nil && !errors.Is(err, proto.ErrNotFound) {
			return nil, err
		}
		list = append(list, end)
	}
	return list, nil
}

// behind says in a clause which of the ends the target hasn't reached; "" if it has reached all.
func (u upToDate) behind(ctx context.Context, ends []streamEnd) (string, error) {
	for _, end := range ends {
		cp, err := u.store.Checkpoint(ctx, end.source)
		if err != nil {
			return "", err
		}
		snapshot, pinned := cp.Pinned()
		switch {
		case pinned:
			return fmt.Sprintf("the target is pinned to snapshot %s of source %s", snapshot, end.source), nil
		case cp == nil && end.entry == 0:
		case !cp.Live() || cp.StreamID != end.stream || cp.Sequence < end.entry:
			return fmt.Sprintf("source %s isn't applied to its end", end.source), nil
		}
	}
	return "", nil
}

// now says in a clause why the callbacks mustn't act now; "" if they may.
func (u upToDate) now(ctx context.Context) (string, error) {
	ends, err := u.ends(ctx)
	if err != nil {
		return "", err
	}
	return u.behind(ctx, ends)
}

const (
	upToDateEvery = 500 * time.Millisecond // between two looks of a service at how far a target has come
	endsHold      = time.Minute            // until a service asks again where the streams end: one may have been replaced
)

// await waits until all is applied that the streams hold now. It says what it waits for.
func (u upToDate) await(ctx context.Context, logger *slog.Logger) error {
	var ends []streamEnd
	var asked time.Time
	for said := ""; ; {
		var err error
		if time.Since(asked) > endsHold {
			if ends, err = u.ends(ctx); err != nil {
				return err
			}
			asked = time.Now()
		}
		why, err := u.behind(ctx, ends)
		if err != nil || why == "" {
			return err
		}
		if said != why {
			logger.Info("the callbacks wait", "target", u.target.Name, "because", why)
			said = why
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(upToDateEvery):
		}
	}
}
