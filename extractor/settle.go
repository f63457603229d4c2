package extractor

import (
	"context"
	"maps"
	"strings"

	"ldapsync/proto"
)

// making names a hold in the making.
type making struct {
	respect
	rejected bool
}

// goneGroup is a group that the directory doesn't have any more.
type goneGroup struct {
	known    *known
	name     string
	held     bool // its removal waits
	approved bool // a person approved it
}

// knowGoneGroups learns the ids and names of the groups that are gone: users are told by them.
func (p *pass) knowGoneGroups(ctx context.Context) error {
	gone := append([]*known(nil), p.gone[proto.KindGroup]...)
	for k := range p.state.kinds[proto.KindGroup].all() {
		if k.is(flagHeld) {
			gone = append(gone, k)
		}
	}
	for was, err := range p.lastKnown(ctx, proto.KindGroup, gone) {
		if err != nil {
			return err
		}
		p.goneGroups[was.id()] = goneGroup{
			known: was.known, name: nameOf(was.group, p.cfg.GroupName),
			held:     was.known.is(flagHeld),
			approved: p.approved(proto.KindGroup, was.known.key) != "",
		}
	}
	return nil
}

// withholdGroups keeps the groups that held users keep: they aren't removed before those have left them. Where a person approved that a group is
// removed, its members lose nothing, and don't keep it.
func (p *pass) withholdGroups() {
	ahead := p.gone[proto.KindGroup][:0]
	kept := map[*known]bool{}
	for id := range p.keptBy {
		if g, ok := p.goneGroups[id]; ok {
			kept[g.known] = true
		}
	}
	for _, k := range p.gone[proto.KindGroup] {
		if kept[k] {
			p.stays(proto.KindGroup, k)
		} else {
			ahead = append(ahead, k)
		}
	}
	p.gone[proto.KindGroup] = ahead
}

// settle makes the holds that are in effect from this pass on.
func (p *pass) settle() {
	before := &p.state.held.now
	for to, entries := range p.making {
		h := newHold(to.respect, to.rejected, entries)
		h.name = p.nameIn(to.respect)
		wasOpen, wasRejected := before.in(to.respect)
		for _, was := range []*hold{wasOpen, wasRejected} { // the later one of the same kind counts
			if was == nil || was.rejected && !to.rejected {
				continue
			}
			h.reason, h.of, h.since = was.reason, was.of, was.since
			if h.name == "" {
				h.name = was.name
			}
		}
		if h.reason == "" && wasRejected != nil {
			h.reason, h.of = "it was rejected, and is another change now", wasRejected.of
		}
		if w := p.weights[to.respect]; !to.rejected && w != nil && w.reason != "" {
			h.reason, h.of = w.reason, p.holders(to.respect, w.of)
		}
		p.held.holds = append(p.held.holds, h)
	}
	for _, h := range before.holds {
		if !p.reads(h.kind) {
			p.held.holds = append(p.held.holds, p.unreadHold(h))
		}
	}
	p.held.sort()
	for _, h := range p.held.holds {
		p.sum.Held = append(p.sum.Held, h.summary())
	}
}

// unreadHold is what becomes of a hold of a kind that isn't read: it stays as it is, but a person can still reject it.
func (p *pass) unreadHold(h *hold) *hold {
	for _, r := range p.rulings {
		if r.hold == h && r.decides(proto.Decision_DECISION_REJECT) {
			r.entries = h.len()
			refused := *h
			refused.rejected = true
			return &refused
		}
	}
	return h
}

// canRefuse tells whether a hold of a kind that isn't read can be rejected: not if something was rejected in that respect before, since those entries would have to
// be put together with these.
func (p *pass) canRefuse(h *hold) bool {
	_, rejected := p.state.held.now.in(h.respect)
	return rejected == nil
}

