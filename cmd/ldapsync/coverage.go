package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// A mapping that takes an attribute which the stream's entries don't have yet must not be applied from the stream: the column would be
// cleared for everybody until the next pass, or for good if the directory doesn't answer. So the pass that reads it first is a full one,
// and the new mapping waits for that.

// covers tells whether every snapshot from which the stream is told was asked for all these attributes: the last committed full one, and those begun
// since, whatever became of them. What one that was asked for less has published is all that is known of those entries, until a full one is committed.
// Where none was, all that were begun count. An empty stream holds nothing that could be misread.
func covers(ctx context.Context, log *bus.Log, attributes []string) (bool, error) {
	from, err := applier.LastFull(ctx, log)
	if err != nil {
		return false, err
	}
	for e, err := range log.From(ctx, from, proto.TypeSnapshotStarted) {
		var started proto.SnapshotStarted
		if err == nil {
			err = proto.Unmarshal(e, &started)
		}
		if err != nil {
			return false, err
		}
		asked := started.GetQuestion().GetAttributes()
		for _, name := range attributes {
			if !slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, name) }) {
				return false, nil
			}
		}
	}
	return true, nil
}

// attributesOf are those that a source reads for all of its targets.
func attributesOf(cfg *config.Config, source string) []string {
	return readOf(cfg.Source(source), cfg.UserAttributes(source), cfg.GroupAttributes(source))
}

// attributesFor are those of them that one target maps.
func attributesFor(t *config.Target, s *config.Source) []string {
	return readOf(s, mappedBy(t.Users.Attributes), mappedBy(t.Groups.Attributes))
}

// readOf leaves out the attributes of a kind that isn't read.
func readOf(s *config.Source, users, groups []string) []string {
	var names []string
	if s.Users.Filter != "" {
		names = append(names, users...)
	}
	if s.Groups.Filter != "" {
		names = append(names, groups...)
	}
	return names
}

func mappedBy(attributes config.Attributes) []string {
	var names []string
	for _, a := range attributes {
		names = append(append(names, a.Name), a.Or...)
	}
	return names
}

// awaitCoverage waits until the stream has what a target's mapping takes; that of an empty one is known when the first snapshot begins.
func awaitCoverage(ctx context.Context, log *bus.Log, t *config.Target, s *config.Source, logger *slog.Logger) error {
	if err := awaitBeginning(ctx, log); err != nil {
		return err
	}
	for said := false; ; said = true {
		covered, err := covers(ctx, log, attributesFor(t, s))
		if covered || err != nil {
			return err
		}
		if !said {
			logger.Info("the mapping takes attributes that the stream doesn't have: waiting for the next full snapshot", "target", t.Name, "source", s.Name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// awaitBeginning waits until a first snapshot has begun, and not longer.
func awaitBeginning(ctx context.Context, log *bus.Log) error {
	if _, err := log.LastOf(ctx, proto.TypeSnapshotStarted); !errors.Is(err, proto.ErrNotFound) {
		return err
	}
	for e, err := range log.Follow(ctx, 1) {
		if err != nil || e.Type == proto.TypeSnapshotStarted {
			return err
		}
	}
	return ctx.Err()
}
