package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// readMessages is how many messages a reader holds in advance: of about 100 KiB each. (With a limit in bytes beside it, nats.go asks
// for more than its channel holds, drops what doesn't fit, and a slow receiver makes the consumer anew again and again.)
const readMessages = 32

// readerIdle is after how long without a request the server forgets a reader's consumer, which is then made anew.
const readerIdle = 5 * time.Minute

// steady is how long a consumer has to wait in peace to count as a success, though nothing came.
const steady = 2 * requestTimeout

var (
	errGap     = errors.New("the server left out a message")
	errLagging = errors.New("the server lags behind its leader")
)

// Read hands out the events from sequence from up to and including to, in order; those that were erased, or aren't there yet, are
// left out. What stands in the place of an event from which people were erased is handed out there, as that event, and nowhere else. The sequence ends with an error, or complete: an event that it left out wasn't in the stream.
func (l *Log) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		if to > 0 && from <= to {
			r := reader{log: l, next: max(from, 1), to: to, yield: yield}
			r.run(ctx)
		}
	}
}

// Follow hands out every event from sequence from on, and waits for more, until an error ends it: ctx's, when ctx is done.
// Event.Pending is set; what Read puts in the place of something, this does too. It survives a lost connection: nothing is left out and nothing handed out twice.
func (l *Log) Follow(ctx context.Context, from uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		r := reader{log: l, next: max(from, 1), yield: yield}
		r.run(ctx)
	}
}

// Since hands out the events of these types (none: all) that the stream stored at a time or later, in order, up to the last one of now.
// The sequence ends with an error, or complete.
func (l *Log) Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		first, last, err := l.Bounds(ctx)
		if err == nil {
			first, err = l.storedSince(ctx, from, first, last)
		}
		if err != nil {
			yield(proto.Event{}, err)
			return
		}
		l.typed(ctx, reader{next: first, to: last, from: from, yield: yield}, types)
	}
}

// From hands out the events of these types (none: all) from a sequence on, in order, up to the last one of now. The sequence ends with an error, or
// complete.
func (l *Log) From(ctx context.Context, from uint64, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		first, last, err := l.Bounds(ctx)
		if err != nil {
			yield(proto.Event{}, err)
			return
		}
		l.typed(ctx, reader{next: max(from, first), to: last, yield: yield}, types)
	}
}

// typed reads some types up to r.to.
func (l *Log) typed(ctx context.Context, r reader, types []proto.Type) {
	r.log, r.next, r.done = l, max(r.next, 1), r.next > r.to
	for _, t := range types {
		r.subjects = append(r.subjects, proto.Subject(l.source, t))
	}
	r.run(ctx)
}

