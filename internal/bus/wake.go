package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

// Wake hands out the events of some types (none: all) of a source that are published from the first call with this durable on, also
// those published while nobody called; and where there is no such durable yet, or none any more, the last one of each type first: whoever was
// dropped learns that something may have happened meanwhile. Each is acknowledged when the loop asks for the next; one whose loop broke off comes again.
// They are to wake somebody, so they come at least once and in no promised order. It ends with an error alone: ctx's, when ctx is done.
func (b *Bus) Wake(ctx context.Context, source, durable string, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		log, err := b.Log(ctx, source)
		if err != nil {
			yield(proto.Event{}, err)
			return
		}
		w := waker{log: log, yield: yield, config: b.wakeConfig(source, durable, types)}
		w.run(ctx)
	}
}

func (b *Bus) wakeConfig(source, durable string, types []proto.Type) jetstream.ConsumerConfig {
	config := jetstream.ConsumerConfig{
		Durable:       durable,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		BackOff:       b.pace.redelivery,
		MaxDeliver:    -1,
	}
	for _, t := range types {
		config.FilterSubjects = append(config.FilterSubjects, proto.Subject(source, t))
	}
	if len(types) == 0 {
		config.FilterSubjects = []string{proto.SubjectAll(source)} // the last of each is for those alone who say of what
	}
	return config
}

type waker struct {
	log     *Log
	config  jetstream.ConsumerConfig
	yield   func(proto.Event, error) bool
	done    bool
	handled bool // something since the last failure
}

func (w *waker) run(ctx context.Context) {
	try := w.log.bus.attempts()
	for !w.done {
		began := time.Now()
		err := w.pull(ctx)
		if w.done {
			return
		}
		if w.handled || time.Since(began) > steady {
			try.succeeded()
			w.handled = false
		}
		if err := try.failed(ctx, "reading "+w.log.name, err); err != nil {
			w.yield(proto.Event{}, err)
			return
		}
	}
}

func (w *waker) pull(ctx context.Context) error {
	ctx, cancel := w.log.bus.connected(ctx)
	defer cancel()
	var consumer jetstream.Consumer
	err := w.log.bus.once(ctx, func(ctx context.Context) (err error) {
		consumer, err = w.consumer(ctx)
		return err
	})
	if err != nil {
		return cause(ctx, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return cause(ctx, err)
		}
		if err := w.hand(ctx, m); err != nil || w.done {
			return err
		}
	}
}

// consumer makes the durable, or brings the one that is there to the configuration: but for where that began, which can't be changed.
func (w *waker) consumer(ctx context.Context) (jetstream.Consumer, error) {
	config := w.config
	there, err := w.log.bus.js.Consumer(ctx, w.log.name, config.Durable)
	switch {
	case err == nil:
		began := there.CachedInfo().Config
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = began.DeliverPolicy, began.OptStartSeq, began.OptStartTime
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, err
	}
	return w.log.bus.js.CreateOrUpdateConsumer(ctx, w.log.name, config)
}

func (w *waker) hand(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	e, err := event(m.Subject(), m.Headers(), m.Data(), meta.Sequence.Stream, meta.Timestamp)
	if err != nil {
		_ = m.Term()
		return fmt.Errorf("%s, %w", w.log.name, err)
	}
	e.Pending = meta.NumPending
	release := w.log.bus.pace.keep([]jetstream.Msg{m})
	defer release()
	if !w.yield(e, nil) {
		w.done = true
		_ = m.Nak()
		return nil
	}
	release()
	w.handled = true
	return w.log.bus.once(context.WithoutCancel(ctx), m.DoubleAck)
}
