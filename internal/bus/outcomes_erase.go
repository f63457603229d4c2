package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Who is forgotten is taken out of the outcomes, too: the messages that tell of her are erased, and nothing is published in their place, as it is where
// people are erased from the events. Outcomes are news, and no state: nobody needs them again who has seen them, so that each durable consumer must have,
// before one is erased. A replacement could only come at the end of the stream, where everybody would have to know whether it is news to him; it would be
// kept for another 30 days; and as the last message it would hide what publishing relies on, the id of the one that was published before a crash.
// Who reads without a durable and is late finds a hole in the sequences, which nothing else makes.

// OutcomesTrace is where the stream of a target's outcomes tells of a user.
type OutcomesTrace struct {
	Sequences []uint64  // of the messages, in order
	Unseen    *Position // the durable consumer that is behind and hasn't seen all of them; nil: everybody has
}

// TraceOutcomes lists the messages of a target's outcomes that tell of a user of a source, and who hasn't seen them yet. It reads them all.
func (b *Bus) TraceOutcomes(ctx context.Context, target, source, id string) (OutcomesTrace, error) {
	info, err := b.outcomesInfo(ctx, target)
	if info == nil {
		return OutcomesTrace{}, err
	}
	return b.traceOutcomes(ctx, target, source, id, info.State.LastSeq)
}

// EraseOutcomes deletes for good the messages of a target's outcomes that tell of a user of a source: the server overwrites their bytes. What waits in the
// outbox is published first, as PublishOutcomes does it, so that everybody learns of it. If a durable consumer hasn't seen one of the messages, the trace
// says who, and none is erased: they tell of others, too. It may be tried again whatever became of the last time.
func (b *Bus) EraseOutcomes(ctx context.Context, target, contentType string, outbox Outbox, source, id string) (OutcomesTrace, error) {
	if _, err := b.PublishOutcomes(ctx, target, contentType, outbox); err != nil {
		return OutcomesTrace{}, err
	}
	info, err := b.outcomesInfo(ctx, target)
	if info == nil {
		return OutcomesTrace{}, err
	}
	// A message whose row waits still is known by its id alone, so that one may go only when its row has gone: those up to here.
	o := outcomes{bus: b, target: target, stream: info.Config.Name, contentType: contentType, outbox: outbox}
	through, err := o.drain(ctx)
	if err != nil {
		return OutcomesTrace{}, err
	}
	trace, err := b.traceOutcomes(ctx, target, source, id, through)
	if err != nil || trace.Unseen != nil || len(trace.Sequences) == 0 {
		return trace, err
	}
	for _, sequence := range trace.Sequences {
		err := b.retry(ctx, "erasing from "+o.stream, func(ctx context.Context) error {
			stream, err := b.js.Stream(ctx, o.stream)
			if err != nil {
				return err
			}
			if is := stream.CachedInfo(); identity(is) != identity(info) {
				return fault.New(fault.Stream, "ask again", "stream %s was replaced while it was in use", o.stream)
			}
			return b.erase(ctx, stream, sequence)
		})
		if err != nil {
			return trace, err
		}
	}
	return trace, nil
}

// OutcomesPositions returns where the durable consumers of a target's outcomes are, the lowest first, and the last sequence there is. None and 0 if there
// is no stream.
func (b *Bus) OutcomesPositions(ctx context.Context, target string) (all []Position, last uint64, err error) {
	info, err := b.outcomesInfo(ctx, target)
	if info == nil {
		return nil, 0, err
	}
	err = b.retry(ctx, "consumers of "+info.Config.Name, func(ctx context.Context) error {
		stream, err := b.js.Stream(ctx, info.Config.Name)
		if err == nil {
			last = stream.CachedInfo().State.LastSeq
			all, err = durables(ctx, stream, last)
		}
		return err
	})
	inOrder(all)
	return all, last, err
}

// outcomesInfo is the stream of a target's outcomes as it is; nil if there is none.
func (b *Bus) outcomesInfo(ctx context.Context, target string) (info *jetstream.StreamInfo, err error) {
	if err := validTarget(target); err != nil {
		return nil, err
	}
	name := proto.OutcomesStream(target)
	err = b.retry(ctx, "stream "+name, func(ctx context.Context) (err error) {
		info, err = b.info(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return proto.ErrNotFound
		}
		return err
	})
	if errors.Is(err, proto.ErrNotFound) {
		return nil, nil
	}
	return info, err
}

// traceOutcomes looks at the messages up to a sequence.
func (b *Bus) traceOutcomes(ctx context.Context, target, source, id string, through uint64) (trace OutcomesTrace, err error) {
	for next := uint64(1); next <= through; {
		m, err := b.outcomesFrom(ctx, target, next)
		if errors.Is(err, proto.ErrNotFound) || err == nil && m.Sequence > through {
			break
		}
		if err != nil {
			return trace, err
		}
		header, err := m.header()
		if err != nil {
			return trace, err
		}
		var told proto.Outcomes
		e := proto.Event{Type: "outcomes", ContentType: header.Get(proto.HeaderContentType), Data: m.Data, Sequence: m.Sequence}
		if err := proto.Unmarshal(e, &told); err != nil {
			return trace, fault.New(fault.Stream, fmt.Sprintf("find out what else publishes there, and stop it; then delete the message: nats stream rmm %s %d", proto.OutcomesStream(target), m.Sequence),
				"%s: not a message of ours, so that nobody knows of whom it tells: %w", proto.OutcomesStream(target), err)
		}
		if proto.TellsOf(&told, source, id) {
			trace.Sequences = append(trace.Sequences, m.Sequence)
		}
		next = m.Sequence + 1
	}
	if len(trace.Sequences) == 0 {
		return trace, nil
	}
	all, _, err := b.OutcomesPositions(ctx, target)
	if err == nil && len(all) > 0 && all[0].Sequence < trace.Sequences[len(trace.Sequences)-1] {
		trace.Unseen = &all[0]
	}
	return trace, err
}

// outcomesFrom returns the first message about users at a sequence or behind it.
func (b *Bus) outcomesFrom(ctx context.Context, target string, sequence uint64) (m *stored, err error) {
	name := proto.OutcomesStream(target)
	err = b.retry(ctx, "reading "+name, func(ctx context.Context) (err error) {
		m, err = b.find(ctx, name, query{Sequence: sequence, Next: proto.OutcomeSubject(target, "user.*")})
		return err
	})
	return m, err
}
