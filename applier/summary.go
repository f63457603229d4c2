package applier

import "ldapsync/proto"

// Summary counts what was done since the start.
type Summary struct {
	Users, Groups Counts
	Adopted       []string // names of adopted and relinked accounts, the first 1000
	Notes         []string // what is worth a person's attention, the first 100
	Held          []Held   // what waits for a person since the last snapshot ended
}

// Counts of changes of one kind.
type Counts struct {
	Created, Adopted, Relinked, Updated, Unchanged int
	Renamed, Activated, Deactivated                int // among the others: by the active rule, or because somebody returned
	Joined, Left                                   int // memberships
	Removed                                        int // links that became gone
	Missing                                        int // links that became missing
	Skipped, Parked                                int // times that an entry was; see the letters for those that still are
}

func (s *Summary) counts(k proto.Kind) *Counts {
	if k == proto.KindGroup {
		return &s.Groups
	}
	return &s.Users
}

func (s *Summary) add(kind proto.Kind, c Change) {
	n := s.counts(kind)
	switch c.Action {
	case Create:
		n.Created++
	case Adopt, Relink:
		if c.Action == Adopt {
			n.Adopted++
		} else {
			n.Relinked++
		}
		if len(s.Adopted) < 1000 {
			s.Adopted = append(s.Adopted, c.Name)
		}
	case Update:
		n.Updated++
	case Unchanged, Touch:
		n.Unchanged++
	case Remove:
		n.Removed++
	case Miss:
		n.Missing++
	case Skip:
		n.Skipped++
	case Park:
		n.Parked++
	}
	n.Joined += len(c.Join)
	n.Left += len(c.Leave)
	if c.Rename {
		n.Renamed++
	}
	if c.Reactivate {
		n.Activated++
	}
	if c.Deactivate {
		n.Deactivated++
	}
	if c.Note != "" && len(s.Notes) < 100 {
		s.Notes = append(s.Notes, c.Name+": "+c.Note)
	}
}
