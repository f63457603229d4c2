package extractor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ldapsync/proto"
)

// state is what the stream says before a pass.
type state struct {
	kinds    map[proto.Kind]*baseline
	snapshot uint64          // the last number given
	open     uint64          // a snapshot that was started and never ended; 0 if there is none
	openAt   uint64          // the sequence of its start
	question *proto.Question // of the last snapshot; nil before the first
	asking   *proto.Question // of the snapshot that the fold is in
	asked    *proto.Question // of the last committed snapshot; nil before the first
	held     heldFold
	since    map[key]time.Time // of the missing users: when they were found missing
	full     uint64            // sequence of the start of the last committed full snapshot; 0 if there is none
	fullTime time.Time         // when it was committed
	last     uint64            // the last sequence of the stream
}

func newState() *state {
	return &state{kinds: map[proto.Kind]*baseline{proto.KindUser: {}, proto.KindGroup: {}}, since: map[key]time.Time{}}
}

// known counts the entries that the stream has.
func (s *state) known() int { return s.kinds[proto.KindUser].live + s.kinds[proto.KindGroup].live }

// missing counts the entries of a kind that are missing.
func (s *state) missing(kind proto.Kind) int {
	if kind == proto.KindGroup {
		return 0
	}
	return len(s.since)
}

// fold reads the stream from the last committed full snapshot on. All entry events count, in the order of their sequences,
// whatever became of their snapshots.
func fold(ctx context.Context, log Reader) (*state, error) {
	s := newState()
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	s.last = last
	if err := s.findFull(ctx, log, last); err != nil {
		return nil, err
	}
	from := max(first, s.full)
	if s.full != 0 && s.full < first {
		return nil, fmt.Errorf("stream: the last full snapshot begins at sequence %d, but the stream at %d", s.full, first)
	}
	for e, err := range log.Read(ctx, from, last) {
		if err != nil {
			return nil, err
		}
		if err := s.take(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// findFull finds where the last committed full snapshot begins, and the last number given.
func (s *state) findFull(ctx context.Context, log Reader, last uint64) error {
	e, err := log.LastOf(ctx, proto.TypeSnapshotStarted)
	if errors.Is(err, proto.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	var started proto.SnapshotStarted
	if err := proto.Unmarshal(e, &started); err != nil {
		return err
	}
	s.snapshot, s.question = started.GetSnapshot(), started.GetQuestion()

	e, err = log.LastOf(ctx, proto.TypeSnapshotCommitted)
	if errors.Is(err, proto.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	var committed proto.SnapshotCommitted
	if err := proto.Unmarshal(e, &committed); err != nil {
		return err
	}
	if e.Sequence > last {
		return proto.ErrRival // it was published since Bounds was asked
	}
	s.full = committed.GetFullSequence()
	switch {
	case committed.GetFull():
		s.fullTime = e.Time
	case committed.GetFullTime() != nil:
		s.fullTime = committed.GetFullTime().AsTime()
	}
	return nil
}

// take folds one event.
func (s *state) take(e proto.Event) error {
	switch e.Type {
	case proto.TypeSnapshotStarted:
		var m proto.SnapshotStarted
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		s.open, s.openAt, s.asking = m.GetSnapshot(), e.Sequence, m.GetQuestion()
	case proto.TypeSnapshotCommitted:
		s.open, s.asked = 0, s.asking
	case proto.TypeSnapshotAborted:
		s.open = 0
	}
	if !e.Type.Entry() {
		return s.held.take(e)
	}
	ix, err := proto.ReadIndex(e)
	if err != nil {
		return err
	}
	b := s.kinds[proto.KindUser]
	if ix.Group {
		b = s.kinds[proto.KindGroup]
	}
	for i, id := range ix.IDs {
		if ix.Removed || ix.Missing {
			s.takeGone(b, keyOf(id), ix)
			continue
		}
		digest, retained := ix.Digests[i], proto.Retained_RETAINED_UNSPECIFIED
		if ix.DigestVersion != proto.DigestVersion {
			digest = proto.Digest{} // equal to none: the entry counts as changed
		}
		if len(ix.Retained) > 0 {
			retained = ix.Retained[i]
		}
		k := b.upsert(keyOf(id), digest, e.Sequence, retained)
		if len(s.since) > 0 && !k.is(flagMissing) && !ix.Group {
			delete(s.since, k.key)
		}
	}
	return nil
}

// takeGone folds that an entry is missing or removed. Who is missing stays as the event before it said.
func (s *state) takeGone(b *baseline, k key, ix proto.Index) {
	e := b.find(k)
	switch {
	case e == nil || e.is(flagRemoved):
	case ix.Missing:
		e.set(flagMissing)
		s.since[k] = ix.Since
	default:
		b.remove(k)
		if !ix.Group {
			delete(s.since, k)
		}
	}
}
