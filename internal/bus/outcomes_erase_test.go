package bus

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// putBatch puts one message into the outbox that tells of several users.
func (o *outbox) putBatch(source string, ids ...string) {
	b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: source, By: "apply"}, Time: time.Unix(1, 0)}
	for _, id := range ids {
		b.Add(proto.OutcomeUserCreated, &proto.Outcome{Id: id})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	o.rows = append(o.rows, proto.Unpublished{Row: o.next, Outcomes: b.Messages()[0]})
}

// eraseOutcomes erases eve of corp.
func eraseOutcomes(t *testing.T, b *Bus, o *outbox, want int) {
	t.Helper()
	e, err := b.EraseOutcomes(soon(t), "site", proto.ContentTypeProtobuf, o, "corp", "eve")
	if err != nil || e.Unseen != nil || len(e.Sequences) != want || o.len() > 0 {
		t.Fatalf("%+v erased, want %d; %d left; %v", e, want, o.len(), err)
	}
}

func wantOutcomes(t *testing.T, b *Bus, want ...string) {
	t.Helper()
	if got := outcomesOf(t, b); !slices.Equal(got, want) {
		t.Errorf("outcomes: %v, want %v", got, want)
	}
}

func TestOutcomesOfAUserAreErased(t *testing.T) {
	dir := t.TempDir()
	b := embedded(t, dir)
	o := &outbox{}
	eraseOutcomes(t, b, o, 0)
	if _, err := b.info(t.Context(), proto.OutcomesStream("site")); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("somebody is forgotten, and there is a stream: %v", err)
	}
	o.putBatch("corp", "beside-marker", "eve")
	o.putBatch("corp", "ada")
	o.putBatch("lab", "eve")
	publishOutcomes(t, b, o, 3)
	o.putBatch("corp", "bob")
	o.putBatch("corp", "eve")
	if e, err := b.TraceOutcomes(t.Context(), "site", "corp", "eve"); err != nil || !slices.Equal(e.Sequences, []uint64{1}) {
		t.Errorf("%+v, %v", e, err)
	}
	eraseOutcomes(t, b, o, 2) // what waits was told first
	wantOutcomes(t, b, "ada", "eve", "bob")
	eraseOutcomes(t, b, o, 0)
	if e, err := b.TraceOutcomes(t.Context(), "site", "corp", "eve"); err != nil || len(e.Sequences) > 0 {
		t.Errorf("%+v, %v", e, err)
	}
	// The last message is gone, and its sequence isn't given to another one: also where the server was started anew.
	o.putBatch("corp", "next")
	publishOutcomes(t, b, o, 1)
	o.putBatch("corp", "eve")
	eraseOutcomes(t, b, o, 1)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if found(t, dir, "beside-marker") || !found(t, dir, "next") {
		t.Error("the files still tell of who was erased, or nothing any more")
	}
	b = embedded(t, dir)
	o.putBatch("corp", "after")
	publishOutcomes(t, b, o, 1)
	wantOutcomes(t, b, "ada", "eve", "bob", "next", "after")
	if info, err := b.info(t.Context(), proto.OutcomesStream("site")); err != nil || info.State.LastSeq != 8 {
		t.Errorf("the last sequence is %d, %v", info.State.LastSeq, err)
	}
}

// Whoever publishes or erases may be killed after any step: nothing is told twice, nothing else is lost, and the next one goes on.
func TestErasureOfOutcomesSurvivesCrashes(t *testing.T) {
	killed := errors.New("killed")
	for name, crash := range map[string]func(t *testing.T, b *Bus, o *outbox){
		"nothing published yet": func(*testing.T, *Bus, *outbox) {},
		"one published and not dropped": func(t *testing.T, b *Bus, o *outbox) {
			o.fail = killed
			if _, err := b.PublishOutcomes(t.Context(), "site", proto.ContentTypeProtobuf, o); !errors.Is(err, killed) {
				t.Fatal(err)
			}
		},
		"published by the erasure, and not dropped": func(t *testing.T, b *Bus, o *outbox) {
			o.fail = killed
			if _, err := b.EraseOutcomes(t.Context(), "site", proto.ContentTypeProtobuf, o, "corp", "eve"); !errors.Is(err, killed) {
				t.Fatal(err)
			}
		},
		"all published, nothing erased": func(t *testing.T, b *Bus, o *outbox) { publishOutcomes(t, b, o, 4) },
		"one erased": func(t *testing.T, b *Bus, o *outbox) {
			publishOutcomes(t, b, o, 4)
			s, err := b.js.Stream(t.Context(), proto.OutcomesStream("site"))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.erase(t.Context(), s, 1); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := embedded(t, t.TempDir())
			o := &outbox{}
			o.putBatch("corp", "eve")
			o.putBatch("corp", "ada")
			o.putBatch("corp", "eve", "bob")
			o.putBatch("corp", "kim")
			crash(t, b, o)
			if _, err := b.EraseOutcomes(soon(t), "site", proto.ContentTypeProtobuf, o, "corp", "eve"); err != nil || o.len() > 0 {
				t.Fatalf("%d left, %v", o.len(), err)
			}
			publishOutcomes(t, b, o, 0)
			wantOutcomes(t, b, "ada", "kim")
			o.putBatch("corp", "next")
			publishOutcomes(t, b, o, 1)
			wantOutcomes(t, b, "ada", "kim", "next")
		})
	}
}

