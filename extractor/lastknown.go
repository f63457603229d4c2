package extractor

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"ldapsync/proto"
)

// entryWas is an entry as the stream last told it.
type entryWas struct {
	known *known
	user  *proto.User
	group *proto.Group
}

func (e entryWas) id() string {
	if e.user != nil {
		return e.user.GetId()
	}
	return e.group.GetId()
}

// lastKnown fetches entries of the baseline from the stream, see there.
func (p *pass) lastKnown(ctx context.Context, kind proto.Kind, entries []*known) iter.Seq2[entryWas, error] {
	return lastKnown(ctx, p.log, kind, entries)
}

// lastKnown fetches entries of the baseline from the stream, each message once, in the order of the sequences. Of a message nothing is decoded
// but the entries asked for.
func lastKnown(ctx context.Context, log Reader, kind proto.Kind, entries []*known) iter.Seq2[entryWas, error] {
	return func(yield func(entryWas, error) bool) {
		sorted := slices.Clone(entries)
		slices.SortStableFunc(sorted, func(a, b *known) int { return cmp.Compare(a.sequence(), b.sequence()) })
		for len(sorted) > 0 {
			seq := sorted[0].sequence()
			n := 1
			for n < len(sorted) && sorted[n].sequence() == seq {
				n++
			}
			wanted := make(map[key]*known, n)
			for _, k := range sorted[:n] {
				wanted[k.key] = k
			}
			sorted = sorted[n:]
			carried, err := carriedBy(ctx, log, kind, seq, wanted)
			if err != nil {
				yield(entryWas{}, err)
				return
			}
			for _, was := range carried {
				if !yield(was, nil) {
					return
				}
			}
		}
	}
}

// carriedBy returns those of the entries that a message carries.
func carriedBy(ctx context.Context, log Reader, kind proto.Kind, seq uint64, wanted map[key]*known) ([]entryWas, error) {
	e, err := log.Get(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("stream: sequence %d: %w", seq, err)
	}
	return pick(e, kind, wanted)
}

// pick decodes those of the entries of a message that are wanted: all of them must be there.
func pick(e proto.Event, kind proto.Kind, wanted map[key]*known) ([]entryWas, error) {
	var out []entryWas
	choose := func(id string) bool {
		k := wanted[keyOf(id)]
		if k == nil {
			return false
		}
		delete(wanted, k.key)
		out = append(out, entryWas{known: k})
		return true
	}
	if kind == proto.KindUser {
		users, err := proto.PickUsers(e, choose)
		if err != nil {
			return nil, err
		}
		for i, u := range users {
			out[i].user = u
		}
	} else {
		groups, err := proto.PickGroups(e, choose)
		if err != nil {
			return nil, err
		}
		for i, g := range groups {
			out[i].group = g
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("stream: sequence %d lacks %d %ss that it should carry", e.Sequence, len(wanted), kind)
	}
	return out, nil
}
