package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// What a replay would take may belong to accounts without a link of an entry that is there: their entries are gone and would come back, or the accounts are
// the application's and would be adopted. The plan of the replay tells them.

// resolveReplay finds the accounts and groups that a replay would take something from.
func (h *holder) resolveReplay(ctx context.Context, f *foundHold, s *shownHold) error {
	rest, err := h.resolveLinks(ctx, f, s)
	if err != nil || len(rest) == 0 {
		return err
	}
	if err := h.resolveGone(ctx, f, s, rest); err != nil || len(rest) == 0 {
		return err
	}
	planned, err := h.replayPlan(ctx, f, rest)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err == nil {
		err = h.resolvePlanned(ctx, f, s, planned, rest)
	}
	if s.Unnamed = len(rest); s.Unnamed > 0 {
		s.Because = "what was shown has changed since"
		if err != nil {
			s.Because = oneLine(err.Error())
		}
	}
	return nil
}

// resolveGone finds the accounts of entries that are gone, and takes their keys out of rest.
func (h *holder) resolveGone(ctx context.Context, f *foundHold, s *shownHold, rest map[[16]byte]bool) error {
	var ids []string
	first := len(s.Entries)
	for o, err := range h.stores[f.Target].Orphans(ctx) {
		if err != nil {
			return err
		}
		if key := proto.EntryKey(o.ID); o.Source == f.Source && rest[key] {
			ids = append(ids, o.ID)
			s.Entries = append(s.Entries, shownEntry{ID: o.ID, DN: o.DN, Name: o.Username, Accounts: []shownAccount{}})
			delete(rest, key)
		}
	}
	return addProfiles(ctx, h.stores[f.Target], f.Target, f.Source, proto.KindUser, ids, s.Entries[first:])
}

// replayPlan plans the replay that is held. It returns, by the primary keys of their accounts, the changes of the entries that have keys.
func (h *holder) replayPlan(ctx context.Context, f *foundHold, keys map[[16]byte]bool) (changes map[string]applier.Change, err error) {
	if h.bus == nil {
		return nil, noSnapshot()
	}
	log, err := h.bus.OpenLog(ctx, f.Source)
	if err != nil {
		return nil, err
	}
	c, err := application(h.cfg, h.cfg.Target(f.Target), h.cfg.Source(f.Source), h.stores[f.Target], h.logger)
	if err != nil {
		return nil, err
	}
	a := applier.New(c, h.stores[f.Target], log)
	each := func(kind proto.Kind, c applier.Change) {
		if kind == proto.KindUser && c.PK != "" && keys[proto.EntryKey(c.ID)] {
			changes[c.PK] = c
		}
	}
	err = h.lookAgain(ctx, func() error {
		changes = map[string]applier.Change{}
		number, _ := f.row.Replay()
		if number == "" {
			_, err := a.PreviewRelease(ctx, each)
			return err
		}
		past, err := history.Open(ctx, log)
		if err != nil {
			return err
		}
		snapshot, err := past.Committed(number, time.Now())
		if err != nil {
			return err
		}
		p := past.Point(snapshot)
		_, err = a.PreviewReplay(ctx, applier.Snapshot{Number: snapshot.Number, From: max(p.From, 1), To: p.To}, each)
		return err
	})
	if errors.Is(err, applier.ErrMoved) {
		err = nil // whose accounts they are is true nevertheless
	}
	return changes, err
}

// resolvePlanned finds the accounts that entries would take over, and takes the keys of those out of rest.
func (h *holder) resolvePlanned(ctx context.Context, f *foundHold, s *shownHold, planned map[string]applier.Change, rest map[[16]byte]bool) error {
	accounts := map[string]django.Account{}
	for o, err := range h.stores[f.Target].Orphans(ctx) {
		if err != nil {
			return err
		}
		if _, is := planned[o.PK]; is {
			accounts[o.PK] = o.Account
		}
	}
	groups, err := h.groupsOf(ctx, f, slices.Collect(maps.Keys(accounts)))
	if err != nil {
		return err
	}
	for pk, account := range accounts {
		c := planned[pk]
		s.Entries = append(s.Entries, shownEntry{ID: c.ID, DN: c.DN, Name: account.Username,
			Accounts: []shownAccount{newShownAccount(f.Target, account, groups[pk])}})
		delete(rest, proto.EntryKey(c.ID))
	}
	return nil
}

// groupsOf names the groups of accounts, by their primary keys, as far as the source manages them: those that can be lost.
func (h *holder) groupsOf(ctx context.Context, f *foundHold, users []string) (names map[string][]string, err error) {
	err = h.stores[f.Target].View(ctx, func(r applier.Reader) error {
		names = map[string][]string{}
		members, err := r.Memberships(ctx, f.Source, users)
		if err != nil {
			return err
		}
		var pks []string
		for _, m := range members {
			pks = append(pks, m.Group)
		}
		slices.Sort(pks)
		rows, err := r.Rows(ctx, proto.KindGroup, slices.Compact(pks))
		if err != nil {
			return err
		}
		name := map[string]string{}
		for _, row := range rows {
			name[row.PK] = row.Name
		}
		for _, m := range members {
			names[m.User] = append(names[m.User], name[m.Group])
		}
		for _, list := range names {
			slices.Sort(list)
		}
		return nil
	})
	return names, err
}
