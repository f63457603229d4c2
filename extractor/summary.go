package extractor

import (
	"strings"
	"time"

	"ldapsync/proto"
)

// Summary tells what one pass did.
type Summary struct {
	Snapshot uint64 // its number; 0 for a preview
	Full     bool
	Server   string
	Users    Counts
	Groups   Counts
	Skipped  []Skip // the first 100; the counts tell how many there were
	Held     []Hold
	First    uint64 // the sequence of its first event, 0 for a preview
	Last     uint64 // and of its last
	Elapsed  time.Duration
}

// Counts of the entries of one kind in one pass.
type Counts struct {
	Read      uint64 // listed by the directory, each once
	Added     uint64
	Changed   uint64
	Unchanged uint64
	Removed   uint64
	Skipped   uint64 // seen, and not usable
	Held      uint64 // removals that wait
}

// Skip is an entry that was seen and can't be used.
type Skip struct {
	Kind   proto.Kind
	DN     string
	Reason string
}

// Hold is a part of the pass that a judge held.
type Hold struct {
	Kind   proto.Kind
	Count  int // entries that stay
	Of     int // entries of that kind that are known
	Reason string
}

func (s *Summary) counts(k proto.Kind) *Counts {
	if k == proto.KindGroup {
		return &s.Groups
	}
	return &s.Users
}

const keepSkipped = 100

func (s *Summary) skip(k proto.Kind, dn, reason string) {
	s.counts(k).Skipped++
	if len(s.Skipped) < keepSkipped {
		s.Skipped = append(s.Skipped, Skip{Kind: k, DN: strings.Clone(dn), Reason: reason})
	}
}

func (c Counts) proto() *proto.Counts {
	return &proto.Counts{
		Read: c.Read, Added: c.Added, Changed: c.Changed, Unchanged: c.Unchanged,
		Removed: c.Removed, Skipped: c.Skipped, Held: c.Held,
	}
}

func (s *Summary) committed(started, full uint64) *proto.SnapshotCommitted {
	m := &proto.SnapshotCommitted{
		Snapshot: s.Snapshot, Full: s.Full, StartedSequence: started, FullSequence: full,
		Users: s.Users.proto(), Groups: s.Groups.proto(),
	}
	for _, skip := range s.Skipped {
		m.Skipped = append(m.Skipped, &proto.Skipped{Dn: skip.DN, Reason: skip.Reason})
	}
	return m
}
