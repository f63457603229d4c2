package extractor

import (
	"strings"
	"time"

	"ldapsync/proto"
)

// Summary tells what one pass did.
type Summary struct {
	Snapshot     uint64 // its number; 0 for a preview
	Full         bool
	Server       string
	Users        Counts
	Groups       Counts
	Skipped      []Skip                   // the first 100; the counts tell how many there were
	Held         []Hold                   // all that waits for a person, not only since this pass
	Decided      []*proto.SnapshotDecided // what was done about each of the verdicts, in their order
	Forgot       []*proto.SnapshotForgot  // what was done about each of those to be erased, in their order
	Missing      int                      // users whose grace isn't over, those included that this pass found missing
	NewlyMissing int                      // those that this pass found missing
	First        uint64                   // the sequence of its first event, 0 for a preview
	Last         uint64                   // and of its last
	Elapsed      time.Duration
}

// Counts of the entries of one kind in one pass.
type Counts struct {
	Read      uint64 // listed by the directory, each once
	Added     uint64
	Changed   uint64
	Unchanged uint64
	Removed   uint64
	Skipped   uint64 // seen, and not usable
	Held      uint64 // removals and changes that wait
}

// Skip is an entry that was seen and can't be used.
type Skip struct {
	Kind   proto.Kind
	DN     string
	Reason string
}

// Hold is what waits for a person in one respect. Kind, Change and Key are those of proto.Hold.
type Hold struct {
	Kind     proto.Kind
	Change   string // proto.ChangeRemoved and so on
	Key      string // the id of the group, or the folded name of the attribute
	Name     string // the group's or the attribute's, for people
	Count    int    // entries that stay as they are
	Of       int    // entries that had it to lose when the limit was met
	Reason   string
	Hash     string // an approval names it
	Rejected bool
	Since    time.Time // when it was first held, by the stream's clock; zero if this pass was the first
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
