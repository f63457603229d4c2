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
// groups, or a flag that a group gives, is looked at again, because groups and users aren't read at the same moment; and nobody loses a
// group whose removal is held. If nothing is left of a change then, it isn't published, and the baseline stays.
func (p *pass) publishUsers(ctx context.Context, changed []changedUser) error {
	was, err := p.formerly(ctx, changed)
	if err != nil {
		return err
	}
	for _, c := range changed {
		if former := was[c.known.key]; former != nil {
			if p.losesAll(c.user, former) {
				if err := p.regroup(ctx, c.user, c.join); err != nil {
					return err
				}
			}
			p.keepHeld(c.user, former.GetGroupIds())
		}
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

// formerly returns what the stream says of those of the users for whom it matters.
func (p *pass) formerly(ctx context.Context, changed []changedUser) (map[key]*proto.User, error) {
	var ask []*known
	for _, c := range changed {
		if p.cfg.Groups && (len(p.held) > 0 || len(c.user.GetGroupIds()) == 0) || p.lacksGroupFlag(c.user) {
			ask = append(ask, c.known)
		}
	}
	former := map[key]*proto.User{}
	for was, err := range p.lastKnown(ctx, proto.KindUser, ask) {
		if err != nil {
			return nil, err
		}
		former[was.known.key] = was.user
	}
	return former, nil
}

// lacksGroupFlag tells whether a group gives a flag that the user doesn't have.
func (p *pass) lacksGroupFlag(u *proto.User) bool {
	for i, rule := range p.cfg.Flags.rules() {
		if rule != nil && rule.Group != "" && !flagOf(u, i) {
			return true
		}
	}
	return false
}

// losesAll tells whether a user loses her last group, or a flag that a group gives.
func (p *pass) losesAll(u, former *proto.User) bool {
	for i, rule := range p.cfg.Flags.rules() {
		if rule != nil && rule.Group != "" && flagOf(former, i) && !flagOf(u, i) {
			return true
		}
	}
	return p.cfg.Groups && len(former.GetGroupIds()) > 0 && len(u.GetGroupIds()) == 0
}

func flagOf(u *proto.User, i int) bool {
	return [...]bool{u.GetActive(), u.GetStaff(), u.GetSuperuser()}[i]
}

// regroup asks the directory for a user's groups once more, and gives her what follows from them.
func (p *pass) regroup(ctx context.Context, u *proto.User, r Record) error {
	groups, err := p.session.GroupsOf(ctx, r)
	if err != nil {
		return err
	}
	numbers, err := p.flagGroupsOf(ctx, r)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if n, ok := p.members.number(g.ID); ok {
			numbers = append(numbers, n)
		}
	}
	numbers = p.members.closure(unique(append(numbers, p.members.of(r, p.cfg.Nested)...)), p.cfg.Nested)
	if p.cfg.Groups {
		u.GroupIds = p.groupIDs(numbers)
	}
	for i, rule := range p.cfg.Flags.rules() {
		if rule == nil || rule.Group == "" {
			continue
		}
		set := slices.Contains(numbers, p.flags[i])
		*[...]**bool{&u.Active, &u.Staff, &u.Superuser}[i] = &set
	}
	return nil
}

// flagGroupsOf returns the numbers of the groups that give flags and name the user now. They are read again once a pass.
func (p *pass) flagGroupsOf(ctx context.Context, r Record) ([]uint32, error) {
	if p.again == nil {
		again := newMemberships()
		for i, rule := range p.cfg.Flags.rules() {
			if rule == nil || rule.Group == "" {
				continue
			}
			g, err := p.flagGroup(ctx, i, rule)
			if err != nil {
				return nil, err
			}
			again.group(rule.Group, g)
		}
		again.sort()
		p.again = again
	}
	var numbers []uint32
	for _, n := range p.again.of(r, false) {
		for i, rule := range p.cfg.Flags.rules() {
			if rule != nil && foldDN(rule.Group) == foldDN(p.again.ids[n]) {
				numbers = append(numbers, p.flags[i])
			}
		}
	}
	return numbers, nil
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
