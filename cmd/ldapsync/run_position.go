package main

import (
	"context"
	"errors"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// position is how far the service that applies a source to a target has come.
type position struct {
	bus            *bus.Bus
	log            *bus.Log
	store          positioned
	target, source string
}

// positioned is what a position takes of a store.
type positioned interface {
	Checkpoint(ctx context.Context, source string) (*applier.Checkpoint, error)
}

// awaitPosition waits until a target's checkpoint has passed the last entry up to sequence, or the service is gone. Brackets alone don't
// move it.
func awaitPosition(ctx context.Context, p position, sequence uint64) error {
	entry, err := lastEntry(ctx, p.log, sequence)
	if err != nil {
		return err
	}
	for asked := time.Now(); ; {
		active := true
		if time.Since(asked) > watchInterval {
			if _, active, err = p.bus.Active(ctx, roleApplier, p.target); err != nil {
				return err
			}
			asked = time.Now()
		}
		cp, err := p.store.Checkpoint(ctx, p.source) // after the question: it may have ended because all is done
		if err != nil {
			return err
		}
		if err := cp.Refuse(p.target); err != nil {
			return err
		}
		if entry == 0 || cp.Live() && cp.Sequence >= entry {
			return nil
		}
		if !active {
			return gone("target " + p.target)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// lastEntry returns the sequence of the last entry event up to sequence; 0 if there is none.
func lastEntry(ctx context.Context, log *bus.Log, sequence uint64) (uint64, error) {
	var last uint64
	for _, t := range proto.EventTypes() {
		if !t.Entry() {
			continue
		}
		e, err := log.LastOf(ctx, t)
		if errors.Is(err, proto.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		last = max(last, min(e.Sequence, sequence))
	}
	return last, nil
}
