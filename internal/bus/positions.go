package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Position is how far a consumer has come in the stream of a source: what it hasn't seen mustn't be cut off.
type Position struct {
	Consumer string    // "target crm", or "consumer callback-crm-webhook" for a durable
	Sequence uint64    // everything up to here it has seen
	Seen     time.Time // when it was last heard of; zero for a durable that never was
	// Connected is true for a durable for which somebody waits right now.
	Connected bool
}

// What a Position's Consumer begins with.
const (
	targetPrefix  = "target "
	durablePrefix = "consumer "
)

// Durable tells whether the consumer is a durable one.
func (p Position) Durable() bool { return strings.HasPrefix(p.Consumer, durablePrefix) }

// Name is the name of the target, or of the durable.
func (p Position) Name() string {
	_, name, _ := strings.Cut(p.Consumer, " ")
	return name
}

// mirrored is a position of a target as it is kept on the bus.
type mirrored struct {
	StreamID string `json:"stream_id"`
	Sequence uint64 `json:"sequence"`
}

const positionsStreamName = "LDAPSYNC_POSITIONS"

func positionSubject(source, target string) string {
	return "ldapsync.positions." + source + "." + target
}

// positionsStream is how the stream of positions should be: the last one of each target in each source.
func (b *Bus) positionsStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              positionsStreamName,
		Description:       "ldapsync: how far the targets have come; the checkpoints in their databases decide",
		Subjects:          []string{positionSubject("*", "*")},
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1,
		Storage:           jetstream.FileStorage,
		Replicas:          b.cfg.Replicas,
	}
}

// Mirror notes how far a target has applied the stream of a source with this identity. It is a copy, for retention and lag alone: the checkpoint in
// the target's database decides. It may lag behind that, and must never be ahead of it.
func (b *Bus) Mirror(ctx context.Context, source, target, streamID string, sequence uint64) error {
	if err := errors.Join(validSource(source), validTarget(target)); err != nil {
		return err
	}
	data, err := json.Marshal(mirrored{StreamID: streamID, Sequence: sequence})
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: positionSubject(source, target), Data: data}
	return b.retry(ctx, "position of "+target, func(ctx context.Context) error {
		// Without nats.go's own attempts: where nobody answers there most likely is no stream yet.
		_, err := b.js.PublishMsg(ctx, m, jetstream.WithExpectStream(positionsStreamName), jetstream.WithRetryAttempts(0))
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) {
			_, err = b.ensureOnce(ctx, b.positionsStream())
			if err == nil {
				_, err = b.js.PublishMsg(ctx, m, jetstream.WithExpectStream(positionsStreamName))
			}
		}
		return err
	})
}

// Drop forgets the position of a target that doesn't consume a source any more: it holds nothing back then. proto.ErrNotFound if there is none.
func (b *Bus) Drop(ctx context.Context, source, target string) error {
	if err := errors.Join(validSource(source), validTarget(target)); err != nil {
		return err
	}
	subject := positionSubject(source, target)
	return b.retry(ctx, "position of "+target, func(ctx context.Context) error {
		stream, err := b.js.Stream(ctx, positionsStreamName)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("position of target %s in source %s: %w", target, source, proto.ErrNotFound)
		}
		if err != nil {
			return err
		}
		if _, err := stream.GetLastMsgForSubject(ctx, subject); errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("position of target %s in source %s: %w", target, source, proto.ErrNotFound)
		}
		return stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
	})
}

func validTarget(target string) error {
	if proto.ValidName(target) {
		return nil
	}
	return fault.New(fault.Usage, "use small letters, digits, - and _", "target %q: not a name", target)
}

// Positions returns the positions of all who consume the stream: targets that mirror theirs, and durable consumers. The lowest comes
// first. A target that follows another stream of the same name isn't among them.
func (l *Log) Positions(ctx context.Context) ([]Position, error) {
	var all []Position
	err := l.bus.retry(ctx, "consumers of "+l.name, func(ctx context.Context) error {
		targets, err := l.targets(ctx)
		if err != nil {
			return err
		}
		durables, err := l.durables(ctx)
		all = append(targets, durables...)
		return err
	})
	inOrder(all)
	return all, err
}

