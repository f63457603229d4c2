package callbacks

import "time"

// MaxNamed is how many accounts of each outcome a summary names; the rest is counted.
const MaxNamed = 20

// Summary is what one look did.
type Summary struct {
	Deactivated int
	Inactive    int // found inactive already
	Deleted     int
	Vanished    int // the row wasn't there any more
	Returned    int // untouched: they came back meanwhile
	Refused     int // with the reason in Named; tried again later

	// Named holds the first MaxNamed results of each outcome, in the order in which they were handled.
	Named map[Outcome][]Result
	// NextDue is when the next failed attempt, of this look or an earlier one, is due again; zero if none waits.
	NextDue time.Time
}

// Handled is how many accounts were attempted; one that two callbacks handled counts twice.
func (s *Summary) Handled() int {
	return s.Deactivated + s.Inactive + s.Deleted + s.Vanished + s.Returned + s.Refused
}

func (s *Summary) add(r Result) {
	switch r.Outcome {
	case Deactivated:
		s.Deactivated++
	case Inactive:
		s.Inactive++
	case Removed:
		s.Deleted++
	case Vanished:
		s.Vanished++
	case Returned:
		s.Returned++
	default:
		s.Refused++
	}
	if s.Named == nil {
		s.Named = make(map[Outcome][]Result)
	}
	if len(s.Named[r.Outcome]) < MaxNamed {
		s.Named[r.Outcome] = append(s.Named[r.Outcome], r)
	}
}
