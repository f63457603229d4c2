package applier

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ldapsync/proto"
)

// What a replay would take, beyond a limit, is a Held of one of these changes.
const (
	ChangeReplay  = "replay"  // followed by a space and the snapshot's number
	ChangeRelease = "release" // from a replay
)

// changeOf is the change of what a replay to a snapshot would take.
func changeOf(at Snapshot) string { return fmt.Sprintf("%s %d", ChangeReplay, at.Number) }

// Replay returns the snapshot that can't be replayed before a person has decided, or "" where that is the release from one; false if something
// else is held.
func (h Held) Replay() (snapshot string, ok bool) {
	if h.Change == ChangeRelease {
		return "", true
	}
	return strings.CutPrefix(h.Change, ChangeReplay+" ")
}

// Approval is a person's yes to exactly what PreviewReplay or PreviewRelease has told.
type Approval struct {
	Hash    string // of Replayed.Stopped
	By, Why string
}

// judge puts what was counted to the limits. It returns what must wait for a person; nil if nothing must. links are how many links of each kind aren't gone.
// rows are what was held before.
func (w *weigher) judge(ctx context.Context, r Reader, links map[proto.Kind]int, rows []Held) (*Held, error) {
	w.takeMembers()
	w.all[usersRemoved], w.all[groupsRemoved] = links[proto.KindUser], links[proto.KindGroup]
	reason, err := w.reason(ctx, r)
	if err != nil || reason == "" {
		return nil, err
	}
	h := Held{Source: w.cfg.Source, Change: w.change, Of: links[proto.KindUser] + links[proto.KindGroup], Reason: reason}
	slices.SortFunc(w.losers, func(a, b loser) int { return bytes.Compare(a[:], b[:]) })
	keys, digests := make([]byte, 0, 16*len(w.losers)), make([]byte, 0, 16*len(w.losers))
	h.Entries = make([]byte, 0, 32*len(w.losers))
	for i, l := range w.losers {
		if i == 0 || !bytes.Equal(l[:16], w.losers[i-1][:16]) {
			h.Count++
		}
		keys, digests, h.Entries = append(keys, l[:16]...), append(digests, l[16:]...), append(h.Entries, l[:]...)
	}
	h.Hash = proto.HoldHash(proto.KindUser, h.Change, "", keys, digests)
	for _, row := range rows {
		if row.Source == h.Source && row.Change == h.Change && row.Hash == h.Hash {
			return &row, nil
		}
	}
	return &h, nil
}

// mostReasons is how many limits are named that are met, and of how many groups.
const mostReasons = 8

// reason names the limits that are met; "" if none is.
func (w *weigher) reason(ctx context.Context, r Reader) (string, error) {
	var met []string
	for _, of := range w.ordered() {
		why := w.cfg.limitOf(of).Exceeded(w.lost[of], w.all[of])
		if why == "" {
			continue
		}
		if len(met) == mostReasons {
			met = append(met, "and so on")
			break
		}
		name := of.key
		if of.change == proto.ChangeMembership && of.key != "" {
			rows, err := r.Rows(ctx, proto.KindGroup, []string{of.key})
			if err != nil {
				return "", err
			}
			for _, row := range rows {
				name = row.Name
			}
		}
		met = append(met, fmt.Sprintf("%s: %s", of.would(w.lost[of], w.all[of], name), why))
	}
	return strings.Join(met, "; "), nil
}

// ordered are the respects in which something is lost: the gravest first, of the groups and columns those that lose most.
func (w *weigher) ordered() []respect {
	rank := func(r respect) int {
		return slices.IndexFunc([]respect{usersRemoved, groupsRemoved, superuserLost, staffLost, deactivated, allMemberships}, func(of respect) bool { return of == r })
	}
	return slices.SortedFunc(maps.Keys(w.lost), func(a, b respect) int {
		ra, rb := rank(a), rank(b)
		if ra < 0 && rb < 0 {
			return cmp.Or(strings.Compare(b.change, a.change), cmp.Compare(w.lost[b], w.lost[a]), strings.Compare(a.key, b.key))
		}
		return cmp.Compare(uint(ra), uint(rb)) // -1 is the largest
	})
}

// would says what would be lost in a respect: n of all.
func (r respect) would(n, all int, name string) string {
	of := func(many string) string { return fmt.Sprintf("%d of %d %s", n, all, many) }
	switch r.change {
	case proto.ChangeRemoved:
		return of(r.key+"s") + " would count as removed"
	case proto.ChangeMembership:
		if r.key == "" {
			return of("memberships") + " would be taken"
		}
		return fmt.Sprintf("%d of %d members would leave the group %s", n, all, name)
	case proto.ChangeStaff:
		return of("staff users") + " would lose staff status or count as removed"
	case proto.ChangeSuperuser:
		return of("superusers") + " would lose superuser status or count as removed"
	case proto.ChangeActive:
		return of("active users") + " would be deactivated"
	}
	return of("users") + " would lose their " + name
}

