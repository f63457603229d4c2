package applier

import (
	"context"
	"fmt"
	"slices"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// ChangeSweep is the change of linked accounts and groups that a state doesn't have.
const ChangeSweep = "sweep"

// sweepPage is how many links are looked at at a time.
const sweepPage = 5000

// sweepLinks makes the links of the source gone whose entries a state doesn't have: what became of them wasn't seen. More than the limit
// allows wait for a person, all of them. It returns what is held.
func (a *Applier) sweepLinks(ctx context.Context, cp *Checkpoint, state *proto.State) (*Held, error) {
	s := strays{source: a.cfg.Source, state: state}
	err := a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) error { return s.count(ctx, r) })
	})
	if err != nil {
		return nil, err
	}
	held, err := a.judgeStrays(ctx, cp, &s)
	if held != nil || err != nil {
		return held, err
	}
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		if s.astray[kind] == 0 || a.cfg.mapping(kind) == nil {
			continue
		}
		for after, more := "", true; more; more = after != "" {
			var items []item
			err := a.retry(ctx, func() error {
				return a.store.View(ctx, func(r Reader) (err error) {
					items, after, err = s.page(ctx, r, kind, after)
					return err
				})
			})
			if err == nil && len(items) > 0 {
				err = a.commit(ctx, cp, *cp, []batch{{kind, items}}, false)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// sweepApproved carries out a sweep that was held and that a person approved since.
func (a *Applier) sweepApproved(ctx context.Context, cp *Checkpoint) error {
	if cp == nil {
		return nil
	}
	approved := false
	err := a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) error {
			rows, err := r.HeldRows(ctx)
			approved = slices.ContainsFunc(rows, func(h Held) bool {
				return h.Source == a.cfg.Source && h.Change == ChangeSweep && h.Decision == Approved
			})
			return err
		})
	})
	if err != nil || !approved {
		return err
	}
	state, err := a.stateOf(ctx, cp)
	if err != nil {
		return err
	}
	_, err = a.sweepLinks(ctx, cp, state)
	return err
}

// judgeStrays asks the limit, and what a person decided about exactly these strays. What it holds is written down; what was held before, and
// isn't what is held now, is over.
func (a *Applier) judgeStrays(ctx context.Context, cp *Checkpoint, s *strays) (*Held, error) {
	var rows []Held
	err := a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) (err error) {
			rows, err = r.HeldRows(ctx)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	hold := s.hold(a.cfg.Limit)
	known, over := false, []Held{}
	for _, row := range rows {
		switch {
		case row.Source != a.cfg.Source || row.Change != ChangeSweep:
		case hold != nil && row.Hash == hold.Hash:
			known = true
			if row.Decision == Approved {
				hold = nil
				over = append(over, row)
			}
		default:
			over = append(over, row)
		}
	}
	if len(over) == 0 && (hold == nil || known) {
		return hold, nil
	}
	return hold, a.retry(ctx, func() error {
		return a.store.Update(ctx, func(tx Tx) error {
			if err := tx.Advance(ctx, cp, *cp); err != nil {
				return err
			}
			for _, row := range over {
				if err := tx.DropHeld(ctx, row); err != nil {
					return err
				}
			}
			if hold == nil || known {
				return nil
			}
			return tx.PutHeld(ctx, *hold)
		})
	})
}

// strays are the links that a state doesn't have.
type strays struct {
	source string
	state  *proto.State
	links  map[proto.Kind]int // that aren't gone
	astray map[proto.Kind]int // of those
	keys   []byte             // proto.EntryKey of their ids, users first, each kind in the order of the ids
}

// count counts them: 16 bytes are kept of each.
func (s *strays) count(ctx context.Context, r Reader) error {
	s.links, s.astray, s.keys = map[proto.Kind]int{}, map[proto.Kind]int{}, nil
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		for after := ""; ; {
			links, err := r.LinksAfter(ctx, s.source, kind, after, sweepPage)
			if err != nil {
				return err
			}
			for _, l := range links {
				s.links[kind]++
				if !s.state.Contains(kind, l.ID) {
					s.astray[kind]++
					key := proto.EntryKey(l.ID)
					s.keys = append(s.keys, key[:]...)
				}
			}
			if len(links) < sweepPage {
				break
			}
			after = links[len(links)-1].ID
		}
	}
	return nil
}

// page returns the strays among the links behind after, and the last link; "" behind the last page.
func (s *strays) page(ctx context.Context, r Reader, kind proto.Kind, after string) (items []item, last string, err error) {
	links, err := r.LinksAfter(ctx, s.source, kind, after, sweepPage)
	if err != nil {
		return nil, "", err
	}
	for _, l := range links {
		if !s.state.Contains(kind, l.ID) {
			items = append(items, item{id: l.ID, known: l.DN, removed: true, seq: s.state.Sequence(), reason: sweptBecause})
		}
	}
	if len(links) == sweepPage {
		last = links[len(links)-1].ID
	}
	return items, last, nil
}

const sweptBecause = "the snapshot that was applied doesn't have it"

// hold is what a limit keeps from being swept: all of it, or nothing (nil).
func (s *strays) hold(l limit.Limit) *Held {
	reason := s.exceeds(l)
	if reason == "" {
		return nil
	}
	return &Held{Source: s.source, Change: ChangeSweep, Hash: hashHeld(ChangeSweep, s.keys), Count: len(s.keys) / 16, Of: s.links[proto.KindUser],
		Reason: reason, Entries: s.keys}
}

// exceeds tells how the strays are too many, of one kind or the other.
func (s *strays) exceeds(l limit.Limit) string {
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		if reason := l.Exceeded(s.astray[kind], s.links[kind]); reason != "" {
			return fmt.Sprintf("%d of %d %ss aren't in the snapshot: %s", s.astray[kind], s.links[kind], kind, reason)
		}
	}
	return ""
}
