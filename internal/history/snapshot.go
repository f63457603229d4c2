package history

import (
	"bytes"
	"context"
	"errors"
	"time"

	"ldapsync/proto"
)

// Snapshot is what its brackets tell of a snapshot.
type Snapshot struct {
	Number uint64
	Full   bool // it carries every entry, not only what changed
	Status Status
	Reason string // why it was aborted

	Started, Ended time.Time // by the stream's clock; zero where the bracket isn't there
	First, Last    uint64    // sequences of its brackets; Last is 0 while it is open
	FullSequence   uint64    // of a committed one: where the last full snapshot begins, itself included

	Server   string
	Version  string          // of the program that published it
	Requests []string        // ids of the requests that it answers
	Question *proto.Question // snapshots that ask the same share it; nil where the bracket isn't there

	Users, Groups *proto.Counts // of a committed one
	Skipped       int           // how many of the skipped entries it names: see Details

	Held      []*proto.Hold            // what waits from this snapshot on, without the entries; nil if it says nothing about that
	HoldsTold bool                     // it says what waits: nothing, where Held is empty
	Decided   []*proto.SnapshotDecided // what it carried out, without the entries
	Forgot    []*proto.SnapshotForgot  // whom it erased from what lies before it, or why not; told behind its end

	told []uint64 // sequences of its events about holds and decisions
}

// Status is what became of a snapshot.
type Status string

// The statuses of snapshots.
const (
	Ongoing   Status = "open" // at work, or left by an extractor that was killed
	Committed Status = "committed"
	Aborted   Status = "aborted"
)

var bracketTypes = []proto.Type{
	proto.TypeSnapshotStarted, proto.TypeSnapshotCommitted, proto.TypeSnapshotHeld, proto.TypeSnapshotDecided, proto.TypeSnapshotForgot, proto.TypeSnapshotAborted,
}

// brackets makes snapshots of the events around entries.
type brackets struct {
	history *History
	asked   []byte          // the last question, encoded
	hashes  map[string]bool // of the holds that the present snapshot has told of
}

// take takes one bracket.
func (b *brackets) take(e proto.Event) error {
	switch e.Type {
	case proto.TypeSnapshotStarted:
		return b.started(e)
	case proto.TypeSnapshotCommitted:
		return b.committed(e)
	case proto.TypeSnapshotAborted:
		m := new(proto.SnapshotAborted)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		s := b.open(m.GetSnapshot(), e)
		s.Status, s.Reason, s.Last, s.Ended = Aborted, m.GetReason(), e.Sequence, e.Time
	case proto.TypeSnapshotHeld:
		return b.held(e)
	case proto.TypeSnapshotDecided:
		m := new(proto.SnapshotDecided)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		m.Hold = bare(m.GetHold())
		s := b.open(m.GetSnapshot(), e)
		s.Decided, s.told = append(s.Decided, m), append(s.told, e.Sequence)
	case proto.TypeSnapshotForgot:
		m := new(proto.SnapshotForgot)
		if err := proto.Unmarshal(e, m); err != nil {
			return err
		}
		list := b.history.Snapshots
		if n := len(list); n > 0 && list[n-1].Number == m.GetSnapshot() { // else its beginning was cut off
			list[n-1].Forgot = append(list[n-1].Forgot, m)
		}
	}
	return nil
}

// open returns the snapshot of a number, which is the last one, or one whose beginning was cut off.
func (b *brackets) open(number uint64, e proto.Event) *Snapshot {
	list := &b.history.Snapshots
	if n := len(*list); n > 0 && (*list)[n-1].Number == number && (*list)[n-1].Status == Ongoing {
		return &(*list)[n-1]
	}
	*list = append(*list, Snapshot{Number: number, Status: Ongoing, First: e.Sequence})
	b.hashes = nil
	return &(*list)[len(*list)-1]
}

