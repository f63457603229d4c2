package extractor

import (
	"context"
	"fmt"

	"ldapsync/proto"
)

// standing is how a loss stands before the limits are asked.
type standing byte

const (
	fresh    standing = iota // nobody has been asked about it
	open                     // it is held, and nobody has decided
	rejected                 // a person decided that it mustn't happen
	none                     // nothing is lost, or a person approved it
)

// weight is what a pass would take away in one respect.
type weight struct {
	fresh, open int    // losses
	of          int    // how many there are to lose, where the limits were asked
	reason      string // why the fresh ones are held; "" if they go ahead
}

// judge decides, once both listings are complete and all changes known, what of all that would be lost is published and what is held. Groups come
// first: whose removal is held keeps its members.
func (p *pass) judge(ctx context.Context) error {
	p.rulings = p.state.held.now.rule(p.verdicts)
	p.changed = p.changedQuestion()
	p.overrule()
	if err := p.judgeGone(ctx, proto.KindGroup); err != nil {
		return err
	}
	if err := p.knowGoneGroups(ctx); err != nil {
		return err
	}
	if err := p.weigh(ctx); err != nil {
		return err
	}
	if err := p.judgeGone(ctx, proto.KindUser); err != nil {
		return err
	}
	if err := p.judgeChanges(ctx); err != nil {
		return err
	}
	p.carryOver(&p.state.held.now)
	if err := p.keepForUnread(ctx); err != nil {
		return err
	}
	p.withholdGroups()
	p.settle()
	return nil
}

// standingOf tells how a loss of an entry stands. It is asked once for each: rejections are counted. Rejected is a change as it was shown: another one of that
// entry, or that it is gone, waits for a person again.
func (p *pass) standingOf(r respect, k key, digest proto.Digest) standing {
	held, refused := p.state.held.now.in(r)
	switch {
	case refused.shown(k, digest):
		return rejected
	case !held.has(k) && !refused.has(k):
		return fresh
	case p.reject(r, k, digest):
		return rejected
	}
	return open
}

// weighs adds to what is lost in a respect.
func (p *pass) weighs(r respect, s standing, n int) {
	w := p.weights[r]
	if w == nil {
		w = &weight{}
		p.weights[r] = w
	}
	switch s {
	case fresh:
		w.fresh += n
	case open:
		w.open += n
	}
}

// reason is why the fresh losses of a respect are held.
func (p *pass) reason(r respect) string {
	if w := p.weights[r]; w != nil {
		return w.reason
	}
	return ""
}

// limit decides whether the fresh losses of a respect go ahead.
func (p *pass) limit(ctx context.Context, r respect) error {
	w := p.weights[r]
	if w == nil || w.fresh == 0 {
		return nil
	}
	w.of = p.census.of(r, p.members.number)
	if r.change == proto.ChangeRemoved {
		w.of = p.present(r.kind)
	}
	if w.reason = p.doubtful(r); w.reason != "" {
		return nil
	}
	n := w.fresh + w.open
	limit := p.cfg.Limits.of(r)
	if met := limit.Exceeded(n, w.of); met != "" {
		w.reason = fmt.Sprintf("%d of %d: %s%s", n, w.of, met, p.aboutRule(r))
		return nil
	}
	if !limit.On {
		return nil
	}
	recent, err := p.lately(ctx)
	if err != nil {
		return err
	}
	if before := recent[r]; before > 0 {
		if met := limit.Exceeded(n+before, w.of+before); met != "" {
			w.reason = fmt.Sprintf("%d of %d, and %d more in the last %s: %s%s", n, w.of, before, span(p.cfg.Limits.Window), met, p.aboutRule(r))
		}
	}
	return nil
}

// doubtful is why the answer can't be trusted in a respect, whatever the limits; "" if it can.
func (p *pass) doubtful(r respect) string {
	switch {
	case r.change == proto.ChangeRemoved:
		if doubt := p.doubt(r.kind); doubt != "" {
			return doubt
		}
		return p.changed
	case r == allMemberships():
		return p.changed
	}
	return ""
}

// doubt is why a listing can't tell that anybody is gone: it is empty, or has entries without an id. "" if it can.
func (p *pass) doubt(kind proto.Kind) string {
	switch {
	case p.empty[kind]:
		return fmt.Sprintf("the directory lists no %ss, where there %s", kind, there(p.present(kind)))
	case p.noID[kind] > 0:
		return fmt.Sprintf("%s no %s, so that nobody can be told missing", counted(p.noID[kind], "entry has", "entries have"), p.idName(nil))
	}
	return ""
}

// present counts the entries of a kind that were known and not missing when the pass began.
func (p *pass) present(kind proto.Kind) int {
	return p.state.kinds[kind].live - int(p.sum.counts(kind).Added) - p.state.missing(kind)
}

// judgeChanges asks the limits about what changed users lose, and holds those who lose something that is held: such a change isn't published, and the
// baseline stays.
func (p *pass) judgeChanges(ctx context.Context) error {
	lost := false
	for r := range p.weights {
		if r.change == proto.ChangeRemoved {
			continue
		}
		lost = true
		if err := p.limit(ctx, r); err != nil {
			return err
		}
	}
	if !lost {
		return nil
	}
	for s, err := range p.weighed.all() {
		if err != nil {
			return err
		}
		if len(s.losses) > 0 {
			p.holdChange(p.state.kinds[proto.KindUser].find(s.key), s)
		}
	}
	return nil
}

// holdChange holds a changed user in each respect in which one of her losses is held.
func (p *pass) holdChange(k *known, s spooled) {
	held := false
	for _, l := range s.losses {
		if l.standing != fresh || p.reason(l.respect) != "" {
			p.hold(l.respect, l.standing == rejected, k, s.digest)
			held = true
		}
	}
	if !held {
		return
	}
	p.sum.Users.Changed--
	for _, l := range s.losses {
		if l.change == proto.ChangeMembership && l.key != "" {
			p.keptBy[l.key] = true
		}
	}
}

// hold notes that an entry is held in a respect.
func (p *pass) hold(r respect, rejected bool, k *known, digest proto.Digest) {
	to := making{r, rejected}
	p.making[to] = append(p.making[to], heldEntry{k.key, digest})
	p.stays(r.kind, k)
}

// stays notes that an entry stays as the stream last told of it.
func (p *pass) stays(kind proto.Kind, k *known) {
	if !k.is(flagHeld) {
		k.set(flagHeld)
		p.sum.counts(kind).Held++
	}
}

// reads tells whether a kind is read in this pass.
func (p *pass) reads(kind proto.Kind) bool {
	if kind == proto.KindGroup {
		return p.cfg.Groups
	}
	return p.cfg.Users
}
