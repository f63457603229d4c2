package callbacks

import (
	"time"

	"ldapsync/proto"
)

// Restoring is what is said to have restored an account, as the name of a callback says what that has done.
const Restoring = "restore"

// Outcomes are the messages that tell what was done to accounts in a transaction: the database writes them into its outbox, where it is told to.
// by is the name of a callback, or Restoring, and person who gave the command then. What wasn't done isn't told; see Refusal.
func Outcomes(by, person string, results []Result, now time.Time) []*proto.Outcomes {
	types := map[Outcome]proto.OutcomeType{Deactivated: proto.OutcomeUserDeactivated, Removed: proto.OutcomeUserDeleted, Restored: proto.OutcomeUserRestored}
	var all []*proto.Outcomes
	bySource := map[string]*proto.OutcomeBatches{}
	var order []*proto.OutcomeBatches
	for _, r := range results {
		t, done := types[r.Outcome]
		if !done {
			continue
		}
		b := bySource[r.Source]
		if b == nil {
			b = &proto.OutcomeBatches{Time: now, Head: &proto.Outcomes{Source: r.Source, By: by, Person: person}}
			bySource[r.Source], order = b, append(order, b)
		}
		reason := r.Account.Reason
		if r.Outcome == Restored {
			reason = ""
		}
		b.Add(t, &proto.Outcome{Id: r.ID, Dn: r.DN, Pk: r.PK, Name: r.Username, Reason: reason})
	}
	for _, b := range order {
		all = append(all, b.Messages()...)
	}
	return all
}

// Refusal is the message that tells of an account that a callback failed for: the first time, not each time that it is tried again.
func Refusal(callback string, a Account, reason string, now time.Time) []*proto.Outcomes {
	if a.Attempts > 0 {
		return nil
	}
	b := proto.OutcomeBatches{Time: now, Head: &proto.Outcomes{Source: a.Source, By: callback}}
	b.Add(proto.OutcomeUserRefused, &proto.Outcome{Id: a.ID, Dn: a.DN, Pk: a.PK, Name: a.Username, Reason: reason})
	return b.Messages()
}
