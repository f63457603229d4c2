package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ldapsync/proto"
)

func trigger(t *testing.T, b *Bus, source, id string) {
	t.Helper()
	if err := b.Trigger(t.Context(), source, &proto.RunRequest{Id: id, RequestedBy: "ada", Full: id == "full"}); err != nil {
		t.Fatal(err)
	}
}

// ids of the next requests, acknowledged if ack.
func next(t *testing.T, r *Requests, ack bool) (ids []string) {
	t.Helper()
	requests, done, err := r.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range requests {
		ids = append(ids, request.GetId())
	}
	if ack {
		if err := done(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func TestRequestsCollapse(t *testing.T) {
	b := embedded(t, t.TempDir())
	for i := range 5 {
		trigger(t, b, "corp", fmt.Sprint(i))
	}
	trigger(t, b, "corp", "4") // the same one again
	trigger(t, b, "other", "x")
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(next(t, r, true)); got != "[0 1 2 3 4]" {
		t.Errorf("requests %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if requests, _, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing is asked for, but got %v, %v", requests, err)
	}
	arrived := make(chan []string)
	go func() { arrived <- next(t, r, true) }()
	trigger(t, b, "corp", "full")
	if got := fmt.Sprint(<-arrived); got != "[full]" {
		t.Errorf("requests %s", got)
	}
	state, err := b.info(t.Context(), proto.RunsStream)
	if err != nil || state.State.Msgs != 1 {
		t.Errorf("%d requests are left, want that of the other source; %v", state.State.Msgs, err)
	}
}

func TestRequestThatWasNotAnsweredComesAgain(t *testing.T) {
	b := embedded(t, t.TempDir())
	b.pace.again = 200 * time.Millisecond
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	trigger(t, b, "corp", "1")
	if got := fmt.Sprint(next(t, r, false)); got != "[1]" {
		t.Errorf("requests %s", got)
	}
	// Nobody else gets it meanwhile, whatever else comes.
	trigger(t, b, "corp", "2")
	other, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(next(t, other, true)); got != "[2]" {
		t.Errorf("requests %s", got)
	}
	if got := fmt.Sprint(next(t, r, true)); got != "[1]" {
		t.Errorf("requests %s", got)
	}
}

func TestLongPassKeepsItsRequest(t *testing.T) {
	b := embedded(t, t.TempDir())
	b.pace.redelivery = []time.Duration{500 * time.Millisecond}
	b.pace.hold = 100 * time.Millisecond
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	trigger(t, b, "corp", "1")
	_, ack, err := r.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if requests, _, err := other.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it was delivered again: %v, %v", requests, err)
	}
	// Without a word from its holder, it is.
	r.release()
	if got := fmt.Sprint(next(t, other, true)); got != "[1]" {
		t.Errorf("requests %s", got)
	}
	if err := ack(t.Context()); err != nil {
		t.Errorf("answered by two: %v", err)
	}
}

func TestRequestsOfOtherTools(t *testing.T) {
	b := embedded(t, t.TempDir())
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", `{"id":"json","full":true}`, "\xff\xff nonsense"} {
		if _, err := b.js.Publish(t.Context(), proto.RunsSubject("corp"), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	requests, ack, err := r.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 2 || requests[0].GetId() != "1" || requests[1].GetId() != "json" || !requests[1].GetFull() {
		t.Errorf("requests %v", requests)
	}
	if err := ack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAcrossARestartOfTheServer(t *testing.T) {
	o := newOutside(t, nil)
	b := open(t, Config{URL: o.url(), RetryFor: 30 * time.Second})
	r, err := b.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan []string)
	go func() { arrived <- next(t, r, true) }()
	o.stop()
	o.start()
	trigger(t, open(t, Config{URL: o.url(), RetryFor: 30 * time.Second}), "corp", "1")
	if got := fmt.Sprint(<-arrived); got != "[1]" {
		t.Errorf("requests %s", got)
	}
}
