package extractor

import (
	"context"

	"ldapsync/proto"
)

// privileges are the flags that a user takes along when she goes: losses in respects of their own.
type privileges struct{ staff, superuser bool }

// lostBy are the respects in which something may be lost when an entry of a kind goes.
func lostBy(kind proto.Kind) []respect {
	if kind == proto.KindGroup {
		return []respect{removal(kind)}
	}
	return []respect{removal(kind), {kind, proto.ChangeStaff, ""}, {kind, proto.ChangeSuperuser, ""}}
}

// addGone counts what is lost with a user who is gone.
func (t tally) addGone(u *proto.User) {
	was := [...]bool{true, u.GetStaff(), u.GetSuperuser()}
	for i, r := range lostBy(proto.KindUser) {
		if was[i] {
			t[r]++
		}
	}
}

// noteGone remembers the flags of a user whom the listing lacked.
func (p *pass) noteGone(was entryWas) {
	flags := privileges{was.user.GetStaff(), was.user.GetSuperuser()}
	if flags == (privileges{}) {
		return
	}
	if p.privileged == nil {
		p.privileged = map[key]privileges{}
	}
	p.privileged[was.known.key] = flags
}

// departure is an entry that is gone, and how its losses stand, in the order of lostBy.
type departure [3]standing

// depart weighs what is lost with an entry that is gone.
func (p *pass) depart(kind proto.Kind, k key) departure {
	had := p.privileged[k]
	was := [...]bool{true, had.staff, had.superuser}
	p.census.gone(had)
	var lost []respect
	for i, r := range lostBy(kind) {
		if was[i] {
			lost = append(lost, r)
		}
	}
	released := p.release(kind, k, proto.Digest{}, lost)
	d := departure{none, none, none}
	for i, r := range lostBy(kind) {
		if was[i] && !released {
			d[i] = p.standingOf(r, k, proto.Digest{})
			p.weighs(r, d[i], 1)
		}
	}
	return d
}

// judgeGone divides the entries that are gone into those whose removal goes ahead, which stay in p.gone and p.overdue, and those that are held. What changed
// users lose is weighed before.
func (p *pass) judgeGone(ctx context.Context, kind proto.Kind) error {
	departures := make([]departure, len(p.gone[kind]))
	for i, k := range p.gone[kind] {
		departures[i] = p.depart(kind, k.key)
	}
	for _, r := range lostBy(kind) {
		if err := p.limit(ctx, r); err != nil {
			return err
		}
	}
	ahead := p.gone[kind][:0]
	for i, k := range p.gone[kind] {
		if !p.holdGone(kind, k, departures[i]) {
			ahead = append(ahead, k)
		}
	}
	p.gone[kind] = ahead
	if kind == proto.KindUser {
		p.judgeOverdue()
	}
	return nil
}

// holdGone holds an entry that is gone in each respect in which one of its losses is held, and tells whether there is one.
func (p *pass) holdGone(kind proto.Kind, k *known, d departure) bool {
	held := false
	for i, r := range lostBy(kind) {
		if d[i] != none && (d[i] != fresh || p.reason(r) != "") {
			p.hold(r, d[i] == rejected, k, proto.Digest{})
			held = true
		}
	}
	return held
}
