package applier

import (
	"context"
	"iter"

	"ldapsync/proto"
)

// agree counts the entries of a kind of which nothing would come, once every event of a state was judged. stay says that the source
// manages the same groups as before.
func (s *stock) agree(kind proto.Kind, stay bool) int {
	k := s.of(kind)
	n := k.count(agrees)
	if stay {
		n += k.count(waits)
	}
	return n
}

// agreesWith tells whether an entry is one of them.
func (s *stock) agreesWith(kind proto.Kind, id string, stay bool) bool {
	r := s.of(kind).entry(s.text(id))
	return r != nil && (r.finding == agrees || stay && r.finding == waits)
}

// strays tells whether a link belongs to no entry of the state.
func (s *stock) strays(cfg Config) bool {
	for _, kind := range kinds {
		if cfg.mapping(kind) != nil && s.of(kind).count(absent) > 0 {
			return true
		}
	}
	return false
}

// allAgree tells whether there is nothing to plan.
func (v *verifier) allAgree(state *proto.State) bool {
	for _, kind := range kinds {
		// With every group in agreement the source goes on managing those that it does.
		if v.cfg.mapping(kind) != nil && v.stock.agree(kind, true) != state.Len(kind) {
			return false
		}
	}
	return true
}

// suspects hands out those entries of a state, in batches, that don't agree with what the target holds: groups first. Users are picked when the
// groups were planned or written.
func (v *verifier) suspects(ctx context.Context, state *proto.State) iter.Seq2[[]batch, error] {
	return func(yield func([]batch, error) bool) {
		if v.allAgree(state) {
			return
		}
		var b batches
		next := proto.KindGroup
		for runs, err := range v.batchesAhead(ctx, state) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, run := range runs {
				if run.kind != next && b.n > 0 {
					if !yield(b.runs, nil) {
						return
					}
					b = batches{}
				}
				next = run.kind
				v.pick(&b, run)
			}
			if b.n >= v.cfg.BatchEntries {
				if !yield(b.runs, nil) {
					return
				}
				b = batches{}
			}
		}
		if b.n > 0 {
			yield(b.runs, nil)
		}
	}
}

// pick adds what doesn't agree.
func (v *verifier) pick(b *batches, run batch) {
	for _, it := range run.items {
		if !v.stock.agreesWith(run.kind, it.id, !v.moreGroups) {
			b.add(run.kind, it)
		}
	}
}

// sees notes whether a change makes the source manage a group that it didn't.
func (v *verifier) sees(kind proto.Kind, l *Link) {
	if kind == proto.KindGroup && l != nil && l.State == Present && v.stock.managed(l.ID) == nil {
		v.moreGroups = true
	}
}

// unchanged counts the entries that nothing was planned for. One that is missing counts as it is planned: as she was known, and as missing.
func (v *verifier) unchanged(sum *Summary) {
	for _, kind := range kinds {
		k, n := v.stock.of(kind), sum.counts(kind)
		for i := range k.n {
			switch r := k.at(i); {
			case r.finding != agrees && (v.moreGroups || r.finding != waits):
			case r.traits&isMissing != 0:
				n.Unchanged += 2
			default:
				n.Unchanged++
			}
		}
	}
}
