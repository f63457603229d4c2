package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Log is the stream of one source's events. Reading may be done by any number of goroutines at the same time; Begin, Publish and
// Flush are for one.
type Log struct {
	bus        *Bus
	source     string
	name       string // of the stream
	id         string
	stream     jetstream.Stream // to get messages from any replica
	maxMessage int              // of the stream, in bytes; 0: it has no limit of its own
	writer     publisher
	places     places
}

// Log returns the stream of a source; it is created, or brought to what it should be, if it isn't.
func (b *Bus) Log(ctx context.Context, source string) (*Log, error) {
	if err := validSource(source); err != nil {
		return nil, err
	}
	info, err := b.ensure(ctx, b.eventsStream(source))
	if err != nil {
		return nil, err
	}
	return b.newLog(ctx, source, info)
}

// OpenLog returns the stream of a source as it is, for those who must change nothing. proto.ErrNotFound if there is none.
func (b *Bus) OpenLog(ctx context.Context, source string) (*Log, error) {
	if err := validSource(source); err != nil {
		return nil, err
	}
	var info *jetstream.StreamInfo
	err := b.retry(ctx, "stream "+proto.StreamName(source), func(ctx context.Context) (err error) {
		info, err = b.info(ctx, proto.StreamName(source))
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("stream of source %s: %w", source, proto.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b.newLog(ctx, source, info)
}

func (b *Bus) newLog(ctx context.Context, source string, info *jetstream.StreamInfo) (*Log, error) {
	l := &Log{bus: b, source: source, name: info.Config.Name, id: identity(info), maxMessage: max(0, int(info.Config.MaxMsgSize))}
	l.writer.init(l)
	return l, b.retry(ctx, "stream "+l.name, func(ctx context.Context) (err error) {
		l.stream, err = b.js.Stream(ctx, l.name)
		return err
	})
}

// StreamID is the identity of the stream: random, and kept as long as the stream exists.
func (l *Log) StreamID() string { return l.id }

// MaxPayload is how long the Data of an event may be, in bytes: what the server takes, less the room for the headers.
func (l *Log) MaxPayload() int { return l.largest() - headerRoom }

// largest is the limit on a message with its headers.
func (l *Log) largest() int {
	limit := int(l.bus.nc.MaxPayload())
	if l.maxMessage > 0 {
		limit = min(limit, l.maxMessage)
	}
	return limit
}

// Bounds returns the first and the last sequence of the stream. An empty stream has first = last + 1.
func (l *Log) Bounds(ctx context.Context) (first, last uint64, err error) {
	err = l.bus.retry(ctx, "stream "+l.name, func(ctx context.Context) error {
		state, err := l.state(ctx)
		first, last = state.FirstSeq, state.LastSeq
		if state.Msgs == 0 {
			first = last + 1
		}
		return err
	})
	return first, last, err
}

// state asks the leader for the state of this very stream: another one in its place is an error.
func (l *Log) state(ctx context.Context) (jetstream.StreamState, error) { return l.stateFrom(ctx, 0) }

// stateFrom does the same, and gives a stream with replicas a while to reach a sequence: a new leader may not have caught up.
func (l *Log) stateFrom(ctx context.Context, reached uint64) (jetstream.StreamState, error) {
	for deadline := time.Now().Add(l.bus.pace.catchUp); ; {
		info, err := l.bus.info(ctx, l.name)
		if err != nil {
			return jetstream.StreamState{}, err
		}
		if id := identity(info); id != l.id {
			return jetstream.StreamState{}, fault.New(fault.Stream, "start again, and accept the new stream if it is wanted",
				"stream %s was replaced while it was in use: its identity was %s and is %s", l.name, l.id, id)
		}
		if info.State.LastSeq >= reached || info.Config.Replicas <= 1 || time.Now().After(deadline) {
			return info.State, nil
		}
		select {
		case <-ctx.Done():
			return jetstream.StreamState{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Get returns one event by its sequence, as Read hands it out. proto.ErrNotFound if it isn't there.
func (l *Log) Get(ctx context.Context, sequence uint64) (proto.Event, error) {
	var e proto.Event
	err := l.bus.retry(ctx, l.name, func(ctx context.Context) (err error) {
		e, err = l.get(ctx, sequence)
		if errors.Is(err, proto.ErrNotFound) || e.Type == proto.TypeUserReplaced {
			e, err = proto.Event{}, nil
		}
		if err == nil && (e.Sequence == 0 || e.Type == proto.TypeUserUpserted) {
			e, err = l.inPlace(ctx, e, sequence)
		}
		return err
	})
	if errors.Is(err, proto.ErrNotFound) {
		return proto.Event{}, fmt.Errorf("%s, sequence %d: %w", l.name, sequence, proto.ErrNotFound)
	}
	return e, err
}

// get asks any replica, which is cheaper, and the leader only when that one doesn't know: an event that is there never changes.
func (l *Log) get(ctx context.Context, sequence uint64) (proto.Event, error) {
	if sequence == 0 {
		return proto.Event{}, proto.ErrNotFound
	}
	m, err := l.stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return l.leader(ctx, query{Sequence: sequence})
	}
	if err != nil {
		return proto.Event{}, err
	}
	return event(m.Subject, m.Header, m.Data, m.Sequence, m.Time)
}

// LastOf returns the last event of a type. proto.ErrNotFound if there is none.
func (l *Log) LastOf(ctx context.Context, t proto.Type) (proto.Event, error) {
	var e proto.Event
	err := l.bus.retry(ctx, l.name, func(ctx context.Context) (err error) {
		e, err = l.leader(ctx, query{Last: proto.Subject(l.source, t)})
		return err
	})
	if errors.Is(err, proto.ErrNotFound) {
		return proto.Event{}, fmt.Errorf("%s, last %s: %w", l.name, t, proto.ErrNotFound)
	}
	return e, err
}

func (l *Log) leader(ctx context.Context, q query) (proto.Event, error) {
	m, err := l.bus.ask(ctx, l.name, q)
	if errors.Is(err, proto.ErrNotFound) {
		// A server that is shutting down finds nothing either, but doesn't know its streams any more.
		if _, err := l.state(ctx); err != nil {
			return proto.Event{}, err
		}
	}
	if err != nil {
		return proto.Event{}, err
	}
	header, err := m.header()
	if err != nil {
		return proto.Event{}, err
	}
	return event(m.Subject, header, m.Data, m.Sequence, m.Time)
}
