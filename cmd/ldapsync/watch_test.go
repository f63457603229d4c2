package main

import (
	"context"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// TestAServiceThatIsGoneEndsTheWait: for a pass, and for its application.
func TestAServiceThatIsGoneEndsTheWait(t *testing.T) {
	t.Parallel()
	b := testBus(t)
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	stopExtractor, err := b.Announce(t.Context(), roleExtractor, "corp")
	if err != nil {
		t.Fatal(err)
	}
	requests, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := triggerAndWait(t.Context(), b, log, "corp", &proto.RunRequest{}, time.Hour)
		ended <- err
	}()
	asked, _, err := requests.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	publishStarted(t, log, &proto.SnapshotStarted{Snapshot: 1, Requests: []string{asked[0].GetId()}}) // it has begun, and dies
	stopExtractor()
	wantFault(t, ended, fault.Stream)
}

// TestAServiceThatDoesNotBeginEndsTheWait: its directory doesn't answer.
func TestAServiceThatDoesNotBeginEndsTheWait(t *testing.T) {
	t.Parallel()
	b := testBus(t)
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	stop, err := b.Announce(t.Context(), roleExtractor, "corp")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ended := make(chan error, 1)
	go func() {
		_, err := triggerAndWait(t.Context(), b, log, "corp", &proto.RunRequest{}, time.Millisecond)
		ended <- err
	}()
	wantFault(t, ended, fault.Directory)
}

// TestAnApplierThatIsGoneEndsTheWait: the checkpoint stays where it is.
func TestAnApplierThatIsGoneEndsTheWait(t *testing.T) {
	t.Parallel()
	b := testBus(t)
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	publish(t, log, proto.TypeUserUpserted, &proto.UserUpserted{})
	ended := make(chan error, 1)
	go func() {
		ended <- awaitPosition(t.Context(), position{bus: b, log: log, store: stuck{}, target: "shop", source: "corp"}, 1)
	}()
	wantFault(t, ended, fault.Stream)
}

// stuck is a target that nothing is applied to.
type stuck struct{}

func (stuck) Checkpoint(context.Context, string) (*applier.Checkpoint, error) { return nil, nil }

func wantFault(t *testing.T, ended <-chan error, want fault.Class) {
	t.Helper()
	select {
	case err := <-ended:
		if class, _ := fault.Of(err); err == nil || class != want || fault.IsPermanent(err) {
			t.Errorf("it ends with class %d: %v", class, err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for ever")
	}
}
