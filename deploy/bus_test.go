package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// open is a role's bus on this server, as the stage would open it.
func (s natsServer) open(role string) *bus.Bus {
	s.t.Helper()
	b, err := bus.Open(s.t.Context(), bus.Config{URL: s.url(role), Name: role, RetryFor: time.Second, AckTimeout: 200 * time.Millisecond})
	if err != nil {
		s.t.Fatalf("%s: %v", role, err)
	}
	s.t.Cleanup(func() { _ = b.Close() })
	return b
}

func publish(l *bus.Log, ctx context.Context, t proto.Type, events ...string) error {
	_, last, err := l.Bounds(ctx)
	if err != nil {
		return err
	}
	l.Begin(last)
	for _, id := range events {
		if _, err := l.Publish(ctx, proto.Event{Type: t, ID: id, ContentType: proto.ContentTypeProtobuf}); err != nil {
			return err
		}
	}
	_, err = l.Flush(ctx)
	return err
}

// first is the first event of a sequence, and its error.
func first(events iter.Seq2[proto.Event, error]) (proto.Event, error) {
	for e, err := range events {
		return e, err
	}
	return proto.Event{}, errors.New("no event")
}

// Every stage does its whole work on the bus with its own role.
func TestTheRolesAreEnoughForTheStages(t *testing.T) {
	s := startNATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}

	extractor := s.open("extractor")
	log, err := extractor.Log(ctx, "corp")
	check("make the stream", err)
	callbacks := s.open("callbacks")
	woken := make(chan error, 1)
	subscribed, cancelWake := context.WithCancel(ctx)
	defer cancelWake()
	go func() {
		_, err := first(callbacks.Wake(subscribed, "corp", "callback-default-deactivate", proto.TypeUserRemoved))
		woken <- err
	}()
	waitForConsumer(ctx, t, s, "callback-default-deactivate")
	check("publish", publish(log, ctx, proto.TypeUserRemoved, "a", "b", "c"))
	check("wake", <-woken)

	_, err = log.Get(ctx, 2)
	check("get", err)
	_, err = log.LastOf(ctx, proto.TypeUserRemoved)
	check("last of a type", err)

	for _, role := range []string{"ldapsync", "extractor", "applier", "reader"} {
		l, err := s.open(role).OpenLog(ctx, "corp")
		check(role+" opens the stream", err)
		n := 0
		for _, err := range l.Read(ctx, 1, 3) {
			check(role+" reads", err)
			n++
		}
		e, err := first(l.Follow(ctx, 3))
		check(role+" follows", err)
		if n != 3 || e.Sequence != 3 {
			t.Errorf("%s read %d events, and then number %d", role, n, e.Sequence)
		}
	}

	operator := s.open("operator")
	read, err := operator.OpenLog(ctx, "corp")
	check("open to decide", err)
	_, err = read.LastOf(ctx, proto.TypeUserRemoved)
	check("last of a type, to decide", err)
	_, err = first(read.Since(ctx, time.Time{}, proto.TypeUserRemoved))
	check("read to decide", err)
	_, _, err = operator.Active(ctx, "extractor", "corp")
	check("ask who is active", err)
	check("trigger", operator.Trigger(ctx, "corp", &proto.RunRequest{}))
	waiting, err := operator.Pending(ctx, "corp")
	if check("what waits", err); len(waiting.Requests) != 1 {
		t.Errorf("%d requests wait", len(waiting.Requests))
	}
	requests, err := extractor.Requests(ctx, "corp")
	check("requests", err)
	got, ack, err := requests.Next(ctx)
	check("next request", err)
	check("answer the request", ack(ctx))
	if len(got) != 1 {
		t.Errorf("%d requests; want 1", len(got))
	}

	applier := s.open("applier")
	check("note a position", applier.Mirror(ctx, "corp", "default", log.StreamID(), 2))
	positions, err := log.Positions(ctx)
	check("who has seen what", err)
	if !slices.ContainsFunc(positions, func(p bus.Position) bool { return p.Consumer == "target default" && p.Sequence == 2 }) {
		t.Errorf("nobody knows where the target is: %+v", positions)
	}

	all := s.open("ldapsync")
	for role, b := range map[string]*bus.Bus{"extractor": extractor, "callbacks": callbacks, "applier": applier, "run": all} {
		stop, err := b.Announce(ctx, role, "default")
		check(role+" announces itself", err)
		for _, asking := range []*bus.Bus{all, extractor} {
			if who, active, err := asking.Active(ctx, role, "default"); !active || err != nil || who == "" {
				t.Errorf("%s: active %v, by %q, %v", role, active, who, err)
			}
		}
		stop()
	}
}

// outbox is what lies in a target's database: one message about each of these.
type outbox struct{ rows []proto.Unpublished }

