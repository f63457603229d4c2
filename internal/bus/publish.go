package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// What may be handed over and not yet confirmed: so many events, and so many bytes, unless one event is larger.
const (
	windowEvents = 512
	windowBytes  = 16 << 20
)

var (
	errNoBegin = errors.New("publish without begin")
	errSilence = errors.New("the stream doesn't answer")
)

// Begin starts writing behind sequence last: the first publish is refused (proto.ErrRival) if the stream has moved on since.
func (l *Log) Begin(last uint64) { l.writer.begin(last) }

// Publish hands over one event; Type, ID, ContentType and Data are set. It is pipelined: it returns, with the sequence that the
// event will have, before the stream has stored it. An error, here or from Flush, is final until the next Begin: proto.ErrRival if
// another writer was there; one that says so if the event is too large (see MaxPayload).
func (l *Log) Publish(ctx context.Context, e proto.Event) (sequence uint64, err error) {
	return l.writer.publish(ctx, e)
}

// Flush waits until everything handed over is stored, and returns the last sequence.
func (l *Log) Flush(ctx context.Context) (last uint64, err error) { return l.writer.flush(ctx) }

// publisher is the one writer of a stream. Each message states the sequence that it expects to follow, so it can be stored in one
// place only, whenever and however often it arrives; that makes it safe to send many at once and to send them again.
//
// The sequence isn't enough where many are under way: behind a rival's message in place of the first, the second would find the
// sequence that it expects. So each but the first of a round states its predecessor's message id as well, and one refusal refuses
// everything behind it.
type publisher struct {
	log *Log

	mu        sync.Mutex
	final     error         // every call returns it, until begin
	confirmed uint64        // every event up to here is stored
	window    []*sent       // those behind it, in order, without a hole
	bytes     int           // in the window
	nonce     string        // makes message ids of its own
	round     uint64        // of sending; answers to earlier rounds are of no more interest
	opened    bool          // something was sent in this round
	unsettled int           // messages of this round without an answer
	broken    error         // why the window has to be looked at and sent again
	progress  time.Time     // when something was last sent into silence, or answered
	failures  *attempts     // to get beyond confirmed
	changed   chan struct{} // holds one token after an answer
	lost      context.Context
	denied    context.Context

	replies string // prefix of the reply subjects
	sub     *nats.Subscription
}

// sent is one message of the window.
type sent struct {
	message *nats.Msg
	id      string
	size    int
	stored  bool
}

func (p *publisher) init(l *Log) {
	p.log, p.final, p.nonce, p.changed = l, errNoBegin, newID(), make(chan struct{}, 1)
	p.failures = l.bus.attempts()
}

func (p *publisher) begin(last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.final, p.broken = nil, nil
	p.confirmed, p.window, p.bytes = last, nil, 0
	p.nextRound()
	p.failures.succeeded()
}

// nextRound makes a fresh start of sending: what is still under way no longer matters.
func (p *publisher) nextRound() {
	p.round++
	p.opened, p.unsettled = false, 0
	p.progress = time.Now()
	p.lost = p.log.bus.current(&p.log.bus.epoch)
	p.denied = p.log.bus.current(&p.log.bus.denial)
}

func (p *publisher) publish(ctx context.Context, e proto.Event) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ready(ctx); err != nil {
		return 0, p.end(err)
	}
	s := &sent{message: p.log.message(e), id: e.ID}
	p.address(s, p.confirmed+uint64(len(p.window))+1, true)
	s.size = s.message.Size() - len(s.message.Subject)
	if limit := p.log.largest(); s.size > limit {
		return 0, p.end(fault.New(fault.Stream, "raise max_payload of the NATS server, or publish fewer or smaller attributes",
			"%s %s: %d bytes with headers, the server takes %d", e.Type, e.ID, s.size, limit))
	}
	err := p.until(ctx, func() bool {
		return len(p.window) == 0 || len(p.window) < windowEvents && p.bytes+s.size <= windowBytes
	})
	if err != nil {
		return 0, p.end(err)
	}
	p.window = append(p.window, s)
	p.bytes += s.size
	sequence := p.confirmed + uint64(len(p.window))
	p.send(s, sequence)
	return sequence, nil
}

// address says where a message is to be stored: behind a sequence and, unless it opens a round, behind a message.
func (p *publisher) address(s *sent, sequence uint64, follows bool) {
	header := s.message.Header
	header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatUint(sequence-1, 10)}
	header[jetstream.MsgIDHeader] = []string{p.messageID(sequence)}
	if follows {
		header[jetstream.ExpectedLastMsgIDHeader] = []string{p.messageID(sequence - 1)}
	} else {
		delete(header, jetstream.ExpectedLastMsgIDHeader)
	}
}

