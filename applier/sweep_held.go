package applier

import (
	"context"
	"slices"
)

// heldRows returns what the target holds.
func (a *Applier) heldRows(ctx context.Context) (rows []Held, err error) {
	err = a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) (err error) {
			rows, err = r.HeldRows(ctx)
			return err
		})
	})
	return rows, err
}

// replaceHeld deletes rows, and writes another one unless that is nil. cp is nil where nothing was applied yet.
func (a *Applier) replaceHeld(ctx context.Context, cp *Checkpoint, over []Held, put *Held) error {
	if len(over) == 0 && put == nil {
		return nil
	}
	return a.retry(ctx, func() error {
		return a.store.Update(ctx, func(tx Tx) error {
			if cp != nil {
				if err := tx.Advance(ctx, cp, *cp); err != nil {
					return err
				}
			}
			for _, row := range over {
				if err := tx.DropHeld(ctx, row); err != nil {
					return err
				}
			}
			if put == nil {
				return nil
			}
			return tx.PutHeld(ctx, *put)
		})
	})
}

// judgeHeld looks again at what is held. A sweep that a person approved since is carried out. At the end of a full snapshot one that nobody has
// decided about shrinks to what the stream still doesn't have. What nobody would hold any more is over: accounts that no entry stands behind where
// those aren't the directory's, what is a source's that doesn't feed the target, and replays that nobody has approved.
func (a *Applier) judgeHeld(ctx context.Context, cp *Checkpoint, full bool) error {
	if cp == nil {
		return nil
	}
	rows, err := a.heldRows(ctx)
	if err != nil {
		return err
	}
	var over []Held
	again := false
	for _, row := range rows {
		switch {
		case !slices.Contains(a.cfg.Sources, row.Source), row.Change == ChangeOrphans && a.cfg.Scope != ScopeAll:
			over = append(over, row)
		case row.Source == a.cfg.Source && row.replayIsOver(full):
			over = append(over, row)
		case row.Source == a.cfg.Source && row.Change == ChangeSweep:
			again = again || row.Decision == Approved || row.Decision == Undecided && full
		}
	}
	if err := a.replaceHeld(ctx, cp, over, nil); err != nil || !again {
		return err
	}
	state, err := a.stateOf(ctx, cp)
	if err != nil {
		return err
	}
	_, err = a.sweepLinks(ctx, cp, state, "")
	return err
}

// judgeStrays asks the limit, and what a person decided about exactly these strays. What it holds is written down; what was held before, and
// isn't what is held now, is over.
func (a *Applier) judgeStrays(ctx context.Context, cp *Checkpoint, s *strays) (*Held, error) {
	rows, err := a.heldRows(ctx)
	if err != nil {
		return nil, err
	}
	hold := s.hold(a.cfg.limitOf, rows)
	if hold != nil && hold.Decision == Approved {
		hold = nil
	}
	put := hold
	var over []Held
	for _, row := range rows {
		switch {
		case row.Source != a.cfg.Source || row.Change != ChangeSweep:
		case hold != nil && row.Hash == hold.Hash:
			put = nil
		default:
			over = append(over, row)
		}
	}
	return hold, a.replaceHeld(ctx, cp, over, put)
}