// inOrder puts the lowest first.
func inOrder(all []Position) {
	slices.SortFunc(all, func(a, b Position) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Consumer, b.Consumer))
	})
}

func (l *Log) targets(ctx context.Context) ([]Position, error) {
	stream, err := l.bus.js.Stream(ctx, positionsStreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	prefix := positionSubject(l.source, "")
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix+"*"))
	if err != nil {
		return nil, err
	}
	var all []Position
	for subject := range info.State.Subjects {
		m, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // dropped since
		}
		if err != nil {
			return nil, err
		}
		var at mirrored
		if err := json.Unmarshal(m.Data, &at); err != nil {
			return nil, fault.New(fault.Stream, "drop it: ldapsync consumers drop", "%s: not a position: %w", subject, err)
		}
		if at.StreamID == l.id {
			all = append(all, Position{Consumer: targetPrefix + strings.TrimPrefix(subject, prefix), Sequence: at.Sequence, Seen: m.Time})
		}
	}
	return all, nil
}

// durables returns where the durable consumers are.
func (l *Log) durables(ctx context.Context) ([]Position, error) {
	state, err := l.state(ctx) // before the consumers are asked: what is stored meanwhile counts as unseen
	if err != nil {
		return nil, err
	}
	return durables(ctx, l.stream, state.LastSeq)
}

// durables returns where the durable consumers of a stream are that ended at a sequence. One that waits for nothing has seen everything: what it filters
// may be rare.
func durables(ctx context.Context, stream jetstream.Stream, last uint64) ([]Position, error) {
	var all []Position
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable == "" {
			continue
		}
		p := Position{Consumer: durablePrefix + info.Name, Sequence: info.AckFloor.Stream, Connected: info.NumWaiting > 0 || info.PushBound}
		if info.NumPending == 0 && info.NumAckPending == 0 {
			p.Sequence = last
		}
		if info.AckFloor.Last != nil {
			p.Seen = *info.AckFloor.Last
		}
		all = append(all, p)
	}
	return all, list.Err()
}

// DropConsumer deletes a durable consumer of a stream: it holds nothing back then, and where it was is forgotten. proto.ErrNotFound if there is none of that
// name.
func (b *Bus) DropConsumer(ctx context.Context, stream, name string) error {
	return b.retry(ctx, "consumer "+name, func(ctx context.Context) error {
		c, err := b.js.Consumer(ctx, stream, name)
		if err == nil && c.CachedInfo().Config.Durable == "" {
			err = jetstream.ErrConsumerNotFound // a reader's own: it comes and goes
		}
		if err == nil {
			err = b.js.DeleteConsumer(ctx, stream, name)
		}
		for _, none := range []error{jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrConsumerDoesNotExist, jetstream.ErrInvalidConsumerName} {
			if errors.Is(err, none) {
				return fmt.Errorf("consumer %s of stream %s: %w", name, stream, proto.ErrNotFound)
			}
		}
		return err
	})
}

// Cut deletes all events before a sequence. What that is, is for the extractor to say, which must have asked for the positions
// before: a cut moves a durable consumer's position forward, unnoticed.
func (l *Log) Cut(ctx context.Context, before uint64) error {
	return l.bus.retry(ctx, "cut of "+l.name, func(ctx context.Context) error {
		state, err := l.state(ctx)
		if err != nil {
			return err
		}
		if before <= state.FirstSeq {
			return nil
		}
		if before > state.LastSeq {
			return fault.New(fault.Stream, "", "stream %s: a cut before %d would leave nothing of it", l.name, before)
		}
		return l.stream.Purge(ctx, jetstream.WithPurgeSequence(before))
	})
}

// Floor returns the lowest position of all who consume the stream, and whose that is; the last sequence and "" if nobody does.
func (l *Log) Floor(ctx context.Context) (sequence uint64, who string, err error) {
	_, last, err := l.Bounds(ctx)
	if err != nil {
		return 0, "", err
	}
	all, err := l.Positions(ctx)
	if err != nil || len(all) == 0 {
		return last, "", err
	}
	return all[0].Sequence, all[0].Consumer, nil
}
