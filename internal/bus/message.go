package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// headerRoom is what MaxPayload leaves for the headers, in bytes; they have about 400.
const headerRoom = 1024

// message makes the message of an event, all but the sequence it expects.
func (l *Log) message(e proto.Event) *nats.Msg {
	m := &nats.Msg{
		Subject: proto.Subject(l.source, e.Type),
		Data:    e.Data,
		Header: nats.Header{
			proto.HeaderSpecVersion: {proto.SpecVersion},
			proto.HeaderID:          {e.ID},
			proto.HeaderType:        {proto.CEType(e.Type)},
			proto.HeaderSource:      {proto.CESource(l.source)},
			proto.HeaderTime:        {l.bus.cfg.Now().UTC().Format(time.RFC3339Nano)},
			proto.HeaderContentType: {e.ContentType},

			jetstream.ExpectedStreamHeader: {l.name},
		},
	}
	if e.Replaces > 0 {
		m.Header[proto.HeaderReplaces] = []string{strconv.FormatUint(e.Replaces, 10)}
	}
	return m
}

// event reads a message back. What isn't an event of ldapsync is a permanent fault.
func event(subject string, header nats.Header, data []byte, sequence uint64, at time.Time) (proto.Event, error) {
	_, t, err := proto.ParseSubject(subject)
	if err != nil {
		return proto.Event{}, fault.New(fault.Stream, "find out what else publishes to this stream, and stop it", "sequence %d: %w", sequence, err)
	}
	e := proto.Event{
		Type: t, ID: header.Get(proto.HeaderID), ContentType: header.Get(proto.HeaderContentType), Data: data,
		Sequence: sequence, Time: at.UTC(),
	}
	if t == proto.TypeUserReplaced {
		if e.Replaces, err = strconv.ParseUint(header.Get(proto.HeaderReplaces), 10, 64); err != nil {
			return e, fault.New(fault.Stream, "", "sequence %d: %s doesn't say what it replaces", sequence, t)
		}
	}
	return e, nil
}

// query selects one message of a stream.
type query struct {
	Sequence uint64 `json:"seq,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Next     string `json:"next_by_subj,omitempty"` // the first at or behind Sequence that matches
}

// stored is a message as the stream's leader tells it.
type stored struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

func (s *stored) header() (nats.Header, error) {
	if len(s.Header) == 0 {
		return nats.Header{}, nil
	}
	return nats.DecodeHeadersMsg(s.Header)
}

// ask fetches one message from the stream's leader. jetstream.Stream.GetMsg asks any replica of a stream with AllowDirect, and one
// that lags behind answers that the message isn't there.
func (b *Bus) ask(ctx context.Context, stream string, q query) (*stored, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	reply, err := b.nc.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"STREAM.MSG.GET."+stream, body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message *stored             `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, fmt.Errorf("stream %s: the server's answer can't be read: %w", stream, err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, proto.ErrNotFound
	case answer.Error != nil:
		return nil, answer.Error
	case answer.Message == nil:
		return nil, errors.New("the server's answer holds no message")
	}
	return answer.Message, nil
}

// find fetches one message as ask does. That it isn't there is believed only of a server that knows the stream: one that is shutting down finds nothing either.
func (b *Bus) find(ctx context.Context, stream string, q query) (*stored, error) {
	m, err := b.ask(ctx, stream, q)
	if errors.Is(err, proto.ErrNotFound) {
		if _, unknown := b.info(ctx, stream); unknown != nil {
			return nil, unknown
		}
	}
	return m, err
}
