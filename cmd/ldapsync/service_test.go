package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// testBus connects to a NATS server of the test's own.
func testBus(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{URL: startNATS(t), Name: t.Name(), RetryFor: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// publishStarted begins a snapshot.
func publishStarted(t *testing.T, log *bus.Log, m *proto.SnapshotStarted) {
	t.Helper()
	publish(t, log, proto.TypeSnapshotStarted, m)
}

// publish adds an event to a stream.
func publish(t *testing.T, log *bus.Log, kind proto.Type, m proto.Message) {
	t.Helper()
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		t.Fatal(err)
	}
	_, last, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log.Begin(last)
	e := proto.Event{Type: kind, ContentType: proto.ContentTypeProtobuf, Data: data, ID: t.Name()}
	if _, err := log.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDeletingWaitsForTheFirstSnapshot: before it, nobody knows whether the source has ids; after it, usernames for ids are refused.
func TestDeletingWaitsForTheFirstSnapshot(t *testing.T) {
	t.Parallel()
	b := testBus(t)
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{bus: b, logger: slog.New(slog.DiscardHandler)}
	target := &config.Target{Name: "shop", Sources: []string{"corp"}, Removal: config.Removal{Callbacks: []string{config.Delete}}}

	brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.deletable(brief, target); brief.Err() == nil {
		t.Fatalf("on an empty stream it goes on: %v", err)
	}
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 1, Question: &proto.Question{IdAttribute: extractor.Username}})
	err = s.deletable(t.Context(), target)
	if class, _ := fault.Of(err); err == nil || class != fault.Usage {
		t.Errorf("usernames for ids: %v", err)
	}
	target.Removal.DeleteByUsername = true
	if err := s.deletable(t.Context(), target); err != nil {
		t.Errorf("chosen: %v", err)
	}
}
