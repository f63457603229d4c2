package extractor

import (
	"context"
	"time"

	"ldapsync/proto"
)

// now is the time of the stream: when it stored the start of this pass. A preview has none, and takes the host's.
func (p *pass) now(ctx context.Context) (time.Time, error) {
	if !p.time.IsZero() {
		return p.time, nil
	}
	if p.sum.First == 0 {
		p.time = p.cfg.Now()
		return p.time, nil
	}
	if _, err := p.log.Flush(ctx); err != nil {
		return time.Time{}, err
	}
	e, err := p.log.Get(ctx, p.sum.First)
	if err != nil {
		return time.Time{}, err
	}
	p.time = e.Time
	return p.time, nil
}

// lately counts what the snapshots of the window have taken away before this pass. Whoever doesn't need it doesn't read it.
func (p *pass) lately(ctx context.Context) (tally, error) {
	if p.recent != nil {
		return p.recent, nil
	}
	recent := tally{}
	if p.cfg.Limits.Window > 0 && p.log != nil && p.state.last > 0 {
		now, err := p.now(ctx)
		if err != nil {
			return nil, err
		}
		for e, err := range p.log.Since(ctx, now.Add(-p.cfg.Limits.Window), proto.TypeSnapshotCommitted, proto.TypeSnapshotAborted) {
			if err != nil {
				return nil, err
			}
			if err := recent.addEnd(e); err != nil {
				return nil, err
			}
		}
		if p.sum.First == 0 { // a preview doesn't close what is open
			open, err := openLosses(ctx, p.log, p.state)
			if err != nil {
				return nil, err
			}
			for r, n := range open {
				recent[r] += n
			}
		}
	}
	p.recent = recent
	return recent, nil
}

// addEnd counts the losses of a snapshot that has ended.
func (t tally) addEnd(e proto.Event) error {
	if e.Type == proto.TypeSnapshotAborted {
		var m proto.SnapshotAborted
		err := proto.Unmarshal(e, &m)
		t.addProto(m.GetLosses())
		return err
	}
	var m proto.SnapshotCommitted
	err := proto.Unmarshal(e, &m)
	t.addProto(m.GetLosses())
	return err
}

// openLosses counts what a snapshot has taken away that was started and never ended, as its writer would have.
func openLosses(ctx context.Context, log Log, s *state) (tally, error) {
	losses := tally{}
	if s.open == 0 {
		return losses, nil
	}
	for e, err := range log.Read(ctx, s.openAt, s.last) {
		if err != nil {
			return nil, err
		}
		if err := losses.addEntries(e, s); err != nil {
			return nil, err
		}
	}
	return losses, nil
}

// addEntries counts the losses of an entry event that s has folded.
func (t tally) addEntries(e proto.Event, s *state) error {
	switch e.Type {
	case proto.TypeUserUpserted:
		ix, err := proto.ReadIndex(e)
		t.addProto(ix.Losses)
		return err
	case proto.TypeUserRemoved:
		var m proto.UserRemoved
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		was := s.kinds[proto.KindUser].find(keyOf(m.GetUser().GetId()))
		if m.GetApproved() == "" && (was == nil || !was.is(flagMissing)) { // who was missing has been counted then
			t.addGone(m.GetUser())
		}
	case proto.TypeUserMissing:
		var m proto.UserMissing
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		if m.GetApproved() == "" && m.GetSince() == nil {
			t.addGone(m.GetUser())
		}
	case proto.TypeGroupRemoved:
		var m proto.GroupRemoved
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		if m.GetApproved() == "" {
			t[removal(proto.KindGroup)]++
		}
	}
	return nil
}
