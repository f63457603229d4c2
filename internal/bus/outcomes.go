package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// outcomesAge is how long outcomes are kept: they are news, and hold names of people. The state is in the streams of the sources.
const outcomesAge = 30 * 24 * time.Hour

// outcomesStream is how the stream of a target's outcomes should be. One that is full drops what is old.
func (b *Bus) outcomesStream(target string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        proto.OutcomesStream(target),
		Description: "ldapsync: what was done to target " + target,
		Subjects:    []string{proto.OutcomesAll(target)},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		MaxAge:      outcomesAge,
		Storage:     jetstream.FileStorage,
		Compression: jetstream.S2Compression,
		Replicas:    b.cfg.Replicas,
		AllowDirect: true,
	}
}

// Outbox is where outcomes wait that are committed in a target's database and not published yet.
type Outbox interface {
	// Outbox returns the first messages, at most limit, in the order in which they are to be published.
	Outbox(ctx context.Context, limit int) ([]proto.Unpublished, error)
	// DropOutbox deletes one that was published, if it is there still, and no other.
	DropOutbox(ctx context.Context, published proto.Unpublished) error
}

// outboxPage is how many messages of an outbox are held at a time: of about 128 KiB at most each.
const outboxPage = 64

// errOvertaken says that somebody else published to a stream of outcomes meanwhile.
var errOvertaken = errors.New("somebody else published")

// PublishOutcomes publishes what a target's outbox holds, in order and each message once, encoded as contentType says, and empties it. It may be
// called by several processes at once, and tried again whatever became of the last time: a message is published only behind the one that was the
// last of the stream when the outbox was read, so that what is still in the outbox was published if it is that last one, and wasn't otherwise.
// It returns how many messages it published.
func (b *Bus) PublishOutcomes(ctx context.Context, target, contentType string, outbox Outbox) (published int, err error) {
	if !proto.ValidName(target) {
		return 0, fault.New(fault.Usage, "use small letters, digits, - and _", "target %q: not a name", target)
	}
	waiting, err := outbox.Outbox(ctx, 1)
	if err != nil || len(waiting) == 0 {
		return 0, err // the stream is asked nothing where nothing is to be told
	}
	if _, err := b.ensure(ctx, b.outcomesStream(target)); err != nil {
		return 0, err
	}
	o := outcomes{bus: b, target: target, stream: proto.OutcomesStream(target), contentType: contentType, outbox: outbox}
	_, err = o.drain(ctx)
	return o.published, err
}

// outcomes is one emptying of an outbox.
type outcomes struct {
	bus                         *Bus
	target, stream, contentType string
	outbox                      Outbox
	published                   int
}

// drain publishes until the outbox is empty. What the stream has up to the sequence that it returns waits in no outbox any more.
func (o *outcomes) drain(ctx context.Context) (through uint64, err error) {
	for more := true; more && err == nil; {
		through, more, err = o.page(ctx)
	}
	return through, err
}

// page publishes the first messages of the outbox. It tells whether there may be more, also after somebody else was faster, and what the last sequence
// was before the outbox was read.
func (o *outcomes) page(ctx context.Context) (last uint64, more bool, err error) {
	last, id, err := o.last(ctx) // before the outbox is read
	if err != nil {
		return last, false, err
	}
	rows, err := o.outbox.Outbox(ctx, outboxPage)
	if err != nil || len(rows) == 0 {
		return last, false, err
	}
	for _, row := range rows {
		if row.Outcomes.GetId() == id {
			// What was published last, before a process was stopped. A row in front of it was committed later, so it wasn't published.
			return last, true, o.outbox.DropOutbox(ctx, row)
		}
	}
	for _, row := range rows {
		next, err := o.publish(ctx, row.Outcomes, last)
		switch {
		case errors.Is(err, errOvertaken):
			return last, true, nil
		case err != nil:
			return last, false, err
		case next > 0:
			last = next
			o.published++
		}
		if err := o.outbox.DropOutbox(ctx, row); err != nil {
			return last, false, err
		}
	}
	return last, true, nil
}

// last returns the last sequence of the stream and the id of the message there; "" if it isn't there any more.
func (o *outcomes) last(ctx context.Context) (sequence uint64, id string, err error) {
	err = o.bus.retry(ctx, "stream "+o.stream, func(ctx context.Context) error {
		info, err := o.bus.info(ctx, o.stream)
		if err != nil {
			return err
		}
		sequence, id = info.State.LastSeq, ""
		if info.State.Msgs == 0 {
			return nil
		}
		m, err := o.bus.find(ctx, o.stream, query{Sequence: sequence})
		if errors.Is(err, proto.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		header, err := m.header()
		id = header.Get(proto.HeaderID)
		return err
	})
	return sequence, id, err
}

// publish publishes a message behind a sequence and returns its own; 0 if the server can't take it, which is told to people: the others mustn't
// wait for it. errOvertaken if the stream has moved, be it by this very message, the answer to which was lost.
func (o *outcomes) publish(ctx context.Context, m *proto.Outcomes, last uint64) (sequence uint64, err error) {
	m.Target = o.target
	data, err := proto.Marshal(o.contentType, m)
	if err != nil {
		return 0, err
	}
	kind := proto.OutcomeType(m.GetType())
	message := &nats.Msg{Subject: proto.OutcomeSubject(o.target, kind), Data: data, Header: nats.Header{
		proto.HeaderSpecVersion: {proto.SpecVersion},
		proto.HeaderID:          {m.GetId()},
		proto.HeaderType:        {proto.OutcomeCEType(kind)},
		proto.HeaderSource:      {proto.OutcomeCESource(o.target)},
		proto.HeaderTime:        {m.GetTime().AsTime().Format(time.RFC3339Nano)},
		proto.HeaderContentType: {o.contentType},
	}}
	if limit := int(o.bus.nc.MaxPayload()); message.Size() > limit {
		o.bus.logger.Error("outcomes are too large to be published", "target", o.target, "type", kind, "outcomes", len(m.GetOutcomes()), "bytes", message.Size(),
			"limit", limit, "hint", "raise max_payload of the NATS server")
		return 0, nil
	}
	err = o.bus.retry(ctx, "publishing to "+o.stream, func(ctx context.Context) error {
		ack, err := o.bus.js.PublishMsg(ctx, message, jetstream.WithExpectStream(o.stream), jetstream.WithExpectLastSequence(last), jetstream.WithRetryAttempts(0))
		var refused *jetstream.APIError
		if errors.As(err, &refused) && (refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
			sequence = 0
			return nil
		}
		if err == nil {
			sequence = ack.Sequence
		}
		return err
	})
	if err == nil && sequence == 0 {
		err = errOvertaken
	}
	return sequence, err
}
