package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/proto"
)

// TestMappingWaitsForASnapshotThatWasAskedForIt: of an empty stream nobody knows what it will have.
func TestMappingWaitsForASnapshotThatWasAskedForIt(t *testing.T) {
	t.Parallel()
	b := testBus(t)
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	source := &config.Source{Name: "corp"}
	source.Users.Filter = "(uid=*)"
	target := &config.Target{Name: "shop"}
	target.Users.Attributes = config.Attributes{{Name: "uid", Column: "username"}, {Name: "mail", Column: "email"}}
	wait := func(ctx context.Context) error {
		return awaitCoverage(ctx, log, target, source, slog.New(slog.DiscardHandler))
	}
	waits := func(what string) {
		t.Helper()
		brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := wait(brief); brief.Err() == nil {
			t.Fatalf("%s it goes on: %v", what, err)
		}
	}
	waits("on an empty stream")
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 1, Question: &proto.Question{Attributes: []string{"uid"}}})
	waits("behind a question for less")
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 2, Question: &proto.Question{Attributes: []string{"UID", "mail"}}})
	waits("while entries of the one before may be all that is known")
	went := make(chan error, 1)
	go func() { went <- wait(t.Context()) }()
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 2, Full: true, StartedSequence: 2, FullSequence: 2})
	if err := <-went; err != nil {
		t.Error(err)
	}
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 3, Question: &proto.Question{Attributes: []string{"uid"}}})
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 3, StartedSequence: 4, FullSequence: 2})
	waits("behind a later question for less")
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 4, Question: &proto.Question{Attributes: []string{"uid", "mail"}}})
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 4, StartedSequence: 6, FullSequence: 2})
	waits("while entries of the one before may be all that is known")
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 5, Full: true, Question: &proto.Question{Attributes: []string{"uid", "mail"}}})
	publish(t, log, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Snapshot: 5, Full: true, StartedSequence: 8, FullSequence: 8})
	if err := wait(t.Context()); err != nil {
		t.Error(err)
	}
}