// messageID is another one in every round: the server is to compare it, never to take a message for one that it has seen.
func (p *publisher) messageID(sequence uint64) string {
	return fmt.Sprintf("%s.%d.%d", p.nonce, p.round, sequence)
}

func (p *publisher) flush(ctx context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.ready(ctx)
	if err == nil {
		err = p.until(ctx, func() bool { return len(p.window) == 0 })
	}
	return p.confirmed, p.end(err)
}

// ready sees whether anything may be published, and has the answers come in.
func (p *publisher) ready(ctx context.Context) error {
	if p.final != nil {
		return p.final
	}
	if p.sub != nil || ctx.Err() != nil {
		return ctx.Err()
	}
	p.replies = nats.NewInbox() + "."
	sub, err := p.log.bus.nc.Subscribe(p.replies+"*.*", p.answered)
	if err != nil {
		return p.log.bus.fault("publishing to "+p.log.name, err)
	}
	p.sub = sub
	return nil
}

// end makes an error final.
func (p *publisher) end(err error) error {
	if err != nil && p.final == nil {
		p.final = err
	}
	return err
}

// send sends one message of the window. It can't fail: what goes wrong breaks the round.
func (p *publisher) send(s *sent, sequence uint64) {
	if p.broken != nil {
		return
	}
	if p.unsettled == 0 {
		p.progress = time.Now()
	}
	p.address(s, sequence, p.opened)
	p.opened = true
	s.message.Reply = fmt.Sprintf("%s%d.%d", p.replies, p.round, sequence)
	if err := p.log.bus.nc.PublishMsg(s.message); err != nil {
		p.broken = err
		return
	}
	p.unsettled++
}

// answered takes the stream's answer to one message.
func (p *publisher) answered(m *nats.Msg) {
	tail := strings.TrimPrefix(m.Subject, p.replies)
	roundText, sequenceText, _ := strings.Cut(tail, ".")
	round, err1 := strconv.ParseUint(roundText, 10, 64)
	sequence, err2 := strconv.ParseUint(sequenceText, 10, 64)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err1 != nil || err2 != nil || round != p.round || sequence <= p.confirmed || sequence > p.confirmed+uint64(len(p.window)) {
		return
	}
	p.unsettled--
	p.progress = time.Now()
	if err := p.verdict(m, sequence); err != nil {
		if p.broken == nil {
			p.broken = err
		}
	} else {
		p.window[sequence-p.confirmed-1].stored = true
		p.settle()
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// verdict reads an answer: nil if the message is stored where it was meant to be.
func (p *publisher) verdict(m *nats.Msg, sequence uint64) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return nats.ErrNoResponders
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.PubAck
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return fmt.Errorf("the answer to a publish can't be read: %w", err)
	}
	if ack.Error != nil {
		return ack.Error
	}
	if ack.Stream != p.log.name || ack.Sequence != sequence {
		return fmt.Errorf("stored as %s, sequence %d instead of %d", ack.Stream, ack.Sequence, sequence)
	}
	return nil
}

// settle takes the stored events off the front of the window.
func (p *publisher) settle() {
	n := 0
	for n < len(p.window) && p.window[n].stored {
		p.bytes -= p.window[n].size
		n++
	}
	if n > 0 {
		clear(p.window[:n])
		p.window = p.window[n:]
		p.confirmed += uint64(n)
		p.failures.succeeded()
	}
}

// until waits for answers until ok, mending what breaks meanwhile.
func (p *publisher) until(ctx context.Context, ok func() bool) error {
	for {
		p.interrupted()
		if p.broken != nil {
			if err := p.recover(ctx); err != nil {
				return err
			}
			continue
		}
		if ok() {
			return nil
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
}

// interrupted sees whether something ended the round that is no answer.
func (p *publisher) interrupted() {
	if p.broken != nil || len(p.window) == 0 {
		return
	}
	if p.lost.Err() != nil {
		p.broken = context.Cause(p.lost)
	} else if p.denied.Err() != nil {
		p.broken = context.Cause(p.denied)
	}
}

// wait lets go of the lock until an answer comes, the connection is lost, or the stream has been silent for too long.
func (p *publisher) wait(ctx context.Context) error {
	silence := p.log.bus.cfg.AckTimeout - time.Since(p.progress)
	lost, denied := p.lost.Done(), p.denied.Done()
	p.mu.Unlock()
	timer := time.NewTimer(max(silence, 0))
	defer timer.Stop()
	var err error
	silent := false
	select {
	case <-p.changed:
	case <-lost:
	case <-denied:
	case <-timer.C:
		silent = true
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	if silent && p.broken == nil && time.Since(p.progress) >= p.log.bus.cfg.AckTimeout {
		p.broken = errSilence
	}
	return err
}
