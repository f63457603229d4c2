package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

// Pending are the requests for passes over one source that none has answered yet, for those who don't wait for any. They stay where they
// are until Done, so that nothing needs to be given back by a process that fails or is killed.
type Pending struct {
	Requests  []*proto.RunRequest // oldest first
	bus       *Bus
	source    string
	sequences []uint64 // of the stream
}

// Pending reads the requests for a source. It creates nothing. A service of that source may take the same ones meanwhile: ask Active before.
func (b *Bus) Pending(ctx context.Context, source string) (*Pending, error) {
	if err := validSource(source); err != nil {
		return nil, err
	}
	p := &Pending{bus: b, source: source}
	for next := uint64(1); len(p.Requests) < collapse; {
		m, err := p.read(ctx, next)
		if errors.Is(err, proto.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		next = m.Sequence + 1
		header, err := m.header()
		if err != nil {
			continue
		}
		request, err := readRequest(header, m.Data, m.Sequence)
		if err != nil {
			continue // a service drops it, and says so
		}
		p.Requests, p.sequences = append(p.Requests, request), append(p.sequences, m.Sequence)
	}
	return p, nil
}

// read returns the first request at or behind a sequence. proto.ErrNotFound if there is none.
func (p *Pending) read(ctx context.Context, sequence uint64) (m *stored, err error) {
	err = p.bus.retry(ctx, "requests for "+p.source, func(ctx context.Context) error {
		m, err = p.bus.ask(ctx, proto.RunsStream, query{Sequence: sequence, Next: proto.RunsSubject(p.source)})
		var refused *jetstream.APIError
		if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamNotFound {
			return proto.ErrNotFound // nobody has ever asked for anything
		}
		return err
	})
	return m, err
}

// Done says that a pass has answered them.
func (p *Pending) Done(ctx context.Context) error {
	if len(p.sequences) == 0 {
		return nil
	}
	return p.bus.retry(ctx, "requests for "+p.source, func(ctx context.Context) error {
		stream, err := p.bus.js.Stream(ctx, proto.RunsStream)
		if err != nil {
			return err
		}
		for len(p.sequences) > 0 {
			err := stream.DeleteMsg(ctx, p.sequences[0])
			if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
				if _, gone := p.bus.ask(ctx, proto.RunsStream, query{Sequence: p.sequences[0]}); errors.Is(gone, proto.ErrNotFound) {
					err = nil // answered meanwhile
				}
			}
			if err != nil {
				return err
			}
			p.sequences = p.sequences[1:]
		}
		return nil
	})
}