// storedSince returns the sequence, from first on, of the first message that was stored at a time or later; last + 1 if there is none. It asks for single
// messages: a consumer that is to begin at a time leaves out some that are as young, where nats-server 2.15.2 has only a part of a block in memory.
func (l *Log) storedSince(ctx context.Context, from time.Time, first, last uint64) (uint64, error) {
	if from.IsZero() {
		return first, nil
	}
	low, high := max(first, 1), last+1 // whatever lies before low is older, whatever lies from high on isn't
	for low < high {
		middle := low + (high-low)/2
		var m *stored
		err := l.bus.retry(ctx, "stream "+l.name, func(ctx context.Context) (err error) {
			m, err = l.bus.ask(ctx, l.name, query{Sequence: middle, Next: ">"})
			return err
		})
		switch {
		case errors.Is(err, proto.ErrNotFound):
			high = middle // nothing but holes
		case err != nil:
			return 0, err
		case m.Time.Before(from):
			low = m.Sequence + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// reader reads by one ephemeral consumer after the other, each from the next sequence on: the position is here alone.
type reader struct {
	log   *Log
	next  uint64
	to    uint64 // 0: for ever
	yield func(proto.Event, error) bool
	done  bool // complete, or the receiver had enough

	from     time.Time // what was stored before isn't handed out
	subjects []string  // what is read; none: all

	raw     bool          // as it is stored: see Stored
	headers bool          // without the data
	places  []replacement // those still to be handed out, in the order of their places
	begin   uint64        // where it began
	learnt  uint64        // the last replacement that places takes into account
}

func (r *reader) run(ctx context.Context) {
	try := r.log.bus.attempts()
	r.begin = r.next
	for !r.done {
		before, began := r.next, time.Now()
		err := r.pull(ctx)
		if r.done {
			return
		}
		if r.next > before || time.Since(began) > steady {
			try.succeeded()
		}
		if err := try.failed(ctx, "reading "+r.log.name, err); err != nil {
			r.yield(proto.Event{}, err)
			return
		}
	}
}

// pull reads until done, or until its consumer is of no more use, for which it returns the reason.
func (r *reader) pull(ctx context.Context) error {
	ctx, cancel := r.log.bus.connected(ctx)
	defer cancel()
	messages, stop, err := r.open(ctx)
	if err != nil || r.done {
		return err
	}
	defer stop()
	for delivered := uint64(1); ; delivered++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return cause(ctx, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != delivered {
			return errGap
		}
		if err := r.hand(ctx, m, meta); err != nil || r.done {
			return err
		}
	}
}

// hand gives one message to the receiver, and sees whether it was the last.
func (r *reader) hand(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata) error {
	sequence := meta.Sequence.Stream
	if r.to > 0 && sequence > r.to {
		return r.finish(ctx)
	}
	if sequence >= r.next {
		if err := r.fill(ctx, sequence, meta.NumPending, sequence > r.next); err != nil || r.done {
			return err
		}
	}
	if sequence >= r.next {
		e, err := event(m.Subject(), m.Headers(), m.Data(), sequence, meta.Timestamp)
		if err != nil {
			return fmt.Errorf("%s, %w", r.log.name, err)
		}
		e.Pending = meta.NumPending
		r.next = sequence + 1
		if (r.raw || e.Type != proto.TypeUserReplaced) && !r.yield(e, nil) {
			r.done = true
			return nil
		}
	}
	if r.to == 0 {
		return nil
	}
	if r.next > r.to {
		return r.finish(ctx)
	} else if meta.NumPending == 0 {
		return r.complete(ctx)
	}
	return nil
}

// complete ends a bounded read whose consumer has nothing more: what is left must be holes, and only the leader can say so.
func (r *reader) complete(ctx context.Context) error {
	err := r.log.bus.once(ctx, func(ctx context.Context) error {
		if _, err := r.log.stateFrom(ctx, r.to); err != nil {
			return err
		}
		for _, subject := range r.wanted() {
			m, err := r.log.bus.ask(ctx, r.log.name, query{Sequence: r.next, Next: subject})
			if err == nil && m.Sequence <= r.to {
				return errLagging
			}
			if err != nil && !errors.Is(err, proto.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish(ctx)
}

// wanted are the subjects that are read.
func (r *reader) wanted() []string {
	if len(r.subjects) == 0 {
		return []string{">"}
	}
	return r.subjects
}

// open makes a consumer that begins at the next sequence.
func (r *reader) open(ctx context.Context) (jetstream.MessagesContext, func(), error) {
	l := r.log
	if err := r.expect(ctx); err != nil {
		return nil, nil, err
	}
	var consumer jetstream.Consumer
	err := l.bus.once(ctx, func(ctx context.Context) error {
		if err := r.behind(ctx); err != nil {
			return err
		}
		config := jetstream.ConsumerConfig{
			DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
			OptStartSeq:       r.next,
			FilterSubjects:    r.subjects,
			HeadersOnly:       r.headers,
			AckPolicy:         jetstream.AckNonePolicy,
			MaxDeliver:        1,
			InactiveThreshold: readerIdle,
			MemoryStorage:     true,
			Replicas:          1,
		}
		var err error
		consumer, err = l.bus.js.CreateConsumer(ctx, l.name, config)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	forget := func() { l.bus.forget(ctx, l.name, consumer.CachedInfo().Name) }
	if r.to > 0 && consumer.CachedInfo().NumPending == 0 {
		defer forget()
		return nil, nil, r.complete(ctx)
	}
	messages, err := consumer.Messages(
		jetstream.PullMaxMessages(readMessages),
		jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		forget()
		return nil, nil, err
	}
	return messages, func() { messages.Stop(); forget() }, nil
}

// behind sees to it that what follows is new: a stream that ends before next-1 has lost events, and would count them again.
func (r *reader) behind(ctx context.Context) error {
	if r.to > 0 {
		return nil
	}
	state, err := r.log.stateFrom(ctx, r.next-1)
	if err == nil && r.next > state.LastSeq+1 {
		err = fault.New(fault.Stream, "was the store restored from an older copy? accept the stream as a new one",
			"stream %s ends at sequence %d, but %d was read from it before", r.log.name, state.LastSeq, r.next-1)
	}
	return err
}

// forget deletes an ephemeral consumer, if that is still possible: otherwise the server does it in a while.
func (b *Bus) forget(ctx context.Context, stream, consumer string) {
	if !b.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := b.js.DeleteConsumer(ctx, stream, consumer); err != nil {
		b.logger.Debug("a reader's consumer stays for a while", "stream", stream, "error", err)
	}
}

// cause returns why ctx is done, where that is why an iterator ended, else err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w", err)
}
