package extractor

import (
	"context"
	"fmt"

	"ldapsync/proto"
)

// publishGone publishes what becomes of the entries that are gone and may go: they are removed, or, where there is a grace, users are missing first.
func (p *pass) publishGone(ctx context.Context) error {
	gone := p.gone[proto.KindUser]
	if p.cfg.Grace > 0 {
		p.newlyMissing(gone)
		gone = nil
	}
	if err := p.publishRemovals(ctx, proto.KindUser, append(gone, p.overdue...)); err != nil {
		return err
	}
	if err := p.publishRemovals(ctx, proto.KindGroup, p.gone[proto.KindGroup]); err != nil {
		return err
	}
	if p.sum.Full {
		if err := p.publishRetained(ctx); err != nil {
			return err
		}
	}
	return p.publishMissing(ctx)
}

// publishRemovals publishes the removal of entries that are gone, each as last known. Who has been missing was counted as a loss then.
func (p *pass) publishRemovals(ctx context.Context, kind proto.Kind, gone []*known) error {
	p.sum.counts(kind).Removed = uint64(len(gone))
	for was, err := range p.lastKnown(ctx, kind, gone) {
		if err != nil {
			return err
		}
		approved := p.approved(kind, was.known.key)
		if kind == proto.KindUser {
			_, err = p.out.event(ctx, proto.TypeUserRemoved, &proto.UserRemoved{
				Snapshot: p.out.snapshot, Reason: p.notFound(p.question.GetUserFilter()), User: was.user, Approved: approved,
			})
		} else {
			_, err = p.out.event(ctx, proto.TypeGroupRemoved, &proto.GroupRemoved{
				Snapshot: p.out.snapshot, Reason: p.notFound(p.question.GetGroupFilter()), Group: was.group, Approved: approved,
			})
		}
		if err != nil {
			return err
		}
		p.out.published++
		if approved == "" && !was.known.is(flagMissing) {
			if kind == proto.KindUser {
				p.out.lost.addGone(was.user)
			} else {
				p.out.lost[removal(kind)]++
			}
		}
		p.state.kinds[kind].remove(was.known.key)
	}
	return nil
}

func (p *pass) notFound(filter string) string {
	return fmt.Sprintf("nothing under %q matches %s with its %s", p.question.GetBases(), filter, p.idName(nil))
}

// publishRetained publishes, in a full snapshot, the last-known state of the entries that stay although the listing didn't
// give them: held, skipped, or of a kind that isn't read. Those who are missing follow by themselves.
func (p *pass) publishRetained(ctx context.Context) error {
	for _, kind := range []proto.Kind{proto.KindGroup, proto.KindUser} {
		var stay []*known
		for k := range p.state.kinds[kind].all() {
			if !k.is(flagCarried | flagMissing) {
				stay = append(stay, k)
			}
		}
		for was, err := range p.lastKnown(ctx, kind, stay) {
			if err != nil {
				return err
			}
			retained := proto.Retained_RETAINED_SKIPPED
			if was.known.is(flagHeld) {
				retained = proto.Retained_RETAINED_HELD
			}
			if err := p.repeat(ctx, was, retained); err != nil {
				return err
			}
		}
		if err := p.out.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// repeat publishes an entry as the stream last told of it.
func (p *pass) repeat(ctx context.Context, was entryWas, retained proto.Retained) error {
	if was.user != nil {
		return p.out.user(ctx, was.known, was.user, proto.DigestUser(was.user), retained, nil)
	}
	return p.out.group(ctx, was.known, was.group, proto.DigestGroup(was.group), retained)
}
