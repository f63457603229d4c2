package django

import (
	"time"

	"ldapsync/proto"
)

// StageApply is the stage of letters that the applier writes; the others are named after their callback.
const StageApply = "apply"

// LetterKey names one dead letter or parked entry of a target.
type LetterKey struct {
	Source string
	Kind   proto.Kind
	ID     string
	Stage  string
}

// Letter is a dead letter or a parked entry, as the commands that list them see it.
type Letter struct {
	LetterKey
	DN       string
	Name     string // folded; of a parked entry, the name it waits for
	Parked   bool
	Reason   string
	Sequence uint64 // of the event, or of the one that made the account gone
	Attempts int    // that failed, of a callback
	Since    time.Time
	NextAt   time.Time // when it is due again; zero: at the end of the next pass
	Entry    []byte    // the proto.User or proto.Group, as protobuf; empty for callbacks
}

// LetterFilter selects letters. Zero fields select all.
type LetterFilter struct {
	Source string
	Kind   proto.Kind
	ID     string
	Stage  string
}

// Stats counts what a target holds of one source.
type Stats struct {
	Source   string
	StreamID string
	Sequence uint64
	Mode     string
	Users    map[string]int64 // links by state
	Groups   map[string]int64
	Dead     int64 // entries that could not be applied
	Parked   int64 // entries that wait for a name
	Retrying int64 // accounts that a callback failed for
	Pending  int64 // memberships that wait for their group
}

// RefusedError says that a target's tables can't be used as the settings want it.
type RefusedError struct {
	Findings []Finding // warnings among them
}

func (e *RefusedError) Error() string {
	first, more := Refusal(e.Findings), -1
	for _, f := range e.Findings {
		if !f.Warning {
			more++
		}
	}
	switch {
	case first == nil:
		return "the tables are refused"
	case more > 0:
		return first.What + " (and more: ldapsync check lists all)"
	}
	return first.What
}
