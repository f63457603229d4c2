package bus

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

// collapse is how many requests one pass can answer.
const collapse = 1000

// Trigger asks for a pass over a source. The request is kept until an extractor of that source has answered it, for at most a week.
// An empty Id is filled in: SnapshotStarted.requests will name it.
func (b *Bus) Trigger(ctx context.Context, source string, request *proto.RunRequest) error {
	if err := validSource(source); err != nil {
		return err
	}
	if request.GetId() == "" {
		request.Id = newID()
	}
	data, err := proto.Marshal(proto.ContentTypeProtobuf, request)
	if err != nil {
		return err
	}
	if _, err := b.ensure(ctx, b.runsStream()); err != nil {
		return err
	}
	m := &nats.Msg{Subject: proto.RunsSubject(source), Data: data, Header: nats.Header{proto.HeaderContentType: {proto.ContentTypeProtobuf}}}
	return b.retry(ctx, "request for "+source, func(ctx context.Context) error {
		_, err := b.js.PublishMsg(ctx, m, jetstream.WithMsgID(source+"/"+request.GetId()), jetstream.WithExpectStream(proto.RunsStream))
		return err
	})
}

// Requests are those for passes over one source, as its extractor takes them. Its method is for one goroutine.
type Requests struct {
	bus     *Bus
	source  string
	config  jetstream.ConsumerConfig
	release func() // the requests handed out last and not acknowledged; nil: none
	held    []jetstream.Msg
}

// Requests prepares to take the requests for a source. Several extractors that do share them: each request goes to one.
func (b *Bus) Requests(ctx context.Context, source string) (*Requests, error) {
	if err := validSource(source); err != nil {
		return nil, err
	}
	if _, err := b.ensure(ctx, b.runsStream()); err != nil {
		return nil, err
	}
	r := &Requests{bus: b, source: source, config: jetstream.ConsumerConfig{
		Durable:       "extractor-" + source,
		FilterSubject: proto.RunsSubject(source),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		BackOff:       b.pace.redelivery,
		MaxDeliver:    -1,
	}}
	return r, b.retry(ctx, "requests for "+source, func(ctx context.Context) error {
		_, err := b.js.CreateOrUpdateConsumer(ctx, proto.RunsStream, r.config)
		return err
	})
}

// Next waits until there are requests and hands out all there are: one pass answers them together. ack says that it has, and is to
// be called once the pass is over, however long that takes. Requests that aren't acknowledged come again: soon after the next Next,
// or half a minute after this process has ended.
func (r *Requests) Next(ctx context.Context) (requests []*proto.RunRequest, ack func(context.Context) error, err error) {
	r.giveBack()
	try := r.bus.attempts()
	for {
		messages, err := r.fetch(ctx)
		requests = nil
		var held []jetstream.Msg
		for _, m := range messages {
			if request := r.decode(m); request != nil {
				requests, held = append(requests, request), append(held, m)
			}
		}
		if len(requests) > 0 {
			r.held, r.release = held, r.bus.pace.keep(held)
			return requests, r.ack, nil
		}
		if err == nil {
			try.succeeded()
			continue
		}
		if err := try.failed(ctx, "requests for "+r.source, err); err != nil {
			return nil, nil, err
		}
	}
}

// fetch waits for one request, for half a minute, and takes those behind it along.
func (r *Requests) fetch(ctx context.Context) ([]jetstream.Msg, error) {
	ctx, cancel := r.bus.connected(ctx)
	defer cancel()
	var consumer jetstream.Consumer
	err := r.bus.once(ctx, func(ctx context.Context) (err error) {
		consumer, err = r.bus.js.CreateOrUpdateConsumer(ctx, proto.RunsStream, r.config)
		return err
	})
	if err != nil {
		return nil, cause(ctx, err)
	}
	first, err := r.first(ctx, consumer)
	if first == nil || err != nil {
		return nil, err
	}
	messages := []jetstream.Msg{first}
	batch, err := consumer.FetchNoWait(collapse - 1)
	if err != nil {
		return messages, nil
	}
	for m := range batch.Messages() {
		messages = append(messages, m)
	}
	return messages, nil
}

func (r *Requests) first(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	m, err := consumer.Next(jetstream.FetchContext(wait), jetstream.FetchHeartbeat(5*time.Second))
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	}
	return nil, err
}

// decode reads a request as any tool may have written it; nil if nothing can be made of it, which is then taken off the stream.
func (r *Requests) decode(m jetstream.Msg) *proto.RunRequest {
	var sequence uint64
	if meta, err := m.Metadata(); err == nil {
		sequence = meta.Sequence.Stream
	}
	request, err := readRequest(m.Headers(), m.Data(), sequence)
	if err != nil {
		r.bus.logger.Warn("a request that can't be read is dropped", "source", r.source, "error", err)
		_ = m.Term()
		return nil
	}
	return request
}

func readRequest(header nats.Header, data []byte, sequence uint64) (*proto.RunRequest, error) {
	e := proto.Event{Type: "run request", ContentType: header.Get(proto.HeaderContentType), Data: data, Sequence: sequence}
	if e.ContentType == "" {
		e.ContentType = proto.ContentTypeProtobuf
		if len(data) > 0 && data[0] == '{' {
			e.ContentType = proto.ContentTypeJSON
		}
	}
	request := new(proto.RunRequest)
	if err := proto.Unmarshal(e, request); err != nil {
		return nil, err
	}
	if request.Id == "" {
		request.Id = strconv.FormatUint(sequence, 10)
	}
	return request, nil
}

// ack takes the requests handed out last off the stream.
func (r *Requests) ack(ctx context.Context) error {
	if r.release == nil {
		return nil
	}
	r.release()
	for len(r.held) > 0 {
		err := r.bus.retry(ctx, "requests for "+r.source, r.held[0].DoubleAck)
		if err != nil {
			return err
		}
		r.held = r.held[1:]
	}
	r.release = nil
	return nil
}

// giveBack has requests that weren't acknowledged delivered again in a while.
func (r *Requests) giveBack() {
	if r.release == nil {
		return
	}
	r.release()
	for _, m := range r.held {
		_ = m.NakWithDelay(r.bus.pace.again)
	}
	r.release, r.held = nil, nil
}