// carryOver keeps what is held of changes that this pass couldn't see, as it was shown: nobody knows whether they are healed.
func (p *pass) carryOver(before *holding) {
	if !p.cfg.Users {
		return
	}
	leaving := p.leaving()
	for _, h := range before.holds {
		if h.kind != proto.KindUser || h.change == proto.ChangeRemoved {
			continue
		}
		held, openly := p.holdsNow(h)
		for n := range h.len() {
			k := p.state.kinds[proto.KindUser].find(key(h.entries[16*n:]))
			if k == nil || k.is(flagRemoved) || leaving[k] || held[k.key] || !openly[k.key] && !p.unseen(h, k, h.digest(n)) {
				continue
			}
			p.hold(h.respect, h.rejected || p.reject(h.respect, k.key, h.digest(n)), k, h.digest(n))
		}
	}
}

// leaving are the users whom this pass removes.
func (p *pass) leaving() map[*known]bool {
	leaving := map[*known]bool{}
	for _, k := range p.overdue {
		leaving[k] = true
	}
	if p.cfg.Grace == 0 {
		for _, k := range p.gone[proto.KindUser] {
			leaving[k] = true
		}
	}
	return leaving
}

// holdsNow are those whom this pass holds so far in the respect of a hold, so that this one needn't. A rejection outlives that its entry is held openly for another
// change, or because it is gone: it may be back as it was, and no approval in another respect releases it.
func (p *pass) holdsNow(h *hold) (held, openly map[key]bool) {
	keys := func(rejected bool) map[key]bool {
		all := map[key]bool{}
		for _, e := range p.making[making{h.respect, rejected}] {
			all[e.key] = true
		}
		return all
	}
	held, openly = keys(true), keys(false)
	if h.rejected {
		return held, openly
	}
	maps.Copy(held, openly)
	return held, nil
}

// unseen tells whether this pass can't tell what has become of a change that was held, and that would have this digest: the listing lacked her and she stays
// nevertheless, she couldn't be read, or it is of memberships, which aren't read.
func (p *pass) unseen(h *hold, k *known, digest proto.Digest) bool {
	switch {
	case isGone(digest): // judged already, or back
		return false
	case !k.is(flagSeen), k.is(flagSkipped):
		return true
	}
	return h.change == proto.ChangeMembership && p.unasked(k.key)
}

// unasked tells whether memberships of a user are held and aren't read, so that she stays as last known, unless a person approves one of those holds: then it is
// forgotten, and what she loses is asked anew once they are read.
func (p *pass) unasked(k key) bool {
	if p.cfg.Groups {
		return false
	}
	for _, r := range p.rulings {
		if r.decides(proto.Decision_DECISION_APPROVE) && r.hold.change == proto.ChangeMembership && r.hold.has(k) {
			return false
		}
	}
	for r, of := range p.state.held.now.index {
		if r.change == proto.ChangeMembership && (of.open.has(k) || of.rejected.has(k)) {
			return true
		}
	}
	return false
}

// nameIn is the name of the group or the attribute that a respect is about, for people.
func (p *pass) nameIn(r respect) string {
	switch {
	case r.key == "":
		return ""
	case r.change == proto.ChangeAttribute:
		return p.spelling[r.key]
	}
	if g, ok := p.goneGroups[r.key]; ok {
		return g.name
	}
	if n, ok := p.members.number(r.key); ok {
		return p.members.names[n]
	}
	return ""
}

// holders is of how many entries a hold is: of users with a membership, where of counts memberships.
func (p *pass) holders(r respect, of int) int {
	if r == allMemberships() {
		return p.census.grouped
	}
	return of
}

// nameOf is the first value of the first of these attributes that a group has, or its DN.
func nameOf(g *proto.Group, attributes []string) string {
	for _, name := range attributes {
		for _, a := range g.GetAttributes() {
			if strings.EqualFold(a.GetName(), name) && hasValue(a) && len(a.GetValues()) > 0 {
				return a.GetValues()[0]
			}
		}
	}
	return g.GetDn()
}
