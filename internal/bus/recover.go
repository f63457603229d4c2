package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// recover finds out what of the window the stream holds, and sends the rest again.
//
// A refusal says little: on a single server it is also what one's own message gets that was stored, and whose answer was lost, when
// it is sent again. So the stream itself is asked. What still is under way from before, in some buffer, does no harm: it is stored in
// the place that it states, which is the one where it is sent to again, or refused.
func (p *publisher) recover(ctx context.Context) error {
	reason := p.broken
	if err := p.quiet(ctx); err != nil {
		return err
	}
	p.nextRound()
	p.mu.Unlock()
	own, err := p.stored(ctx)
	if err == nil && own == 0 {
		// Nothing has moved, so not at once, and not for ever.
		err = p.failures.failed(ctx, "publishing to "+p.log.name, reason)
	}
	p.mu.Lock()
	if err != nil {
		return err
	}
	p.log.bus.logger.Debug("publishing again", "stream", p.log.name, "because", reason, "stored", own, "again", len(p.window)-own)
	for _, s := range p.window[:own] {
		s.stored = true
	}
	p.settle()
	p.again()
	return nil
}

// again sends the whole window in a new round.
func (p *publisher) again() {
	p.broken = nil
	p.nextRound() // the connection may be another one by now
	for i, s := range p.window {
		s.stored = false
		p.send(s, p.confirmed+uint64(i)+1)
	}
}

// quiet waits until every message of this round has an answer, or none can come any more.
func (p *publisher) quiet(ctx context.Context) error {
	for p.unsettled > 0 && p.lost.Err() == nil && p.denied.Err() == nil && time.Since(p.progress) < p.log.bus.cfg.AckTimeout {
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stored reads from the stream how many events of the window it holds behind the confirmed ones. proto.ErrRival if it holds
// anything else there. It runs without the lock: nothing changes the window while the one writer is in here.
func (p *publisher) stored(ctx context.Context) (own int, err error) {
	var last uint64
	err = p.log.bus.retry(ctx, "publishing to "+p.log.name, func(ctx context.Context) error {
		state, err := p.log.stateFrom(ctx, p.confirmed)
		last = state.LastSeq
		return err
	})
	if err != nil {
		return 0, err
	}
	if last < p.confirmed {
		return 0, fault.New(fault.Stream, "was the store restored from an older copy, or the disk lost? start again; targets have to accept the stream",
			"stream %s ends at sequence %d, though it had confirmed %d", p.log.name, last, p.confirmed)
	}
	if last > p.confirmed+uint64(len(p.window)) {
		return 0, p.rival(last)
	}
	for sequence := p.confirmed + 1; sequence <= last; sequence++ {
		id, err := p.idAt(ctx, sequence)
		if err != nil {
			return 0, err
		}
		if id != p.window[own].id {
			return 0, p.rival(sequence)
		}
		own++
	}
	return own, nil
}

// idAt returns the ce-id of the event at a sequence; "" if it was erased, which only another extractor could have done.
func (p *publisher) idAt(ctx context.Context, sequence uint64) (id string, err error) {
	err = p.log.bus.retry(ctx, "publishing to "+p.log.name, func(ctx context.Context) error {
		e, err := p.log.get(ctx, sequence)
		id = e.ID
		return err
	})
	if errors.Is(err, proto.ErrNotFound) {
		return "", nil
	}
	return id, err
}

func (p *publisher) rival(sequence uint64) error {
	return fault.New(fault.Stream, "let only one extractor run for a source", "%w",
		fmt.Errorf("stream %s, sequence %d: %w", p.log.name, sequence, proto.ErrRival))
}
