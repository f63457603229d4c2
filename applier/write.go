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
		changes, err := a.writeBatch(ctx, tx, s, run)
		if err != nil {
			return nil, err
		}
		out = append(out, kindChanges{run.kind, changes})
	}
	return out, nil
}

func (a *Applier) writeBatch(ctx context.Context, tx Tx, s settings, run batch) ([]Change, error) {
	changes, err := a.planAndWrite(ctx, tx, s, run, true)
	var refused *DataError
	if !errors.As(err, &refused) {
		return changes, err
	}
	if half := len(run.items) / 2; half > 0 {
		first, err := a.writeBatch(ctx, tx, s, batch{kind: run.kind, items: run.items[:half]})
		if err != nil {
			return nil, err
		}
		second, err := a.writeBatch(ctx, tx, s, batch{kind: run.kind, items: run.items[half:]})
		return append(first, second...), err
	}
	return a.refused(ctx, tx, s, run.items[0], refused)
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
		changes, err = a.planAndWrite(ctx, tx, attempt, batch{kind: s.kind, items: []item{it}}, false)
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

func (a *Applier) planAndWrite(ctx context.Context, tx Tx, s settings, run batch, pull bool) ([]Change, error) {
	changes, made := run.plan.take(tx, s)
	if !made {
		items, f, err := gather(ctx, tx, s, run.items, pull)
		if err != nil {
			return nil, err
		}
		if changes, err = plan(s, f, items); err != nil {
			return nil, err
		}
	}
	run.next.tell(tx, s.kind, changes)
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
		for i, n := range at {
			changes[n].PK = writes[i].PK // of a new row
		}
	}
	return err
}

// writes tells whether a change writes anything at all.
func (c *Change) writes() bool {
	return c.Link != nil || c.Letter != nil || c.DropLetter || len(c.Set) > 0 || len(c.Join) > 0 || len(c.Leave) > 0
}
