package extractor

import (
	"context"
	"fmt"

	"ldapsync/proto"
)

// keepForUnread keeps the groups of users who stay as they are without having been weighed: those who are held and weren't seen or couldn't be read, and
// everybody where users aren't read. Of the latter nobody can tell whether they have left the group, so that its removal is held.
func (p *pass) keepForUnread(ctx context.Context) error {
	if len(p.gone[proto.KindGroup]) == 0 {
		return nil
	}
	members := map[string]int{}
	for was, err := range p.lastKnown(ctx, proto.KindUser, p.unweighed()) {
		if err != nil {
			return err
		}
		for _, id := range was.user.GetGroupIds() {
			if g, gone := p.goneGroups[id]; gone && !g.approved {
				members[id]++
			}
		}
	}
	if p.cfg.Users {
		for id := range members {
			p.keptBy[id] = true
		}
	} else if len(members) > 0 {
		p.holdForUnread(members)
	}
	return nil
}

// unweighed are the users who stay as they are without having been weighed.
func (p *pass) unweighed() []*known {
	var users []*known
	for k := range p.state.kinds[proto.KindUser].all() {
		if !p.cfg.Users || k.is(flagHeld) && (!k.is(flagSeen) || k.is(flagSkipped)) {
			users = append(users, k)
		}
	}
	return users
}

// holdForUnread holds the removal of the groups that have members: their number by the ids of the groups.
func (p *pass) holdForUnread(members map[string]int) {
	kept, n := map[*known]bool{}, 0
	for id, count := range members {
		kept[p.goneGroups[id].known] = true
		n += count
	}
	r := removal(proto.KindGroup)
	ahead := p.gone[proto.KindGroup][:0]
	for _, k := range p.gone[proto.KindGroup] {
		if !kept[k] {
			ahead = append(ahead, k)
			continue
		}
		p.hold(r, false, k, proto.Digest{})
	}
	p.gone[proto.KindGroup] = ahead
	w := p.weights[r]
	w.reason, w.of = fmt.Sprintf("users aren't read, and %s would go with it", counted(n, "membership", "memberships")), p.present(proto.KindGroup)
}