func newOutbox(ids ...string) *outbox {
	o := &outbox{}
	for i, id := range ids {
		b := proto.OutcomeBatches{Head: &proto.Outcomes{Source: "corp", By: "apply"}, Time: time.Unix(1, 0)}
		b.Add(proto.OutcomeUserDeleted, &proto.Outcome{Id: id})
		o.rows = append(o.rows, proto.Unpublished{Row: int64(i), Outcomes: b.Messages()[0]})
	}
	return o
}

func (o *outbox) Outbox(_ context.Context, limit int) ([]proto.Unpublished, error) {
	return slices.Clone(o.rows[:min(limit, len(o.rows))]), nil
}

func (o *outbox) DropOutbox(_ context.Context, dropped proto.Unpublished) error {
	o.rows = slices.DeleteFunc(o.rows, func(u proto.Unpublished) bool { return u.Row == dropped.Row })
	return nil
}

// Whoever writes outcomes tells them, and people who decide forget somebody in them, and drop consumers.
func TestTheRolesAreEnoughForOutcomes(t *testing.T) {
	for _, maker := range []string{"ldapsync", "applier", "callbacks", "operator"} {
		s := startNATS(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := s.open(maker)
		if n, err := b.PublishOutcomes(ctx, "default", proto.ContentTypeProtobuf, newOutbox("ada", "eve")); err != nil || n != 2 {
			t.Fatalf("%s publishes %d: %v", maker, n, err)
		}
		if maker != "ldapsync" && maker != "operator" {
			b = s.open("operator")
		}
		seen, err := s.open("reader").TraceOutcomes(ctx, "default", "corp", "nobody")
		if err != nil || len(seen.Sequences) > 0 {
			t.Fatalf("the reader reads: %+v, %v", seen, err)
		}
		stream := proto.OutcomesStream("default")
		admin := s.as("admin")
		for _, name := range []string{"crm", "shop"} {
			config := `{"stream_name": "` + stream + `", "config": {"durable_name": "` + name + `", "ack_policy": "explicit"}}`
			reply, err := admin.nc.RequestWithContext(ctx, "$JS.API.CONSUMER.CREATE."+stream+"."+name, []byte(config))
			if err != nil || isError(reply.Data) {
				t.Fatalf("%s, %v", reply.Data, err)
			}
		}
		trace, err := b.EraseOutcomes(ctx, "default", proto.ContentTypeProtobuf, newOutbox(), "corp", "eve")
		if err != nil || trace.Unseen == nil || trace.Unseen.Name() != "crm" {
			t.Fatalf("after %s, who hasn't seen it: %+v, %v", maker, trace, err)
		}
		if err := errors.Join(b.DropConsumer(ctx, stream, "crm"), b.DropConsumer(ctx, stream, "shop")); err != nil {
			t.Fatalf("after %s, drop: %v", maker, err)
		}
		trace, err = b.EraseOutcomes(ctx, "default", proto.ContentTypeProtobuf, newOutbox("kim"), "corp", "eve")
		if err != nil || len(trace.Sequences) != 1 {
			t.Fatalf("after %s, erase: %+v, %v", maker, trace, err)
		}
		if err := errors.Join(b.Mirror(ctx, "corp", "default", "id", 1), b.Drop(ctx, "corp", "default")); err != nil {
			t.Fatalf("after %s, note and drop a position: %v", maker, err)
		}
	}
}

// waitForConsumer waits until a durable is there, so that what is published next reaches it.
func waitForConsumer(ctx context.Context, t *testing.T, s natsServer, durable string) {
	t.Helper()
	nc := s.as("admin").nc
	for {
		reply, err := nc.RequestWithContext(ctx, "$JS.API.CONSUMER.INFO."+proto.StreamName("corp")+"."+durable, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !isError(reply.Data) {
			return
		}
		time.Sleep(10 * time.Millisecond) // the server tells nobody but the asker
	}
}

func TestNobodyElsePublishesEvents(t *testing.T) {
	s := startNATS(t)
	ctx := t.Context()
	log, err := s.open("extractor").Log(ctx, "corp")
	if err == nil {
		err = publish(log, ctx, proto.TypeUserRemoved, "a")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"applier", "callbacks", "reader"} {
		l, err := s.open(role).OpenLog(ctx, "corp")
		if err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		err = publish(l, ctx, proto.TypeUserRemoved, "forged")
		if class, _ := fault.Of(err); err == nil || class != fault.Stream {
			t.Errorf("%s publishes: %v", role, err)
		}
		if _, last, err := log.Bounds(ctx); err != nil || last != 1 {
			t.Errorf("after %s the stream ends at %d, %v; want 1", role, last, err)
		}
	}
}

// isError tells whether an answer of JetStream's is one.
func isError(answer []byte) bool { return bytes.Contains(answer, []byte(`"error"`)) }
