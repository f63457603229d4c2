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
// allows wait for a person, all of them. It returns what is held. change is that of the replay by which it happens; "": by none.
func (a *Applier) sweepLinks(ctx context.Context, cp *Checkpoint, state *proto.State, change string) (*Held, error) {
	s := a.strays(state, change)
	if err := a.countStrays(ctx, &s); err != nil {
		return nil, err
	}
	return a.sweepStrays(ctx, cp, &s)
}

// countStrays looks at every link of the source.
func (a *Applier) countStrays(ctx context.Context, s *strays) error {
	return a.retry(ctx, func() error {
		return a.look(ctx, func(r Reader) error { return s.count(ctx, r) })
	})
}

// sweepStrays does with what was counted as sweepLinks says.
func (a *Applier) sweepStrays(ctx context.Context, cp *Checkpoint, s *strays) (*Held, error) {
	held, err := a.judgeStrays(ctx, cp, s)
	if held != nil || err != nil {
		return held, err
	}
	for _, kind := range s.kinds {
		if s.astray[kind] == 0 {
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
				err = a.commit(ctx, cp, *cp, []batch{{kind: kind, items: items}}, false)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// strays are the links that a state doesn't have.
type strays struct {
	source string
	change string       // of the replay whose approved removals the limits don't count; "": of none
	kinds  []proto.Kind // those that are applied, users first
	state  *proto.State
	links  map[proto.Kind]int // that aren't gone
	astray map[proto.Kind]int // of those
	keys   []byte             // HeldKey of each, users first, each kind in the order of the ids
}

func (a *Applier) strays(state *proto.State, change string) strays {
	s := strays{source: a.cfg.Source, change: change, state: state}
	for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
		if a.cfg.mapping(kind) != nil {
			s.kinds = append(s.kinds, kind)
		}
	}
	return s
}

// count counts them: 16 bytes are kept of each.
func (s *strays) count(ctx context.Context, r Reader) error {
	s.links, s.astray, s.keys = map[proto.Kind]int{}, map[proto.Kind]int{}, nil
	for _, kind := range s.kinds {
		for after := ""; ; {
			links, err := r.LinksAfter(ctx, s.source, kind, after, sweepPage)
			if err != nil {
				return err
			}
			for _, l := range links {
				s.links[kind]++
				if !s.state.Contains(kind, l.ID) {
					s.astray[kind]++
					key := HeldKey(kind, l.ID)
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

// hold is what the limits keep from being swept (nil: nobody asks them): all of it, or nothing (nil). rows are what was held before. What waits goes on
// waiting, whatever the limits say now, as long as a stray is among it: else it would go in small portions.
func (s *strays) hold(limitOf func(respect) limit.Limit, rows []Held) *Held {
	h := Held{Source: s.source, Change: ChangeSweep, Hash: hashHeld(ChangeSweep, s.keys), Count: len(s.keys) / 16, Of: s.links[proto.KindUser],
		Reason: s.exceeds(limitOf, rows), Entries: s.keys}
	for _, row := range rows {
		switch {
		case row.Source != h.Source || row.Change != ChangeSweep:
		case row.Hash == h.Hash:
			return &row
		case row.Decision == Undecided && h.Since.IsZero() && s.shares(row):
			h.Since = row.Since
			if h.Reason == "" {
				h.Reason = row.Reason
			}
		}
	}
	if h.Reason == "" || h.Count == 0 {
		return nil
	}
	return &h
}

// shares tells whether a stray is among what is held.
func (s *strays) shares(row Held) bool {
	held := make(map[[16]byte]bool, len(row.Entries)/16)
	for _, key := range splitKeys(row.Entries) {
		held[key] = true
	}
	return slices.ContainsFunc(splitKeys(s.keys), func(key [16]byte) bool { return held[key] })
}

// exceeds tells how the strays are too many, of one kind or the other: those that no person has approved for the replay that goes on.
func (s *strays) exceeds(limitOf func(respect) limit.Limit, rows []Held) string {
	if limitOf == nil {
		return ""
	}
	approved, keys := approvedRemovals(s.source, s.change, rows), s.keys
	for _, kind := range s.kinds {
		n := 0
		for _, key := range splitKeys(keys[:16*s.astray[kind]]) {
			if !approved[key] {
				n++
			}
		}
		keys = keys[16*s.astray[kind]:]
		if reason := limitOf(respect{proto.ChangeRemoved, string(kind)}).Exceeded(n, s.links[kind]); reason != "" {
			return fmt.Sprintf("%d of %d %ss aren't in the snapshot: %s", n, s.links[kind], kind, reason)
		}
	}
	return ""
}

// splitKeys takes keys of 16 bytes apart.
func splitKeys(keys []byte) [][16]byte {
	all := make([][16]byte, 0, len(keys)/16)
	for ; len(keys) >= 16; keys = keys[16:] {
		all = append(all, [16]byte(keys))
	}
	return all
}
