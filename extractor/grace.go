package extractor

import (
	"context"
	"slices"

	"ldapsync/proto"
)

// findOverdue divides the missing users that the listing lacked again into those whose grace is over, who are looked for once more, and those
// who go on waiting. Nobody's grace ends by a listing that can't tell who is gone.
func (p *pass) findOverdue(ctx context.Context, missing []*known) error {
	if len(missing) == 0 {
		return nil
	}
	now, err := p.now(ctx)
	if err != nil {
		return err
	}
	var over []*known
	for _, k := range missing {
		if now.Sub(p.state.since[k.key]) >= p.cfg.Grace && p.doubt(proto.KindUser) == "" {
			over = append(over, k)
		} else {
			p.waiting = append(p.waiting, k)
		}
	}
	p.young = len(p.waiting)
	p.overdue, err = p.lookForAll(ctx, proto.KindUser, over)
	return err
}

// judgeOverdue decides about the users whose grace is over. The limits were asked when they were found missing; but to another question it is no
// answer that they are missing still.
func (p *pass) judgeOverdue() {
	r := removal(proto.KindUser)
	ahead := p.overdue[:0]
	for _, k := range p.overdue {
		if p.release(proto.KindUser, k.key, proto.Digest{}, []respect{r}) {
			ahead = append(ahead, k)
			continue
		}
		s := p.standingOf(r, k.key, proto.Digest{})
		if s == fresh && p.changed == "" {
			ahead = append(ahead, k)
			continue
		}
		p.weighs(r, s, 1)
		if w := p.weights[r]; s == fresh && w.reason == "" {
			w.reason, w.of = p.changed, p.present(proto.KindUser)
		}
		p.hold(r, s == rejected, k, proto.Digest{})
		p.waiting = append(p.waiting, k)
	}
	p.overdue = ahead
}

// newlyMissing begins the grace of users.
func (p *pass) newlyMissing(gone []*known) {
	p.sum.NewlyMissing = len(gone)
	for _, k := range gone {
		k.set(flagMissing)
	}
	p.waiting = append(p.waiting, gone...)
}

// publishMissing publishes who is missing: in a full snapshot all of them, each as last known and then as missing, else only those whom this
// pass found missing, and those whose grace begins anew.
func (p *pass) publishMissing(ctx context.Context) error {
	p.sum.Missing = len(p.waiting)
	tell, err := p.restart(ctx)
	if err != nil {
		return err
	}
	if p.sum.Full { // also who is of a kind that isn't read, or was seen and couldn't be
		tell = nil
		for k := range p.state.kinds[proto.KindUser].all() {
			if k.is(flagMissing) && !k.is(flagCarried) {
				tell = append(tell, k)
			}
		}
	} else {
		tell = slices.Concat(tell, p.waiting[len(p.waiting)-p.sum.NewlyMissing:])
	}
	var batch []entryWas
	size := 0
	for was, err := range p.lastKnown(ctx, proto.KindUser, tell) {
		if err != nil {
			return err
		}
		if p.sum.Full {
			if err := p.repeat(ctx, was, proto.Retained_RETAINED_MISSING); err != nil {
				return err
			}
		}
		batch = append(batch, was)
		if size += proto.Size(was.user); size > p.out.room() {
			if err := p.tellMissing(ctx, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
	}
	return p.tellMissing(ctx, batch)
}

// restart begins the grace of those who wait anew where the question has changed, and returns them: that another question doesn't find them says nothing of how
// long they have been gone.
func (p *pass) restart(ctx context.Context) ([]*known, error) {
	if p.changed == "" || p.young == 0 {
		return nil, nil
	}
	now, err := p.now(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range p.waiting[:p.young] {
		p.state.since[k.key] = now
	}
	return p.waiting[:p.young], nil
}

// tellMissing publishes that users are missing, behind what is last known of them.
func (p *pass) tellMissing(ctx context.Context, users []entryWas) error {
	if err := p.out.flushUsers(ctx); err != nil {
		return err
	}
	for _, was := range users {
		m := &proto.UserMissing{Snapshot: p.out.snapshot, Reason: p.notFound(p.question.GetUserFilter()), User: was.user}
		since, before := p.state.since[was.known.key]
		if before {
			m.Since = proto.Timestamp(since)
		} else {
			m.Approved = p.approved(proto.KindUser, was.known.key)
		}
		if _, err := p.out.event(ctx, proto.TypeUserMissing, m); err != nil {
			return err
		}
		p.out.published++
		if !before && m.Approved == "" {
			p.out.lost.addGone(was.user)
		}
	}
	return nil
}