// takeMembers counts the memberships of groups that are removed which no change of a member's takes.
func (w *weigher) takeMembers() {
	for _, pk := range w.groups {
		group := respect{proto.ChangeMembership, pk}
		w.lost[allMemberships] += w.all[group] - w.lost[group]
		w.lost[group] = w.all[group]
	}
}

// mayTake weighs what it takes to bring the target to a state. It returns what stops that, after it was written down; nil if it may go on, since no limit is
// met or a person has approved it. ErrMoved: it was weighed at another checkpoint than the present one.
func (a *Applier) mayTake(ctx context.Context, cp *Checkpoint, change string, state *proto.State, yes []Approval) (*Held, error) {
	if !a.cfg.limited() {
		return nil, nil
	}
	var found Replayed
	err := a.retry(ctx, func() error {
		return a.lookFrom(ctx, cp, func(r Reader) error {
			found = Replayed{}
			if nothing, err := a.isEmpty(ctx, r); nothing || err != nil {
				return err
			}
			p := previewer{Applier: a, over: newOverlay(r), sum: &found.Summary, each: func(proto.Kind, Change) {}, most: overlayUsers}
			p.over.forgetLetters(a.cfg.Source)
			return p.replay(ctx, change, state, &found)
		})
	})
	if err != nil || found.Stopped == nil {
		return nil, err
	}
	h := *found.Stopped
	for _, y := range yes {
		if y.Hash == h.Hash {
			h.Decision, h.By, h.Why, h.At = Approved, y.By, y.Why, a.cfg.Now()
			return nil, a.holdReplay(ctx, cp, h)
		}
	}
	return &h, a.holdReplay(ctx, cp, h)
}

// isEmpty tells whether the target has no users, and nothing of the source: nothing can be taken from it.
func (a *Applier) isEmpty(ctx context.Context, r Reader) (bool, error) {
	for _, kind := range kinds {
		if links, err := r.LinksAfter(ctx, a.cfg.Source, kind, "", 1); err != nil || len(links) > 0 {
			return false, err
		}
	}
	_, all, err := r.ListUnlinked(ctx)
	return all == 0, err
}

// HoldReplay writes down what PreviewReplay or PreviewRelease has told to be stopped, so that it can be shown and decided about.
func (a *Applier) HoldReplay(ctx context.Context, h Held) error {
	return a.unmoved(ctx, func(cp *Checkpoint) error { return a.holdReplay(ctx, cp, h) })
}

// holdReplay writes down what is held, in the place of what other replays would have taken.
func (a *Applier) holdReplay(ctx context.Context, cp *Checkpoint, h Held) error {
	rows, err := a.heldRows(ctx)
	if err != nil {
		return err
	}
	put, over := &h, []Held{}
	for _, row := range rows {
		_, is := row.Replay()
		switch {
		case !is || row.Source != h.Source:
		case row.Hash == h.Hash && row.Change == h.Change && row.Decision == h.Decision:
			put = nil
		case row.Change != h.Change || row.Decision != Approved:
			over = append(over, row)
		}
	}
	return a.replaceHeld(ctx, cp, over, put)
}

// forgetReplays forgets what replays held, once one is done, or won't be. keep is the change of those that are remembered.
func (a *Applier) forgetReplays(ctx context.Context, cp *Checkpoint, keep string) error {
	rows, err := a.heldRows(ctx)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(row Held) bool {
		_, is := row.Replay()
		return !is || row.Source != a.cfg.Source || row.Change == keep
	})
	return a.replaceHeld(ctx, cp, rows, nil)
}

// replayIsOver tells of what a replay held whether nobody waits for it in a target that follows the stream: it is released, a person was against it, or it was
// shown long ago: before a full snapshot ended.
func (h Held) replayIsOver(full bool) bool {
	_, is := h.Replay()
	return is && (h.Change == ChangeRelease || h.Decision == Rejected || h.Decision == Undecided && full)
}

// approvedRemovals are the keys of the entries of a source whose removal by the replay of a change a person has approved.
func approvedRemovals(source, change string, rows []Held) map[[16]byte]bool {
	approved := map[[16]byte]bool{}
	for _, row := range rows {
		if row.Source != source || row.Change != change || row.Decision != Approved {
			continue
		}
		for _, l := range row.losers() {
			if l.removed() {
				approved[l.key()] = true
			}
		}
	}
	return approved
}