func (b *brackets) started(e proto.Event) error {
	m := new(proto.SnapshotStarted)
	if err := proto.Unmarshal(e, m); err != nil {
		return err
	}
	list := &b.history.Snapshots
	question := m.GetQuestion()
	asked, err := proto.Marshal(proto.ContentTypeProtobuf, question)
	if err != nil {
		return err
	}
	if n := len(*list); n > 0 {
		before := &(*list)[n-1]
		if before.Status == Ongoing { // its extractor was killed, and whoever came next didn't say so
			before.Status, before.Last = Aborted, e.Sequence-1
		}
		if before.Question != nil && bytes.Equal(asked, b.asked) {
			question = before.Question
		}
	}
	b.asked = asked
	*list = append(*list, Snapshot{
		Number: m.GetSnapshot(), Full: m.GetFull(), Status: Ongoing, Started: e.Time, First: e.Sequence,
		Server: m.GetServer(), Version: m.GetVersion(), Requests: m.GetRequests(), Question: question,
	})
	b.hashes = nil
	return nil
}

func (b *brackets) committed(e proto.Event) error {
	m := new(proto.SnapshotCommitted)
	if err := proto.Unmarshal(e, m); err != nil {
		return err
	}
	s := b.open(m.GetSnapshot(), e)
	s.Status, s.Full, s.Last, s.Ended = Committed, m.GetFull(), e.Sequence, e.Time
	s.FullSequence, s.Users, s.Groups, s.Skipped = m.GetFullSequence(), m.GetUsers(), m.GetGroups(), len(m.GetSkipped())
	return nil
}

// held takes what waits. A long list comes in parts, and a long hold goes on in the next one.
func (b *brackets) held(e proto.Event) error {
	m := new(proto.SnapshotHeld)
	if err := proto.Unmarshal(e, m); err != nil {
		return err
	}
	s := b.open(m.GetSnapshot(), e)
	if m.GetPart() <= 1 {
		s.Held, b.hashes = nil, map[string]bool{}
	}
	s.HoldsTold, s.told = true, append(s.told, e.Sequence)
	for _, hold := range m.GetHolds() {
		if hash := hold.GetHash(); hash == "" || !b.hashes[hash] {
			b.hashes[hash] = true
			s.Held = append(s.Held, bare(hold))
		}
	}
	return nil
}

// bare is a hold without its entries, of which there may be very many.
func bare(h *proto.Hold) *proto.Hold {
	if h != nil {
		h.Entries, h.Digests = nil, nil
	}
	return h
}

// Details are what a snapshot tells at length.
type Details struct {
	Skipped []*proto.Skipped // the first of the skipped entries
	Losses  []*proto.Loss    // what it took away
	Held    []*proto.SnapshotHeld
	Decided []*proto.SnapshotDecided
}

// Details reads them.
func (h *History) Details(ctx context.Context, s *Snapshot) (*Details, error) {
	d := &Details{}
	sequences := s.told
	if !s.Ended.IsZero() {
		sequences = append(sequences[:len(sequences):len(sequences)], s.Last)
	}
	for _, sequence := range sequences {
		e, err := h.log.Get(ctx, sequence)
		switch {
		case err == nil:
			err = d.take(e)
		case errors.Is(err, proto.ErrNotFound):
			err = lost("sequence %d of snapshot %d is gone", sequence, s.Number)
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Details) take(e proto.Event) error {
	switch e.Type {
	case proto.TypeSnapshotHeld:
		m := new(proto.SnapshotHeld)
		d.Held = append(d.Held, m)
		return proto.Unmarshal(e, m)
	case proto.TypeSnapshotDecided:
		m := new(proto.SnapshotDecided)
		d.Decided = append(d.Decided, m)
		return proto.Unmarshal(e, m)
	case proto.TypeSnapshotAborted:
		m := new(proto.SnapshotAborted)
		err := proto.Unmarshal(e, m)
		d.Losses = m.GetLosses()
		return err
	case proto.TypeSnapshotCommitted:
		m := new(proto.SnapshotCommitted)
		err := proto.Unmarshal(e, m)
		d.Skipped, d.Losses = m.GetSkipped(), m.GetLosses()
		return err
	}
	return nil
}
