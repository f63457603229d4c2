package extractor

import (
	"context"
	"fmt"
	"slices"

	"ldapsync/proto"
)

// secondLook is how many of the missing are looked for at a time.
const secondLook = 1000

// findMissing looks once more for every entry of a kind that the listing lacked, takes those that are there after all, and notes the rest. Where the
// listing was empty there is nothing to look for, unless a person insists: the answer itself is in doubt. What goes with those who are gone counts all the same.
func (p *pass) findMissing(ctx context.Context, kind proto.Kind) error {
	var unseen, waiting []*known
	for k := range p.state.kinds[kind].all() {
		switch {
		case k.is(flagSeen):
		case k.is(flagMissing):
			waiting = append(waiting, k)
		default:
			unseen = append(unseen, k)
		}
	}
	var err error
	p.empty[kind] = p.sum.counts(kind).Read == 0
	if !p.empty[kind] || len(p.verdicts) > 0 {
		if unseen, err = p.lookForAll(ctx, kind, unseen); err != nil {
			return err
		}
	} else if kind == proto.KindUser {
		for was, err := range p.lastKnown(ctx, kind, unseen) {
			if err != nil {
				return err
			}
			p.noteGone(was)
		}
	}
	p.gone[kind] = unseen
	if kind == proto.KindUser {
		return p.findOverdue(ctx, waiting)
	}
	return nil
}

// lookForAll looks for entries in chunks, and returns those that the directory doesn't have.
func (p *pass) lookForAll(ctx context.Context, kind proto.Kind, entries []*known) ([]*known, error) {
	gone := entries[:0]
	for chunk := range slices.Chunk(entries, secondLook) {
		still, err := p.lookAgain(ctx, kind, chunk)
		if err != nil {
			return nil, err
		}
		gone = append(gone, still...)
	}
	return gone, nil
}

// lookAgain asks the directory for these entries by id, and returns those that it doesn't have.
func (p *pass) lookAgain(ctx context.Context, kind proto.Kind, entries []*known) ([]*known, error) {
	var ids []string
	for was, err := range p.lastKnown(ctx, kind, entries) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, was.id())
		p.noteGone(was)
	}
	records, err := p.session.Lookup(ctx, kind, ids)
	if err != nil {
		return nil, fmt.Errorf("second look: %w", err)
	}
	for _, r := range records {
		take := p.takeUser
		if kind == proto.KindGroup {
			take = p.takeGroup
		}
		if err := take(ctx, r); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(entries, func(k *known) bool { return k.is(flagSeen) }), nil
}
