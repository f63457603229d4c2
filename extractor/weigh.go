package extractor

import (
	"context"
	"slices"

	"ldapsync/proto"
)

// How many changed users are weighed at a time, and about how many bytes of them.
const (
	weighUsers = 4096
	weighBytes = 4 << 20
)

// changedUser is a known user whose digest isn't the baseline's.
type changedUser struct {
	known *known
	user  *proto.User
	join  Record
}

// weigh reads the changed users from their spool, finds what each loses, and passes them on to another spool, from which they are published.
func (p *pass) weigh(ctx context.Context) error {
	defer p.spools[proto.KindUser].close()
	chunk := map[key]changedUser{}
	size := 0
	for s, err := range p.spools[proto.KindUser].all() {
		if err != nil {
			return err
		}
		u, err := decodeUser(s.entry)
		if err != nil {
			return err
		}
		chunk[s.key] = changedUser{known: p.state.kinds[proto.KindUser].find(s.key), user: u, join: s.join}
		size += len(s.entry)
		if len(chunk) == weighUsers || size > weighBytes {
			if err := p.weighChunk(ctx, chunk); err != nil {
				return err
			}
			clear(chunk)
			size = 0
		}
	}
	return p.weighChunk(ctx, chunk)
}

// weighChunk compares changed users with what the stream last said of them, each message of which is fetched once.
func (p *pass) weighChunk(ctx context.Context, chunk map[key]changedUser) error {
	entries := make([]*known, 0, len(chunk))
	for _, c := range chunk {
		entries = append(entries, c.known)
	}
	for was, err := range p.lastKnown(ctx, proto.KindUser, entries) {
		if err != nil {
			return err
		}
		if err := p.weighUser(ctx, chunk[was.known.key], was.user); err != nil {
			return err
		}
	}
	return nil
}

// weighUser finds what a changed user loses. Two things may turn out not to be a change: a user who would lose all her groups, or a flag that a group
// gives, is looked at again, because groups and users aren't read at the same moment; and nobody loses a group whose removal is held. If
// nothing is left of a change then, it isn't published, and the baseline stays.
func (p *pass) weighUser(ctx context.Context, c changedUser, was *proto.User) error {
	p.census.asWas(was)
	for i := flagStaff; i <= flagSuperuser; i++ {
		if p.mayLose(i, c.user, was) {
			p.census.unsaid[i]++
		}
	}
	if p.losesAll(c.user, was) && !p.waitsAsIs(c, was) {
		if err := p.regroup(ctx, c.user, c.join); err != nil {
			return err
		}
	}
	p.keepHeld(c.user, was.GetGroupIds())
	if c.user.GetGroupsUnknown() {
		if p.unasked(c.known.key) {
			p.sum.Users.Changed--
			return nil
		}
		c.user.GroupIds = was.GetGroupIds() // until they are read again, and compared with these
	}
	next := spooled{key: c.known.key, digest: proto.DigestUser(c.user)}
	if next.digest == c.known.digest {
		p.sum.Users.Changed--
		p.sum.Users.Unchanged++
		if !p.sum.Full && !c.known.is(flagMissing) {
			return nil
		}
	} else if losses := p.lossesOf(c.user, was); !p.release(proto.KindUser, c.known.key, next.digest, respectsOf(losses)) {
		for i := range losses {
			l := &losses[i]
			l.standing = p.standingOf(l.respect, c.known.key, next.digest)
			p.weighs(l.respect, l.standing, l.n)
		}
		next.losses = losses
	}
	var err error
	if next.entry, err = proto.Marshal(proto.ContentTypeProtobuf, c.user); err != nil {
		return err
	}
	return p.weighed.add(next)
}

// losesAll tells whether a user loses her last group, or a flag that a group gives.
func (p *pass) losesAll(u, former *proto.User) bool {
	for i, rule := range p.cfg.Flags.rules() {
		if rule != nil && rule.Group != "" && flagOf(former, i) && !flagOf(u, i) {
			return true
		}
	}
	return p.cfg.Groups && len(u.GetGroupIds()) == 0 && slices.ContainsFunc(former.GetGroupIds(), func(id string) bool {
		_, gone := p.goneGroups[id] // it names nobody any more
		return !gone
	})
}

// waitsAsIs tells whether this very change of a user is held already, and nobody decides now: then the directory isn't asked about her again in each pass.
func (p *pass) waitsAsIs(c changedUser, was *proto.User) bool {
	if len(p.verdicts) > 0 || len(p.state.held.now.holds) == 0 {
		return false
	}
	u := proto.Clone(c.user)
	p.keepHeld(u, was.GetGroupIds())
	digest := proto.DigestUser(u)
	return slices.ContainsFunc(p.state.held.now.holds, func(h *hold) bool {
		return h.kind == proto.KindUser && h.shown(c.known.key, digest)
	})
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
		if p.goneGroups[id].held && !slices.Contains(u.GroupIds, id) {
			u.GroupIds = append(u.GroupIds, id)
		}
	}
	slices.Sort(u.GroupIds)
}
