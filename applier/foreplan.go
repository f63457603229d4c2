package applier

import (
	"context"

	"ldapsync/proto"
)

// A plan needs to know what the database says of its entries. While a target is filled for the first time its store may know that without asking, and
// already while the batch before is written. Then a batch is planned meanwhile, and the database doesn't wait for that between two transactions.

// Foreteller is a Tx that may know what the next transaction will find.
type Foreteller interface {
	// Foretell returns a Reader of what will be there once this transaction has written changes, which it does next and last, and is committed; nil
	// where it can't tell. The Reader may be used while the transaction goes on. It asks nobody: what it doesn't know is an error.
	Foretell(kind proto.Kind, changes []Change) Reader
	// CameTrue tells whether a Reader of Foretell's says what this transaction, which has advanced, would find.
	CameTrue(r Reader) bool
}

// foreplan is a plan that was made before its transaction began.
type foreplan struct {
	settings settings
	by       Reader // what it goes by
	changes  []Change
}

// foreplan plans for a batch; nil if that needs to know more.
func (a *Applier) foreplan(ctx context.Context, by Reader, run batch) *foreplan {
	s := a.cfg.settings(run.kind)
	if s.mapping == nil {
		return nil
	}
	items, f, err := gather(ctx, by, s, run.items, true)
	if err != nil {
		return nil
	}
	changes, err := plan(s, f, items)
	if err != nil {
		return nil
	}
	return &foreplan{s, by, changes}
}

// take returns the changes if they are what the transaction would plan, once: to write them fills them in.
func (p *foreplan) take(tx Tx, s settings) (changes []Change, ok bool) {
	if p == nil || p.changes == nil || p.settings != s || !tx.(Foreteller).CameTrue(p.by) {
		return nil, false
	}
	changes, p.changes = p.changes, nil
	return changes, true
}

// outlook passes on what the batch behind one will find. A nil one passes on nothing.
type outlook chan Reader

// tell passes on what a transaction foretells that is about to write changes. Who was told before isn't told again.
func (o outlook) tell(tx Tx, kind proto.Kind, changes []Change) {
	if t, ok := tx.(Foreteller); ok && o != nil {
		o.pass(t.Foretell(kind, changes))
	}
}

func (o outlook) pass(r Reader) {
	select {
	case o <- r:
	default:
	}
}

// forerunner plans for batches in the goroutine that makes them ready, each while the one before is written.
type forerunner struct {
	*Applier
	before outlook // of the batches that were handed over last; nil: they have none
}

// prepare plans for batches that are one transaction, if they are one and what was handed over before tells what it will find. It waits for that.
func (f *forerunner) prepare(ctx context.Context, runs []batch) {
	if len(runs) == 0 {
		return
	}
	last := &runs[len(runs)-1]
	if f.before != nil {
		select {
		case by := <-f.before:
			if by != nil && len(runs) == 1 {
				last.plan = f.foreplan(ctx, by, *last)
			}
		case <-ctx.Done():
			return
		}
	}
	last.next = make(outlook, 1)
}

// handed notes what was handed over.
func (f *forerunner) handed(runs []batch) {
	f.before = nextOf(runs)
}

// nothingMore ends the wait for what batches tell that were taken: they have told it, or never will.
func nothingMore(runs []batch) { nextOf(runs).pass(nil) }

func nextOf(runs []batch) outlook {
	if len(runs) == 0 {
		return nil
	}
	return runs[len(runs)-1].next
}
