package extractor

import (
	"context"
	"slices"

	"ldapsync/proto"
)

// publishChanges publishes what is in the spools: groups first.
func (p *pass) publishChanges(ctx context.Context) error {
	for s, err := range p.spools[proto.KindGroup].all() {
		if err != nil {
			return err
		}
		g, err := decodeGroup(s.entry)
		if err != nil {
			return err
		}
		k := p.state.kinds[proto.KindGroup].find(s.key)
		if err := p.out.group(ctx, k, g, proto.DigestGroup(g), proto.Retained_RETAINED_UNSPECIFIED); err != nil {
			return err
		}
	}
	if err := p.out.flushGroups(ctx); err != nil {
		return err
	}
	var chunk []changedUser
	for s, err := range p.spools[proto.KindUser].all() {
		if err != nil {
			return err
		}
		u, err := decodeUser(s.entry)
		if err != nil {
			return err
		}
		chunk = append(chunk, changedUser{known: p.state.kinds[proto.KindUser].find(s.key), user: u, join: s.join})
		if len(chunk) == secondLook {
			if err := p.publishUsers(ctx, chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if err := p.publishUsers(ctx, chunk); err != nil {
		return err
	}
	return p.out.flushUsers(ctx)
}

// changedUser is a known user whose digest isn't the baseline's.
type changedUser struct {
	known *known
	user  *proto.User
	join  Record
}

// publishUsers publishes changed users. Two things are judged by what the stream last said of them: a user who would lose all her
// groups is looked at again, because groups and users aren't read at the same moment; and nobody loses a group whose removal is
// held. If nothing is left of a change then, it isn't published, and the baseline stays.
func (p *pass) publishUsers(ctx context.Context, changed []changedUser) error {
	was, err := p.formerGroups(ctx, changed)
	if err != nil {
		return err
	}
	for _, c := range changed {
		former := was[c.known.key]
		if len(former) > 0 && len(c.user.GetGroupIds()) == 0 {
			if err := p.regroup(ctx, c.user, c.join); err != nil {
				return err
			}
		}
		p.keepHeld(c.user, former)
		d := proto.DigestUser(c.user)
		if d == c.known.digest {
			p.sum.Users.Changed--
			p.sum.Users.Unchanged++
			if !p.sum.Full {
				continue
			}
		}
		if err := p.out.user(ctx, c.known, c.user, d, proto.Retained_RETAINED_UNSPECIFIED); err != nil {
			return err
		}
	}
	return nil
}

// formerGroups returns the groups that the stream gives to those of the users for whom they matter.
func (p *pass) formerGroups(ctx context.Context, changed []changedUser) (map[key][]string, error) {
	var ask []*known
	for _, c := range changed {
		if p.cfg.Groups && (len(p.held) > 0 || len(c.user.GetGroupIds()) == 0) {
			ask = append(ask, c.known)
		}
	}
	former := map[key][]string{}
	for was, err := range p.lastKnown(ctx, proto.KindUser, ask) {
		if err != nil {
			return nil, err
		}
		former[was.known.key] = was.user.GetGroupIds()
	}
	return former, nil
}

// regroup asks the directory for a user's groups once more.
func (p *pass) regroup(ctx context.Context, u *proto.User, r Record) error {
	groups, err := p.session.GroupsOf(ctx, r)
	if err != nil {
		return err
	}
	var numbers []uint32
	for _, g := range groups {
		if n, ok := p.members.byDN[foldDN(g.DN)]; ok {
			numbers = append(numbers, n)
		}
	}
	u.GroupIds = p.groupIDs(numbers)
	return nil
}

// keepHeld gives a user back the groups whose removal is held.
func (p *pass) keepHeld(u *proto.User, former []string) {
	for _, id := range former {
		if p.held[id] && !slices.Contains(u.GroupIds, id) {
			u.GroupIds = append(u.GroupIds, id)
		}
	}
	slices.Sort(u.GroupIds)
}