// The last message was published, its row waits still, and a publisher is slow: it has asked for the last message, or read the outbox, before the erasure.
func TestErasureOfOutcomesMeetsASlowPublisher(t *testing.T) {
	for read := 1; read <= 2; read++ {
		b := embedded(t, t.TempDir())
		o := &outbox{}
		o.putBatch("corp", "ada")
		o.putBatch("corp", "eve")
		reads := 0
		o.read = func() {
			if reads++; reads == read {
				eraseOutcomes(t, b, o, 1)
			}
		}
		publishOutcomes(t, b, o, 0)
		wantOutcomes(t, b, "ada")
	}
}

// Nobody's outcomes are lost unseen: what is erased tells of others, too.
func TestOutcomesAreErasedWhenEverybodyHasSeenThem(t *testing.T) {
	b := embedded(t, t.TempDir())
	o := &outbox{}
	o.putBatch("corp", "ada")
	publishOutcomes(t, b, o, 1)
	if all, last, err := b.OutcomesPositions(soon(t), "site"); err != nil || len(all) > 0 || last != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	c, err := b.js.CreateConsumer(t.Context(), proto.OutcomesStream("site"), jetstream.ConsumerConfig{Durable: "crm", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	o.putBatch("corp", "eve", "bob")
	o.putBatch("corp", "kim")
	behind := func(want uint64) {
		t.Helper()
		e, err := b.EraseOutcomes(soon(t), "site", proto.ContentTypeProtobuf, o, "corp", "eve")
		if err != nil || e.Unseen == nil || e.Unseen.Consumer != "consumer crm" || e.Unseen.Sequence != want || e.Unseen.Connected || o.len() > 0 {
			t.Fatalf("%+v, %v", e, err)
		}
		wantOutcomes(t, b, "ada", "eve", "kim")
	}
	behind(0)
	for want := uint64(1); want <= 2; want++ {
		batch, err := c.Fetch(1)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := <-batch.Messages()
		if !ok {
			t.Fatal("no message")
		}
		if err := m.DoubleAck(soon(t)); err != nil {
			t.Fatal(err)
		}
		if want == 1 {
			behind(1)
		}
	}
	eraseOutcomes(t, b, o, 1)
	wantOutcomes(t, b, "ada", "kim")
	if all, last, err := b.OutcomesPositions(soon(t), "site"); err != nil || last != 3 || len(all) != 1 || all[0].Sequence != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

// What isn't a message of outcomes may tell of anybody.
func TestForeignOutcomesAreNamed(t *testing.T) {
	b := embedded(t, t.TempDir())
	o := &outbox{}
	o.putBatch("corp", "eve")
	publishOutcomes(t, b, o, 1)
	if _, err := b.js.Publish(t.Context(), proto.OutcomeSubject("site", proto.OutcomeUserCreated), []byte("eve")); err != nil {
		t.Fatal(err)
	}
	_, err := b.TraceOutcomes(soon(t), "site", "corp", "eve")
	class, hint := fault.Of(err)
	if err == nil || class != fault.Stream || !strings.Contains(hint, "LDAPSYNC_OUTCOMES_site 2") || !strings.Contains(err.Error(), "sequence 2") {
		t.Errorf("%v: %d, %q", err, class, hint)
	}
}

// A server that is shutting down finds no message, as one does that has none: who is to be forgotten isn't forgotten by that.
func TestNobodyIsForgottenByAServerThatShutsDown(t *testing.T) {
	out := newOutside(t, func(o *server.Options) { o.JetStream = false })
	nc, err := nats.Connect(out.url())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	name, asked := proto.OutcomesStream("site"), false
	_, err = nc.Subscribe("$JS.API.>", func(m *nats.Msg) {
		answer := `{}`
		switch m.Subject {
		case "$JS.API.STREAM.INFO." + name:
			if answer = `{"config": {"name": "` + name + `"}, "state": {"messages": 1, "first_seq": 1, "last_seq": 1}}`; asked {
				answer = `{"error": {"code": 404, "err_code": 10059, "description": "stream not found"}}`
			}
		case "$JS.API.STREAM.MSG.GET." + name:
			asked = true
			answer = `{"error": {"code": 404, "err_code": 10037, "description": "no message found"}}`
		}
		_ = m.Respond([]byte(answer))
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, Config{URL: out.url(), RetryFor: 20 * time.Second})
	if trace, err := b.TraceOutcomes(soon(t), "site", "corp", "eve"); err == nil {
		t.Errorf("nothing tells of her: %+v", trace)
	}
}

func TestConsumersAreDropped(t *testing.T) {
	b := embedded(t, t.TempDir())
	l := openLog(t, b, "corp")
	publish(t, l, 0, upTo(3)...)
	c, err := b.js.CreateConsumer(t.Context(), l.name, jetstream.ConsumerConfig{Durable: "callback-crm-webhook", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	connected := func() bool {
		t.Helper()
		all, err := l.Positions(soon(t))
		if err != nil || len(all) != 1 || all[0].Consumer != "consumer callback-crm-webhook" || all[0].Sequence != 0 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0].Connected
	}
	if connected() {
		t.Error("nobody is connected")
	}
	m, err := c.Consume(func(jetstream.Msg) {}) // acknowledges nothing
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !connected(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("somebody waits for messages, and isn't connected")
		}
	}
	m.Stop()
	if err := b.DropConsumer(soon(t), l.name, "callback-crm-webhook"); err != nil {
		t.Fatal(err)
	}
	if names, _ := consumers(t, l); names != nil {
		t.Errorf("%v", names)
	}
	for _, name := range []string{"callback-crm-webhook", "no.name", "", "*"} {
		if err := b.DropConsumer(soon(t), l.name, name); !errors.Is(err, proto.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := b.DropConsumer(soon(t), proto.OutcomesStream("site"), "crm"); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("of a stream that isn't there: %v", err)
	}
}
