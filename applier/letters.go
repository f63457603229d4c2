package applier

import (
	"context"
	"fmt"
	"strings"

	"ldapsync/proto"
)

// letterPage hands out a page of the letters of a kind as items, those behind the id after, and the last id of the page; "" behind the
// last page. Those that the database itself refused are left out unless all is set.
func letterPage(ctx context.Context, r Reader, s settings, after string, limit int, all bool) (items []item, last string, err error) {
	letters, err := r.Letters(ctx, LetterQuery{Source: s.source, Kind: s.kind, All: true, After: after, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	for _, l := range letters {
		if !all && strings.HasPrefix(l.Reason, refusedBy) {
			continue
		}
		it, err := fromLetter(l)
		if err != nil {
			return nil, "", fmt.Errorf("letter %s: %w", l.ID, err)
		}
		items = append(items, it)
	}
	if len(letters) == limit {
		last = letters[limit-1].ID
	}
	return items, last, nil
}

// kinds are the kinds of entries in the order in which they are applied.
var kinds = [...]proto.Kind{proto.KindGroup, proto.KindUser}

// tryLetters tries the parked and dead entries again, at the end of a snapshot. Where nothing comes of it nothing is written.
func (f *follower) tryLetters(ctx context.Context, full bool) error {
	f.store.Refresh()
	if f.checkpoint == nil {
		return nil
	}
	for _, kind := range kinds {
		s := f.cfg.settings(kind)
		s.atEnd = true
		if s.mapping == nil {
			continue
		}
		for after, more := "", true; more; more = after != "" {
			var items []item
			var last string
			writes := false
			err := f.retry(ctx, func() error {
				return f.store.View(ctx, func(r Reader) (err error) {
					if items, last, err = letterPage(ctx, r, s, after, f.cfg.BatchEntries, full); err != nil {
						return err
					}
					writes, err = wouldWrite(ctx, r, s, items)
					return err
				})
			})
			if err != nil {
				return err
			}
			if writes {
				if err := f.commit(ctx, f.checkpoint, *f.checkpoint, []batch{{kind: kind, items: items}}, true); err != nil {
					return err
				}
			}
			after = last
		}
	}
	return nil
}

// wouldWrite tells whether a plan for the items writes anything.
func wouldWrite(ctx context.Context, r Reader, s settings, items []item) (bool, error) {
	all, f, err := gather(ctx, r, s, items, true)
	if err != nil {
		return false, err
	}
	changes, err := plan(s, f, all)
	for _, c := range changes {
		if c.writes() {
			return true, err
		}
	}
	return false, err
}

// forgetLetters deletes all letters of the source: they tell of a stream that isn't followed any more. The new one brings its own.
func (a *Applier) forgetLetters(ctx context.Context, tx Tx) error {
	for _, kind := range kinds {
		for {
			letters, err := tx.Letters(ctx, LetterQuery{Source: a.cfg.Source, Kind: kind, All: true, Limit: a.cfg.BatchEntries})
			if err != nil {
				return err
			}
			if len(letters) == 0 {
				break
			}
			changes := make([]Change, len(letters))
			for i, l := range letters {
				changes[i] = Change{Action: Touch, Source: l.Source, ID: l.ID, DN: l.DN, DropLetter: true}
			}
			if err := tx.Write(ctx, kind, changes); err != nil {
				return err
			}
		}
	}
	return nil
}
