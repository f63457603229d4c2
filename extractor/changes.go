package extractor

import (
	"context"

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
	return p.publishUsers(ctx)
}

// publishUsers publishes the changed users of whom nothing is held.
func (p *pass) publishUsers(ctx context.Context) error {
	for s, err := range p.weighed.all() {
		if err != nil {
			return err
		}
		k := p.state.kinds[proto.KindUser].find(s.key)
		if k.is(flagHeld) {
			continue
		}
		u, err := decodeUser(s.entry)
		if err != nil {
			return err
		}
		if err := p.out.user(ctx, k, u, s.digest, proto.Retained_RETAINED_UNSPECIFIED, s.losses); err != nil {
			return err
		}
	}
	for was, err := range p.lastKnown(ctx, proto.KindUser, p.returned()) {
		if err != nil {
			return err
		}
		if err := p.repeat(ctx, was, proto.Retained_RETAINED_UNSPECIFIED); err != nil {
			return err
		}
	}
	return p.out.flushUsers(ctx)
}

// returned are the users who were missing and are back, but with a change that is held, or unreadable: they return as last known.
func (p *pass) returned() []*known {
	var back []*known
	for key := range p.state.since {
		k := p.state.kinds[proto.KindUser].find(key)
		if k.is(flagMissing) && k.is(flagSeen) && k.is(flagHeld|flagSkipped) && !k.is(flagCarried) {
			back = append(back, k)
		}
	}
	return back
}
