package extractor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ldapsync/proto"
)

// fewestDigits is how much of a hash a verdict names at least.
const fewestDigits = 8

// ruling is a verdict, the hold that it is about, and what came of it.
type ruling struct {
	verdict *proto.Verdict
	hold    *hold  // nil if there is none, and then note says why
	note    string // why it is without effect
	entries int    // released, or rejected
}

// rule finds for each verdict the hold that it names. Of several about one hold the last counts.
func (h *holding) rule(verdicts []*proto.Verdict) []*ruling {
	var all []*ruling
	for _, v := range verdicts {
		r := &ruling{verdict: v}
		r.hold, r.note = h.named(strings.ToLower(v.GetHash()))
		if d := v.GetDecision(); r.hold != nil && d != proto.Decision_DECISION_APPROVE && d != proto.Decision_DECISION_REJECT {
			r.hold, r.note = nil, "neither approved nor rejected"
		}
		for _, before := range all {
			if r.hold != nil && before.hold == r.hold {
				before.note = "a later decision takes its place"
			}
		}
		all = append(all, r)
	}
	return all
}

// named returns the hold of which these are the first digits of the hash, or why there is none.
func (h *holding) named(digits string) (*hold, string) {
	if len(digits) < fewestDigits {
		return nil, fmt.Sprintf("%q is too short: %d digits of the hash are needed", digits, fewestDigits)
	}
	var found *hold
	for _, held := range h.holds {
		switch {
		case !strings.HasPrefix(held.hash, digits):
		case found != nil:
			return nil, fmt.Sprintf("the hashes of several holds begin with %s", digits)
		default:
			found = held
		}
	}
	if found == nil {
		return nil, "nothing of this hash is held: it has changed since, or dissolved"
	}
	return found, ""
}

// decides tells whether the ruling is in effect, and decides in this way.
func (r *ruling) decides(d proto.Decision) bool {
	return r.hold != nil && r.note == "" && r.verdict.GetDecision() == d
}

// carries tells whether the ruling decides about this entry in this way: its hold has it, and as it is now.
func (r *ruling) carries(d proto.Decision, kind proto.Kind, k key, digest proto.Digest) bool {
	return r.decides(d) && r.hold.kind == kind && r.hold.shown(k, digest)
}

// release tells whether a person approved what happens to an entry, which loses something in these respects, and counts it. What was rejected in one of them
// is released only by an approval of that.
func (p *pass) release(kind proto.Kind, k key, digest proto.Digest, lost []respect) bool {
	if p.refused(k, digest, lost) {
		return false
	}
	released := false
	for _, r := range p.rulings {
		if p.approves(r, kind, k, digest) {
			r.entries++
			released = true
		}
	}
	return released
}

// refused tells whether a person rejected what an entry loses in one of these respects, or what it was to lose before it changed once more, and nobody approves a
// hold of that respect now.
func (p *pass) refused(k key, digest proto.Digest, lost []respect) bool {
	for _, r := range lost {
		_, rejected := p.state.held.now.in(r)
		if rejected.has(k) && !slices.ContainsFunc(p.rulings, func(ruling *ruling) bool {
			return ruling.hold != nil && ruling.hold.respect == r && ruling.carries(proto.Decision_DECISION_APPROVE, r.kind, k, digest)
		}) {
			return true
		}
	}
	return false
}

// approves tells whether a ruling lets happen what happens to an entry.
func (p *pass) approves(r *ruling, kind proto.Kind, k key, digest proto.Digest) bool {
	return r.carries(proto.Decision_DECISION_APPROVE, kind, k, digest) && (!isGone(digest) || p.untold(r.hold) == "")
}

// untold is why this pass can't tell whether the entries that were gone when a person saw the hold are gone still, so that none of them is removed: entries have no
// id, the directory was asked another question, or it lists nothing, and that isn't what was shown. "" if it can.
func (p *pass) untold(h *hold) string {
	switch {
	case p.noID[h.kind] > 0:
		return p.doubt(h.kind)
	case p.changed != "":
		return p.changed
	case p.empty[h.kind] && h.len() < p.present(h.kind):
		return p.doubt(h.kind)
	}
	return ""
}

// approved returns the hash of the hold by which a person approved that an entry is removed; "" if nobody did.
func (p *pass) approved(kind proto.Kind, k key) string {
	for _, r := range p.rulings {
		if p.approves(r, kind, k, proto.Digest{}) {
			return r.hold.hash
		}
	}
	return ""
}

// reject tells whether a person rejected that an openly held entry loses something in a respect, and counts it.
func (p *pass) reject(in respect, k key, digest proto.Digest) bool {
	for _, r := range p.rulings {
		if r.hold != nil && r.hold.respect == in && !r.hold.rejected &&
			r.carries(proto.Decision_DECISION_REJECT, in.kind, k, digest) {
			r.entries++
			return true
		}
	}
	return false
}

// overrule makes the rulings that can't have an effect in this pass say so.
func (p *pass) overrule() {
	for _, r := range p.rulings {
		switch h := r.hold; {
		case h == nil, r.note != "":
		case !p.reads(h.kind) && r.decides(proto.Decision_DECISION_REJECT) && p.canRefuse(h):
		case !p.reads(h.kind) && r.decides(proto.Decision_DECISION_REJECT):
			r.note = fmt.Sprintf("%ss aren't read, and others of them were rejected before: reject these when %ss are read again", h.kind, h.kind)
		case !p.reads(h.kind):
			r.note = fmt.Sprintf("%ss aren't read, so nothing happens to them: set the filter for %ss again and approve then, or reject this", h.kind, h.kind)
		case h.change == proto.ChangeRemoved && r.decides(proto.Decision_DECISION_APPROVE) && p.untold(h) != "":
			r.note = fmt.Sprintf("%s: none of that kind is removed; look again", p.untold(h))
		case h.rejected && r.verdict.GetDecision() == proto.Decision_DECISION_REJECT:
			r.note = "it is rejected already"
		}
	}
}

// publishDecided publishes what was done about each verdict.
func (p *pass) publishDecided(ctx context.Context) error {
	for _, r := range p.rulings {
		m := &proto.SnapshotDecided{Snapshot: p.out.snapshot, Verdict: r.verdict, Entries: uint64(r.entries), Note: r.note}
		if r.hold != nil {
			m.Hold = r.hold.proto()
			if rest := r.hold.len() - r.entries; rest > 0 && r.note == "" {
				m.Note = p.rest(r.hold, rest)
			}
		}
		p.sum.Decided = append(p.sum.Decided, m)
		if _, err := p.out.event(ctx, proto.TypeSnapshotDecided, m); err != nil {
			return err
		}
	}
	return nil
}

// rest says why a verdict had no effect on n of the entries of a hold.
func (p *pass) rest(h *hold, n int) string {
	note := fmt.Sprintf("%d of %d have changed since they were shown, or are as they were before", n, h.len())
	if n == 1 {
		note = fmt.Sprintf("1 of %d has changed since it was shown, or is as it was before", h.len())
	}
	if untold := p.untold(h); untold != "" && h.hasGone() {
		note += "; " + untold
	}
	return note
}
