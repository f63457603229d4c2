package postgres

import (
	"context"

	"ldapsync/applier"
	"ldapsync/proto"
)

// Write carries changes out, set by set: rows that go, placeholders for names that move, rows that change, rows that come, links,
// memberships, letters.
func (t *tx) Write(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	return dataError(t.write(ctx, kind, changes))
}

func (t *tx) write(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	of, err := t.store.table(kind)
	if err != nil {
		return err
	}
	list := make([]*applier.Change, len(changes))
	for i := range changes {
		list[i] = &changes[i]
	}
	steps := []func(context.Context, *table, []*applier.Change) error{}
	if kind == proto.KindGroup {
		steps = append(steps, t.leaveGroups, t.deleteGroups)
	}
	steps = append(steps, t.placeholders, t.updateRows, t.createRows, t.writeLinks)
	if kind == proto.KindGroup {
		steps = append(steps, t.takeUpPending)
	} else {
		steps = append(steps, t.leave, t.join, t.writePending)
	}
	steps = append(steps, t.writeLetters)
	for _, step := range steps {
		if err := step(ctx, of, list); err != nil {
			return err
		}
	}
	if !t.foretold {
		t.remember(kind, list)
	}
	t.foretold = false
	return nil
}
