package applier

import (
	"context"
	"path"
	"slices"

	"ldapsync/proto"
)

// Where the target's scope is all accounts, those that no entry of any source stands behind get links that are gone, at the end of a committed
// snapshot: the callbacks do the rest, and an entry that comes with the name takes the row over. They are judged first.

// reasonSwept is the GoneReason of their links.
const reasonSwept = "no entry of the directory stands behind it"

// sweeps tells whether this applier is the one that judges the target's accounts.
func (c Config) sweeps() bool {
	return c.Scope == ScopeAll && c.Users != nil && c.Source == c.Sources[0]
}

// excluded tells whether an account is none of the directory's business.
func (c Config) excluded(row Row) bool {
	if row.Privileged && !c.Adopt.Privileged {
		return true
	}
	name := Fold(row.Name)
	return slices.ContainsFunc(c.Exclude, func(pattern string) bool {
		pattern = Fold(pattern)
		matched, _ := path.Match(pattern, name)
		return matched || pattern == name
	})
}

// judgeOrphans judges the accounts without links. Nothing is done before every source was applied as a whole; complete says that this one will
// have been.
func (a *Applier) judgeOrphans(ctx context.Context, r Reader, complete bool) (verdict, error) {
	known, err := r.Complete(ctx)
	if err != nil {
		return verdict{}, err
	}
	for _, source := range a.cfg.Sources {
		if !slices.Contains(known, source) && !(complete && source == a.cfg.Source) {
			return verdict{}, nil
		}
	}
	rows, all, err := r.ListUnlinked(ctx)
	if err != nil {
		return verdict{}, err
	}
	held, err := r.HeldRows(ctx)
	if err != nil {
		return verdict{}, err
	}
	rows = slices.DeleteFunc(rows, a.cfg.excluded)
	if rows, err = a.unclaimed(ctx, r, rows); err != nil {
		return verdict{}, err
	}
	return judge(a.cfg.Limit, a.cfg.Source, ChangeOrphans, rows, all, held), nil
}

// unclaimed leaves out the accounts whose names entries want that couldn't be applied: somebody stands behind them.
func (a *Applier) unclaimed(ctx context.Context, r Reader, rows []Row) ([]Row, error) {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = Fold(row.Name)
	}
	claimed := map[string]bool{}
	for _, source := range a.cfg.Sources {
		letters, err := r.Letters(ctx, LetterQuery{Source: source, Kind: proto.KindUser, Names: names})
		if err != nil {
			return nil, err
		}
		for _, l := range letters {
			claimed[l.Name] = true
		}
	}
	return slices.DeleteFunc(rows, func(row Row) bool { return claimed[Fold(row.Name)] }), nil
}

// swept are the changes that make accounts without links gone, at a sequence. Their links aren't told to be new: an account may be swept
// again whose link became a tombstone.
func (c Config) swept(rows []Row, sequence uint64) []Change {
	changes := make([]Change, len(rows))
	for i, row := range rows {
		id := "orphan:" + row.PK
		changes[i] = Change{
			Action: Remove, Source: c.Source, ID: id, Name: row.Name, Reason: reasonSwept, PK: row.PK, Privileged: row.Privileged, Superuser: row.Superuser,
			Link: &Link{
				Source: c.Source, Kind: proto.KindUser, ID: id, PK: row.PK, Name: Fold(row.Name), State: Gone, GoneSequence: sequence, GoneReason: reasonSwept,
				Sequence: sequence, How: Swept,
			},
		}
	}
	return changes
}

// sweep judges the accounts at the end of the snapshot that was committed at a sequence. Where nothing comes of it nothing is written.
func (f *follower) sweep(ctx context.Context, sequence uint64) error {
	if f.cfg.Scope != ScopeAll || f.checkpoint == nil || f.checkpoint.StreamID != f.stream.StreamID() {
		return nil
	}
	if err := f.noteComplete(ctx); err != nil || !f.cfg.sweeps() {
		return err
	}
	for more := true; more; {
		var v verdict
		err := f.retry(ctx, func() error {
			return f.store.View(ctx, func(r Reader) (err error) {
				v, err = f.judgeOrphans(ctx, r, false)
				return err
			})
		})
		if err != nil {
			return err
		}
		if v.empty() {
			f.holds(v.waiting)
			return nil
		}
		if more, err = f.commitSweep(ctx, sequence); err != nil {
			return err
		}
	}
	return nil
}

// commitSweep judges again in a transaction and carries out what it says, for a batch of accounts at most. It tells whether there are more.
func (f *follower) commitSweep(ctx context.Context, sequence uint64) (more bool, err error) {
	var changes []Change
	var waiting []Held
	err = f.retry(ctx, func() error {
		return f.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, f.checkpoint, *f.checkpoint); err != nil {
				return err
			}
			v, err := f.judgeOrphans(ctx, tx, false)
			if err != nil {
				return err
			}
			if more = len(v.release) > f.cfg.BatchEntries; more {
				v.release = v.release[:f.cfg.BatchEntries]
			} else {
				v.drop = append(v.drop, v.settled...)
			}
			changes, waiting = f.cfg.swept(v.release, sequence), v.waiting
			if err := v.write(ctx, tx, changes); err != nil {
				return err
			}
			return f.putOutcomes(ctx, tx, *f.checkpoint, done{{proto.KindUser, changes}})
		})
	})
	if err != nil {
		return false, err
	}
	f.count(done{{proto.KindUser, changes}})
	f.holds(waiting)
	return more, nil
}

func (v *verdict) write(ctx context.Context, tx Tx, changes []Change) error {
	for _, h := range v.drop {
		if err := tx.DropHeld(ctx, h); err != nil {
			return err
		}
	}
	for _, h := range v.put {
		if err := tx.PutHeld(ctx, h); err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return tx.Write(ctx, proto.KindUser, changes)
}

// noteComplete notes once that the source was applied as a whole.
func (f *follower) noteComplete(ctx context.Context) error {
	if f.complete {
		return nil
	}
	err := f.retry(ctx, func() error {
		return f.store.View(ctx, func(r Reader) error {
			sources, err := r.Complete(ctx)
			f.complete = slices.Contains(sources, f.cfg.Source)
			return err
		})
	})
	if err != nil || f.complete {
		return err
	}
	err = f.retry(ctx, func() error {
		return f.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, f.checkpoint, *f.checkpoint); err != nil {
				return err
			}
			return tx.SetComplete(ctx, f.cfg.Source)
		})
	})
	f.complete = err == nil
	return err
}

// holds notes what waits for a person, for the summary.
func (a *Applier) holds(waiting []Held) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.summary.Held = waiting
}
