package applier

import (
	"context"

	"ldapsync/proto"
)

// putOutcomes writes into the outbox what a transaction did, as its last statement, where the target's outcomes are wanted.
func (a *Applier) putOutcomes(ctx context.Context, tx Tx, at Checkpoint, d done) error {
	if a.cfg.Outcomes == "" {
		return nil
	}
	b := proto.OutcomeBatches{Time: a.cfg.Now(),
		Head: &proto.Outcomes{Source: a.cfg.Source, Sequence: at.Sequence, StreamId: at.StreamID, By: a.cfg.Outcomes}}
	for _, run := range d {
		var columns []string
		if m := a.cfg.mapping(run.kind); m != nil {
			columns = m.Columns()
		}
		for i := range run.changes {
			c := &run.changes[i]
			for _, t := range c.outcomes(run.kind) {
				b.Add(t, c.outcome(t, columns))
			}
		}
	}
	return tx.PutOutcomes(ctx, b.Messages())
}

// outcomes are the types of what was done: none where no row of Django's was touched, nor anybody refused or removed. An entry that couldn't be
// applied may still have lost and got flags and memberships.
func (c *Change) outcomes(kind proto.Kind) []proto.OutcomeType {
	if !c.writes() {
		return nil
	}
	var types []proto.OutcomeType
	user := kind == proto.KindUser
	pick := func(ofUser, ofGroup proto.OutcomeType) {
		if user {
			types = append(types, ofUser)
		} else {
			types = append(types, ofGroup)
		}
	}
	switch c.Action {
	case Create:
		pick(proto.OutcomeUserCreated, proto.OutcomeGroupCreated)
		return types
	case Adopt, Relink:
		pick(proto.OutcomeUserAdopted, proto.OutcomeGroupAdopted)
	case Remove:
		if c.DeleteRow {
			pick(proto.OutcomeUserDeleted, proto.OutcomeGroupDeleted)
		} else {
			pick(proto.OutcomeUserRemoved, proto.OutcomeGroupRemoved)
		}
		return types
	case Skip, Park:
		if c.Letter != nil {
			pick(proto.OutcomeUserRefused, proto.OutcomeGroupRefused)
		}
	}
	switch touched := len(c.Set)+len(c.Join)+len(c.Leave) > 0; {
	case touched && user && c.Deactivate:
		types = append(types, proto.OutcomeUserDeactivated)
	case touched && user && c.Reactivate:
		types = append(types, proto.OutcomeUserReactivated)
	case touched && c.Action != Adopt && c.Action != Relink:
		pick(proto.OutcomeUserUpdated, proto.OutcomeGroupUpdated)
	}
	return types
}

// outcome names what was done. Values of columns are nobody's business.
func (c *Change) outcome(t proto.OutcomeType, columns []string) *proto.Outcome {
	o := &proto.Outcome{Id: c.ID, Dn: c.DN, Pk: c.PK, Name: c.Name}
	switch t {
	case proto.OutcomeUserRefused, proto.OutcomeGroupRefused, proto.OutcomeUserRemoved, proto.OutcomeGroupRemoved, proto.OutcomeGroupDeleted:
		o.Reason = c.Reason
		return o
	}
	o.Joined, o.Left = c.Join, c.Leave
	if c.Action == Create {
		return o
	}
	for _, i := range c.Set {
		if i < len(columns) {
			o.Columns = append(o.Columns, columns[i])
		}
	}
	return o
}
