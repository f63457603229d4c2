package main

import (
	"fmt"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/extractor"
	"ldapsync/proto"
)

// holdView is what waits for a person, as --json prints it.
type holdView struct {
	Source   string     `json:"source"`
	Target   string     `json:"target,omitempty"` // whose accounts it is about, where it isn't the source's entries
	Hash     string     `json:"hash"`
	Kind     proto.Kind `json:"kind"`
	Change   string     `json:"change"`
	Key      string     `json:"key,omitempty"`  // the group's id, or the attribute's folded name
	Name     string     `json:"name,omitempty"` // the group's or the attribute's
	Count    int        `json:"count"`
	Of       int        `json:"of"`
	Reason   string     `json:"reason"`
	Rejected bool       `json:"rejected"`
	Since    *time.Time `json:"since,omitempty"` // absent in the snapshot that held it first
	Asked    *askedView `json:"asked,omitempty"` // a decision that no pass has carried out yet
}

// askedView is a decision that waits for a pass.
type askedView struct {
	Decision string `json:"decision"` // approve or reject
	By       string `json:"by"`
	Reason   string `json:"reason"`
}

func newHoldView(source string, h extractor.Hold) holdView {
	v := holdView{
		Source: source, Hash: h.Hash, Kind: h.Kind, Change: h.Change, Key: h.Key, Name: h.Name,
		Count: h.Count, Of: h.Of, Reason: h.Reason, Rejected: h.Rejected,
	}
	if !h.Since.IsZero() {
		v.Since = &h.Since
	}
	return v
}

// isReplay tells whether it is what a replay, or the release from one, would take.
func (h holdView) isReplay() bool {
	_, is := applier.Held{Change: h.Change}.Replay()
	return h.Target != "" && is
}

// short is enough of the hash for a person to type.
func (h holdView) short() string { return shortHash(h.Hash) }

func shortHash(hash string) string { return hash[:min(8, len(hash))] }

// what says what would happen, of how many.
func (h holdView) what() string {
	n := func(one, many string) string { return counted(h.Count, h.Of, one, many) }
	switch h.Change {
	case proto.ChangeRemoved:
		return n(string(h.Kind), string(h.Kind)+"s") + " would be removed"
	case proto.ChangeMembership:
		if h.Key == "" {
			return plural(h.Count, "user", "users") + " would lose memberships in groups"
		}
		return n("member", "members") + " would leave the group " + printable(h.label())
	case proto.ChangeStaff, proto.ChangeSuperuser:
		status := h.Change + " status"
		if strings.Contains(h.Reason, extractor.MatchesNobody) { // who has it isn't known
			return n("user", "users") + " would lose " + status + ", where they have it"
		}
		who := map[string]string{proto.ChangeStaff: "staff user", proto.ChangeSuperuser: "superuser"}[h.Change]
		return n(who, who+"s") + " would lose " + status + " or be removed"
	case proto.ChangeActive:
		return n("active user", "active users") + " would be deactivated by the active flag"
	case proto.ChangeAttribute:
		return n("user", "users") + " would lose all values of " + printable(h.label())
	case applier.ChangeOrphans:
		return n("account", "accounts") + " would count as removed: no entry of the directory stands behind them"
	case applier.ChangeSweep:
		return plural(h.Count, "account or group", "accounts and groups") + " would count as removed: the snapshot that was caught up with doesn't have them"
	}
	if snapshot, is := (applier.Held{Change: h.Change}).Replay(); is {
		doing := "the release"
		if snapshot != "" {
			doing = "replaying snapshot " + snapshot
		}
		return doing + " would take something from " + plural(h.Count, "account or group", "accounts and groups")
	}
	return n("account", "accounts") + ": " + h.Change // of a later version
}

// label is the name of the group or the attribute, as people know it.
func (h holdView) label() string {
	if h.Name != "" {
		return h.Name
	}
	return h.Key
}

