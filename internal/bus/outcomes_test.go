package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

// outbox is one in memory.
type outbox struct {
	mu   sync.Mutex
	rows []proto.Unpublished
	next int64
	fail error  // of the next DropOutbox
	read func() // called when the outbox was read
}

func (o *outbox) put(n int, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range n {
		b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: "corp", By: "apply"}, Time: time.Unix(1, 0)}
		b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: fmt.Sprintf("%s%d", what, i)})
		o.next++
		o.rows = append(o.rows, proto.Unpublished{Row: o.next, Outcomes: b.Messages()[0]})
	}
}

func (o *outbox) Outbox(_ context.Context, limit int) ([]proto.Unpublished, error) {
	if o.read != nil {
		defer o.read()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var rows []proto.Unpublished
	for _, r := range o.rows[:min(limit, len(o.rows))] {
		rows = append(rows, proto.Unpublished{Row: r.Row, Outcomes: proto.Clone(r.Outcomes)})
	}
	return rows, nil
}

func (o *outbox) DropOutbox(_ context.Context, u proto.Unpublished) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.fail; err != nil {
		o.fail = nil
		return err
	}
	o.rows = slices.DeleteFunc(o.rows, func(r proto.Unpublished) bool { return r.Row == u.Row })
	return nil
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

// outcomesOf are the ids of the entries of a target's outcomes, in the order of the stream.
func outcomesOf(t *testing.T, b *Bus) []string {
	t.Helper()
	stream, err := b.js.Stream(t.Context(), proto.OutcomesStream("site"))
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	var ids []string
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		m, err := stream.GetMsg(t.Context(), sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // erased
		}
		if err != nil {
			t.Fatal(err)
		}
		var o proto.Outcomes
		if err := proto.Unmarshal(proto.Event{ContentType: m.Header.Get(proto.HeaderContentType), Data: m.Data}, &o); err != nil {
			t.Fatal(err)
		}
		if m.Subject != "ldapsync.outcomes.site.user.created" || m.Header.Get(proto.HeaderID) != o.GetId() || o.GetTarget() != "site" ||
			m.Header.Get(proto.HeaderType) != "ldapsync.outcome.user.created.v1" || m.Header.Get(proto.HeaderSource) != "/ldapsync/targets/site" {
			t.Errorf("%s, %v, %v", m.Subject, m.Header, &o)
		}
		ids = append(ids, o.GetOutcomes()[0].GetId())
	}
	return ids
}

func entries(what string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%d", what, i)
	}
	return ids
}

func publishOutcomes(t *testing.T, b *Bus, o *outbox, want int) {
	t.Helper()
	n, err := b.PublishOutcomes(t.Context(), "site", proto.ContentTypeJSON, o)
	if err != nil || n != want || o.len() > 0 {
		t.Fatalf("%d published, want %d; %d left; %v", n, want, o.len(), err)
	}
}

func TestOutcomesArePublishedInOrder(t *testing.T) {
	b := embedded(t, t.TempDir())
	o := &outbox{}
	publishOutcomes(t, b, o, 0)
	if _, err := b.info(t.Context(), proto.OutcomesStream("site")); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("nothing is told, and there is a stream: %v", err)
	}
	o.put(2*outboxPage+1, "a")
	publishOutcomes(t, b, o, 2*outboxPage+1)
	o.put(1, "b")
	publishOutcomes(t, b, o, 1)
	if got, want := outcomesOf(t, b), append(entries("a", 2*outboxPage+1), "b0"); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	info, err := b.info(t.Context(), proto.OutcomesStream("site"))
	if err != nil {
		t.Fatal(err)
	}
	if _, differs, err := desired(info, b.outcomesStream("site")); differs || err != nil || info.Config.MaxAge != outcomesAge {
		t.Errorf("a new stream differs from what is wanted: %v", err)
	}
	if _, err := b.PublishOutcomes(t.Context(), "a.b", proto.ContentTypeJSON, o); err == nil {
		t.Error("published for a target with such a name")
	}
}

// A process is killed after a message was published and before its row was deleted; rows committed meanwhile may stand in front of it.
func TestOutcomesAreNotDoubledByACrash(t *testing.T) {
	b := embedded(t, t.TempDir())
	o := &outbox{}
	o.put(3, "a")
	killed := errors.New("killed")
	for range 3 {
		o.fail = killed
		if _, err := b.PublishOutcomes(t.Context(), "site", proto.ContentTypeProtobuf, o); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		if got := outcomesOf(t, b); !slices.Equal(got, entries("a", 1)) {
			t.Fatalf("%v", got)
		}
	}
	o.put(1, "late")
	o.rows = append(o.rows[3:], o.rows[:3]...)
	publishOutcomes(t, b, o, 3)
	if got := outcomesOf(t, b); !slices.Equal(got, []string{"a0", "late0", "a1", "a2"}) {
		t.Errorf("%v", got)
	}
}

// An applier's service, one of callbacks and a run publish from the same outbox at once.
func TestOutcomesAreNotDoubledByRivals(t *testing.T) {
	out := newOutside(t, nil)
	o := &outbox{}
	const n = 300
	o.put(n, "a")
	var all sync.WaitGroup
	for range 4 {
		b := open(t, Config{URL: out.url(), RetryFor: 20 * time.Second})
		all.Go(func() {
			if _, err := b.PublishOutcomes(t.Context(), "site", proto.ContentTypeProtobuf, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := outcomesOf(t, open(t, Config{URL: out.url()})); !slices.Equal(got, entries("a", n)) || o.len() > 0 {
		t.Errorf("%d published, %d left", len(got), o.len())
	}
}

// What is published after the outbox was read isn't published again.
func TestOutcomesAreNotDoubledByAFasterRival(t *testing.T) {
	b := embedded(t, t.TempDir())
	o := &outbox{}
	o.put(3, "a")
	reads := 0
	o.read = func() {
		if reads++; reads == 2 { // the first one only asks whether there is anything
			publishOutcomes(t, b, o, 3)
		}
	}
	publishOutcomes(t, b, o, 0)
	if got := outcomesOf(t, b); !slices.Equal(got, entries("a", 3)) {
		t.Errorf("%v", got)
	}
}

func TestOutcomesWaitForAServerThatIsAway(t *testing.T) {
	out := newOutside(t, nil)
	b := open(t, Config{URL: out.url(), RetryFor: 30 * time.Second})
	o := &outbox{}
	o.put(1, "a")
	publishOutcomes(t, b, o, 1)
	out.stop()
	o.put(2, "b")
	done := make(chan error, 1)
	go func() {
		_, err := b.PublishOutcomes(t.Context(), "site", proto.ContentTypeProtobuf, o)
		done <- err
	}()
	out.start()
	if err := <-done; err != nil || o.len() > 0 {
		t.Fatalf("%d left, %v", o.len(), err)
	}
	if got := outcomesOf(t, b); !slices.Equal(got, []string{"a0", "b0", "b1"}) {
		t.Errorf("%v", got)
	}
}
