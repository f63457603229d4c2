package applier

import (
	"context"
	"errors"

	"ldapsync/proto"
)

// done is what one transaction did, by kind; it counts once the transaction is committed.
type done []kindChanges

type kindChanges struct {
	kind    proto.Kind
	changes []Change
}

// write plans and writes batches in a transaction. A batch with a value that the database refuses is halved until the value's entry
// is alone; that one becomes a dead letter.
func (a *Applier) write(ctx context.Context, tx Tx, runs []batch, atEnd bool) (done, error) {
	var out done
	for _, run := range runs {
		s := a.cfg.settings(run.kind)
		s.atEnd = atEnd
		if s.mapping == nil {
			continue
		}
		changes, err := a.writeItems(ctx, tx, s, run.items)
		if err != nil {
			return nil, err
		}
		out = append(out, kindChanges{run.kind, changes})
	}
	return out, nil
}

func (a *Applier) writeItems(ctx context.Context, tx Tx, s settings, items []item) ([]Change, error) {
	changes, err := a.planAndWrite(ctx, tx, s, items, true)
	var refused *DataError
	if !errors.As(err, &refused) {
		return changes, err
	}
	if len(items) > 1 {
		first, err := a.writeItems(ctx, tx, s, items[:len(items)/2])
		if err != nil {
			return nil, err
		}
		second, err := a.writeItems(ctx, tx, s, items[len(items)/2:])
		return append(first, second...), err
	}
	return a.refused(ctx, tx, s, items[0], refused)
}

// refused plans again for the one entry that the database refuses: first without the parked entries that it might have let in, then as
// a dead letter with what can be applied of the entry, then as a dead letter alone. A removal isn't refused for the row's sake.
func (a *Applier) refused(ctx context.Context, tx Tx, s settings, it item, why *DataError) ([]Change, error) {
	attempts := []settings{s, s, s}
	if it.removed {
		attempts[1].deleteRows = false
	} else {
		attempts[1].refused = refusedBy + why.Error()
		attempts[2].refused, attempts[2].bare = attempts[1].refused, true
	}
	var changes []Change
	var err error
	for _, attempt := range attempts {
		changes, err = a.planAndWrite(ctx, tx, attempt, []item{it}, false)
		if again := (*DataError)(nil); !errors.As(err, &again) {
			break
		}
	}
	if it.removed {
		for i := range changes {
			if changes[i].Action == Remove && !changes[i].DeleteRow && s.deleteRows {
				changes[i].Note = "its row stays: " + why.Error()
			}
		}
	}
	return changes, err
}

// refusedBy begins the reasons of letters that the database itself refused. They are tried again only with full snapshots, or when
// a person says so: each attempt may cost an id of Django's sequence.
const refusedBy = "the database refuses it: "

func (a *Applier) planAndWrite(ctx context.Context, tx Tx, s settings, items []item, pull bool) (changes []Change, err error) {
	items, f, err := gather(ctx, tx, s, items, pull)
	if err != nil {
		return nil, err
	}
	if changes, err = plan(s, f, items); err != nil {
		return nil, err
	}
	return changes, a.carryOut(ctx, tx, s.kind, changes)
}

// carryOut writes those changes that write something.
func (a *Applier) carryOut(ctx context.Context, tx Tx, kind proto.Kind, changes []Change) error {
	var at []int // of those
	for i := range changes {
		c := &changes[i]
		if c.Letter != nil {
			c.Letter.Since = a.cfg.Now()
		}
		if c.writes() {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	writes := changes
	if len(at) < len(changes) {
		writes = make([]Change, len(at))
		for i, n := range at {
			writes[i] = changes[n]
		}
	}
	err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, kind, writes) })
	if len(at) < len(changes) {
		for i, n := range at { // with the primary keys of new rows
			changes[n] = writes[i]
		}
	}
	return err
}

// writes tells whether a change writes anything at all.
func (c *Change) writes() bool {
	return c.Link != nil || c.Letter != nil || c.DropLetter || len(c.Set) > 0 || len(c.Join) > 0 || len(c.Leave) > 0
}
