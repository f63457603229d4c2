package applier

import (
	"context"
	"math"

	"ldapsync/proto"
)

// Preview plans, in one read-only transaction, what would be done: first for the events of the stream that aren't applied yet, then
// for those that feed hands to its argument. each is called for every change but Unchanged and Touch, and may be nil. Nothing is
// written or created. What a preview can't know is what the database refuses at the moment of writing.
//
// In a Brief store it takes many short transactions. ErrMoved if an applier has moved the checkpoint meanwhile: what each was told is half of one
// plan and half of another, and the caller starts over. What an application changes meanwhile is seen, or isn't.
func (a *Applier) Preview(ctx context.Context, feed func(apply func(proto.Event) error) error, each func(proto.Kind, Change)) (Summary, error) {
	if each == nil {
		each = func(proto.Kind, Change) {}
	}
	var sum Summary
	before, err := a.store.Checkpoint(ctx, a.cfg.Source)
	if err != nil {
		return sum, err
	}
	err = a.lookFrom(ctx, before, func(r Reader) error {
		sum = Summary{}
		p := previewer{Applier: a, over: newOverlay(r), sum: &sum, each: each}
		if err := p.backlog(ctx, before); err != nil {
			return err
		}
		err := feed(func(e proto.Event) error { return p.event(ctx, e) })
		if err != nil {
			return err
		}
		if err := p.flush(ctx); err != nil {
			return err
		}
		if err := p.letters(ctx); err != nil {
			return err
		}
		return p.sweep(ctx)
	})
	return sum, err
}

type previewer struct {
	*Applier
	over    *overlay
	buffer  batches
	sum     *Summary
	each    func(proto.Kind, Change)
	sparing bool   // what there are letters of isn't told, nor what is done for its sake
	most    int    // users in over before those planned so far are forgotten; 0: none ever are
	rough   bool   // some were
	dated   uint64 // what was published before this sequence may lack what is newly mapped
	// view gives over something to read while a batch of a state is planned; nil: it has that.
	view    func(ctx context.Context, plan func() error) error
	weigher *weigher // counts what is taken; nil: nobody does
}

// backlog plans for what is published and not applied: all of it for a new target, and what a changed mapping makes of the rest.
func (p *previewer) backlog(ctx context.Context, cp *Checkpoint) error {
	if p.stream == nil {
		return nil
	}
	b, err := p.start(ctx, cp)
	if err != nil {
		return err
	}
	if p.dated = b.full; p.cfg.Uncovered {
		p.dated = math.MaxUint64
	}
	err = p.published(ctx, b)
	date(p.buffer.runs, p.dated)
	p.dated = 0
	return err
}

// published plans for what is published from a beginning on.
func (p *previewer) published(ctx context.Context, b beginning) error {
	if b.behind {
		return p.catchUp(ctx)
	}
	_, last, err := p.stream.Bounds(ctx)
	if err != nil {
		return err
	}
	if cp := b.checkpoint; cp != nil && cp.Mapping != p.cfg.hash() && !p.cfg.Uncovered {
		state, err := p.unmapped(ctx, cp)
		if err != nil {
			return err
		}
		if err := p.state(ctx, state); err != nil {
			return err
		}
	}
	for e, err := range p.stream.Read(ctx, b.from, last) {
		if err == nil {
			err = p.event(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *previewer) event(ctx context.Context, e proto.Event) error {
	if !e.Type.Entry() {
		return nil
	}
	if err := p.buffer.event(e); err != nil {
		return err
	}
	if !p.buffer.full(p.cfg.BatchEntries) {
		return nil
	}
	return p.flush(ctx)
}

func (p *previewer) flush(ctx context.Context) error {
	runs := p.buffer.runs
	p.buffer = batches{}
	return p.plan(ctx, runs)
}

// letters plans for the parked and dead entries, as the end of a snapshot does.
func (p *previewer) letters(ctx context.Context) error {
	for _, kind := range kinds {
		s := p.cfg.settings(kind)
		if s.mapping == nil {
			continue
		}
		for after, more := "", true; more; more = after != "" {
			items, last, err := letterPage(ctx, p.over, s, after, p.cfg.BatchEntries, false)
			if err != nil {
				return err
			}
			if err := p.planBatch(ctx, s, items, true); err != nil {
				return err
			}
			after = last
		}
	}
	return nil
}

// sweep plans for the accounts that no entry stands behind, as the end of a committed snapshot does.
func (p *previewer) sweep(ctx context.Context) error {
	if !p.cfg.sweeps() {
		return nil
	}
	v, err := p.judgeOrphans(ctx, p.over, true)
	if err != nil {
		return err
	}
	p.sum.Held = append(p.sum.Held, v.waiting...)
	changes := p.cfg.swept(v.release, 0)
	p.over.absorb(proto.KindUser, changes)
	for _, c := range changes {
		p.sum.add(proto.KindUser, c)
		p.each(proto.KindUser, c)
	}
	return nil
}

func (p *previewer) plan(ctx context.Context, runs []batch) error {
	date(runs, p.dated)
	for _, run := range runs {
		s := p.cfg.settings(run.kind)
		if s.mapping == nil {
			continue
		}
		if err := p.planBatch(ctx, s, run.items, false); err != nil {
			return err
		}
	}
	return nil
}

// planBatch plans for items and notes what is planned. At the end only what writes something is told: what waits for a name still
// waits.
func (p *previewer) planBatch(ctx context.Context, s settings, items []item, atEnd bool) error {
	s.atEnd = atEnd
	given := items
	items, f, err := gather(ctx, p.over, s, items, true)
	if err != nil {
		return err
	}
	changes, err := plan(s, f, items)
	if err != nil {
		return err
	}
	switch {
	case p.weigher == nil:
	case atEnd:
		p.weigher.takeLast(s, f, changes)
	default:
		if err := p.weigher.take(ctx, p.over, s, f, given, changes); err != nil {
			return err
		}
	}
	p.over.absorb(s.kind, changes)
	spared := false
	for _, c := range changes {
		refused := c.Action == Skip || c.Action == Park
		spared = p.sparing && (refused || c.DropLetter || c.along && spared)
		if spared || atEnd && refused {
			continue
		}
		p.sum.add(s.kind, c)
		if c.Action != Unchanged && c.Action != Touch {
			p.each(s.kind, c)
		}
	}
	return nil
}