// counted is "3 of 40 users", or "1 of 1 user".
func counted(n, of int, one, many string) string {
	if of == 1 {
		many = one
	}
	return fmt.Sprintf("%d of %d %s", n, of, many)
}

func plural(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// line is a hold in one line, with the command that shows it.
func (h holdView) line() string {
	return fmt.Sprintf("%s (%s): ldapsync held show %s", h.what(), h.why(), h.short())
}

// why is the reason, without the numbers that what has said.
func (h holdView) why() string {
	numbers := fmt.Sprintf("%d of %d", h.Count, h.Of)
	reason := strings.TrimPrefix(strings.TrimPrefix(h.Reason, numbers+": "), numbers+", ")
	return printable(reason)
}

// holds are several of them.
type holds []holdView

// open are those that nobody has rejected.
func (list holds) open() (open holds) {
	for _, h := range list {
		if !h.Rejected {
			open = append(open, h)
		}
	}
	return open
}

// print tells what is held, each with the command to type next.
func (list holds) print(w *lines) {
	list.printAs(w, func(h holdView) string { return "held: " + h.line() })
}

// preview tells what is held, and what would be: that can't be shown before a run has held it.
func (list holds) preview(w *lines) {
	list.printAs(w, func(h holdView) string {
		if h.Since != nil {
			return "held: " + h.line()
		}
		return fmt.Sprintf("would be held: %s (%s)", h.what(), h.why())
	})
}

func (list holds) printAs(w *lines, line func(holdView) string) {
	open := list.open()
	for i, h := range open {
		if i == most {
			w.line("  … and %d more: ldapsync held list", len(open)-most)
			break
		}
		w.line("  %s", line(h))
	}
	if rejected := len(list) - len(open); rejected > 0 {
		w.line("  rejected: %s as before: ldapsync held list", plural(rejected, "hold stays", "holds stay"))
	}
}

// decidedView is what a pass did about one decision.
type decidedView struct {
	Hash     string    `json:"hash"`
	Decision string    `json:"decision"` // approve or reject
	By       string    `json:"by"`
	Reason   string    `json:"reason"`
	Hold     *holdView `json:"hold"`    // nil: nothing of that hash was held
	Entries  uint64    `json:"entries"` // released, or rejected
	Note     string    `json:"note,omitempty"`
}

func newDecidedView(source string, d *proto.SnapshotDecided) decidedView {
	v := d.GetVerdict()
	view := decidedView{Hash: v.GetHash(), Decision: decisionName(v.GetDecision()), By: v.GetBy(), Reason: v.GetReason(), Entries: d.GetEntries(), Note: d.GetNote()}
	if h := d.GetHold(); h != nil {
		view.Hash = h.GetHash()
		view.Hold = &holdView{
			Source: source, Hash: h.GetHash(), Kind: proto.Kind(h.GetKind()), Change: h.GetChange(), Key: h.GetKey(), Name: h.GetName(),
			Count: int(h.GetCount()), Of: int(h.GetOf()), Reason: h.GetReason(), Rejected: h.GetRejected(),
		}
	}
	return view
}

func decisionName(d proto.Decision) string {
	switch d {
	case proto.Decision_DECISION_APPROVE:
		return "approve"
	case proto.Decision_DECISION_REJECT:
		return "reject"
	}
	return strings.ToLower(d.String())
}

// line says what was decided and what became of it.
func (d decidedView) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s by %s (%s)", map[bool]string{true: "rejected", false: "approved"}[d.Decision == "reject"], shortHash(printable(d.Hash)), printable(d.By), printable(d.Reason))
	switch {
	case d.Hold == nil:
		b.WriteString(": nothing of that hash is held")
	case d.Decision == "reject":
		fmt.Fprintf(&b, ": %d of its %d stay as they are", d.Entries, d.Hold.Count)
	default:
		fmt.Fprintf(&b, ": %d of its %d released", d.Entries, d.Hold.Count)
	}
	if d.Note != "" {
		fmt.Fprintf(&b, ": %s", printable(d.Note))
	}
	return b.String()
}
