package applier

import (
	"time"

	"ldapsync/proto"
)

// Held is a set of accounts that would become gone and waits for a person, because they are too many at once. It is a row of the target.
type Held struct {
	Source string // whose applier judged
	Change string // ChangeOrphans, ChangeSweep, ChangeReplay with a snapshot, or ChangeRelease
	Hash   string // proto.HoldHash of kind user, Change and Entries
	// Count of Of accounts are held, for Reason: which limit was met.
	Count, Of int
	Reason    string
	Since     time.Time // by the store's clock
	// Entries stand for the accounts: proto.EntryKey of each primary key, in ascending order; for a sweep HeldKey of each link. For a replay, 16 bytes
	// follow each HeldKey, which stand for what the entry would lose.
	Entries []byte

	Decision Decision
	By       string // who decided, when, and why
	At       time.Time
	Why      string
}

// HeldKey stands for an entry in Held.Entries: a user and a group may have the same id.
func HeldKey(kind proto.Kind, id string) [16]byte {
	if kind == proto.KindGroup {
		id = "group\x00" + id
	}
	return proto.EntryKey(id)
}

// ChangeOrphans is the change of accounts that no entry stands behind.
const ChangeOrphans = "orphans"

// Decision is what a person decided about Held.
type Decision string

// The decisions.
const (
	Undecided Decision = ""
	Approved  Decision = "approved" // the next end of a snapshot carries it out, for those accounts that are still as they were
	Rejected  Decision = "rejected" // they stay as they are, and nobody is asked again
)

// hashHeld is the hash of a set of accounts.
func hashHeld(change string, entries []byte) string {
	return proto.HoldHash(proto.KindUser, change, "", entries, nil)
}
