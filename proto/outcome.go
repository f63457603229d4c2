package proto

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// OutcomeType is what was done to a row of a target: the tail of its subject.
type OutcomeType string

// The types of outcomes.
const (
	OutcomeUserCreated     OutcomeType = "user.created"
	OutcomeUserAdopted     OutcomeType = "user.adopted" // a row that was there is an entry's now
	OutcomeUserUpdated     OutcomeType = "user.updated" // columns or memberships
	OutcomeUserDeactivated OutcomeType = "user.deactivated"
	OutcomeUserReactivated OutcomeType = "user.reactivated" // she returned, or the source's rule says so
	OutcomeUserRemoved     OutcomeType = "user.removed"     // no entry stands behind the row any more; callbacks do the rest
	OutcomeUserDeleted     OutcomeType = "user.deleted"
	OutcomeUserRestored    OutcomeType = "user.restored" // by a person's command
	OutcomeUserRefused     OutcomeType = "user.refused"  // a dead letter, or parked
	OutcomeGroupCreated    OutcomeType = "group.created"
	OutcomeGroupAdopted    OutcomeType = "group.adopted"
	OutcomeGroupUpdated    OutcomeType = "group.updated"
	OutcomeGroupRemoved    OutcomeType = "group.removed" // the memberships that sync made are taken; the row stays
	OutcomeGroupDeleted    OutcomeType = "group.deleted" // its row, too
	OutcomeGroupRefused    OutcomeType = "group.refused"
)

const (
	outcomesPrefix   = "ldapsync.outcomes."
	outcomeBatchSize = 128 << 10
)

var outcomeTypes = []OutcomeType{
	OutcomeUserCreated, OutcomeUserAdopted, OutcomeUserUpdated, OutcomeUserDeactivated, OutcomeUserReactivated, OutcomeUserRemoved, OutcomeUserDeleted, OutcomeUserRestored, OutcomeUserRefused,
	OutcomeGroupCreated, OutcomeGroupAdopted, OutcomeGroupUpdated, OutcomeGroupRemoved, OutcomeGroupDeleted, OutcomeGroupRefused,
}

// OutcomeTypes returns all types that the stream of a target's outcomes carries.
func OutcomeTypes() []OutcomeType { return append([]OutcomeType(nil), outcomeTypes...) }

// OutcomeSubject is the subject of a target's outcomes of one type: ldapsync.outcomes.<target>.<type>.
func OutcomeSubject(target string, t OutcomeType) string {
	return outcomesPrefix + target + "." + string(t)
}

// OutcomesAll matches all outcomes of a target.
func OutcomesAll(target string) string { return outcomesPrefix + target + ".>" }

// OutcomesStream is the name of the stream of a target's outcomes: LDAPSYNC_OUTCOMES_<target>.
func OutcomesStream(target string) string { return "LDAPSYNC_OUTCOMES_" + target }

// OutcomeCEType is the ce-type of outcomes of type t. It isn't that of an event of the same name.
func OutcomeCEType(t OutcomeType) string { return "ldapsync.outcome." + string(t) + ".v1" }

// OutcomeCESource is the ce-source of a target's outcomes.
func OutcomeCESource(target string) string { return "/ldapsync/targets/" + target }

// OutcomeBatches puts the outcomes of one transaction together: one message for each type, and more where it would become larger than 128 KiB.
type OutcomeBatches struct {
	// Head is what all messages have: their source, sequence, who did it.
	Head *Outcomes
	// Time is when it was done.
	Time time.Time

	all  []*Outcomes
	open map[OutcomeType]*outcomeBatch
}

type outcomeBatch struct {
	message *Outcomes
	size    int
}

// Add adds an outcome.
func (b *OutcomeBatches) Add(t OutcomeType, o *Outcome) {
	size := Size(o) + 8
	batch := b.open[t]
	if batch == nil || batch.size+size > outcomeBatchSize {
		batch = &outcomeBatch{message: Clone(b.Head)}
		batch.message.Id, batch.message.Type, batch.message.Time = newOutcomeID(), string(t), Timestamp(b.Time)
		if b.open == nil {
			b.open = map[OutcomeType]*outcomeBatch{}
		}
		b.open[t] = batch
		b.all = append(b.all, batch.message)
	}
	batch.message.Outcomes = append(batch.message.Outcomes, o)
	batch.size += size
}

// Messages are the batches so far, in the order in which they were begun. Their target isn't set.
func (b *OutcomeBatches) Messages() []*Outcomes { return b.all }

func newOutcomeID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Unpublished is a row of a target's outbox: outcomes that are committed and perhaps not published yet. The row's number is the database's.
type Unpublished struct {
	Row      int64
	Outcomes *Outcomes
}

// TellsOf tells whether outcomes are about a user of a source.
func TellsOf(m *Outcomes, source, id string) bool {
	return m.GetSource() == source && strings.HasPrefix(m.GetType(), "user.") &&
		slices.ContainsFunc(m.GetOutcomes(), func(o *Outcome) bool { return o.GetId() == id })
}

// ForgetOutcomes takes what was done to a user out of outcomes that TellsOf is true for.
func ForgetOutcomes(m *Outcomes, id string) {
	m.Outcomes = slices.DeleteFunc(m.Outcomes, func(o *Outcome) bool { return o.GetId() == id })
}
