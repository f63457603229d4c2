package extractor

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"ldapsync/proto"
)

// secondLook is how many of the missing are looked for at a time.
const secondLook = 1000

// findMissing looks once more for every entry of a kind that the listing lacked, takes those that are there after all, and asks
// the judge about the rest. Where the listing was empty there is nothing to look for: the answer itself is in doubt.
func (p *pass) findMissing(ctx context.Context, kind proto.Kind) error {
	var missing []*known
	for k := range p.state.kinds[kind].all() {
		if !k.is(flagSeen) {
			missing = append(missing, k)
		}
	}
	gone := missing
	if p.sum.counts(kind).Read > 0 {
		gone = gone[:0]
		for chunk := range slices.Chunk(missing, secondLook) {
			still, err := p.lookAgain(ctx, kind, chunk)
			if err != nil {
				return err
			}
			gone = append(gone, still...)
		}
	}
	known := p.state.kinds[kind].live - int(p.sum.counts(kind).Added)
	reason := p.doubt(kind, known)
	if reason == "" || len(gone) == 0 {
		p.gone[kind] = gone
		return nil
	}
	for _, k := range gone {
		k.set(flagHeld)
	}
	if kind == proto.KindGroup { // their ids are wanted, for the users who keep them
		for was, err := range p.lastKnown(ctx, kind, gone) {
			if err != nil {
				return err
			}
			p.held[was.id()] = true
		}
	}
	return p.hold(ctx, Hold{Kind: kind, Count: len(gone), Of: known, Change: proto.ChangeRemoved, Reason: reason})
}

// lookAgain asks the directory for these entries by id, and returns those that it doesn't have.
func (p *pass) lookAgain(ctx context.Context, kind proto.Kind, entries []*known) ([]*known, error) {
	var ids []string
	for was, err := range p.lastKnown(ctx, kind, entries) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, was.id())
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

// publishRemovals publishes the removal of the entries that are gone, each as last known.
func (p *pass) publishRemovals(ctx context.Context, kind proto.Kind) error {
	gone := p.gone[kind]
	p.sum.counts(kind).Removed = uint64(len(gone))
	for was, err := range p.lastKnown(ctx, kind, gone) {
		if err != nil {
			return err
		}
		if kind == proto.KindUser {
			_, err = p.out.event(ctx, proto.TypeUserRemoved, &proto.UserRemoved{
				Snapshot: p.out.snapshot, Reason: p.notFound(p.question.GetUserFilter()), User: was.user,
			})
		} else {
			_, err = p.out.event(ctx, proto.TypeGroupRemoved, &proto.GroupRemoved{
				Snapshot: p.out.snapshot, Reason: p.notFound(p.question.GetGroupFilter()), Group: was.group,
			})
		}
		if err != nil {
			return err
		}
		p.out.published++
		p.state.kinds[kind].remove(was.known.key)
	}
	return nil
}

func (p *pass) notFound(filter string) string {
	return fmt.Sprintf("nothing under %q matches %s with its %s", p.question.GetBases(), filter, p.idName(nil))
}

// publishRetained publishes, in a full snapshot, the last-known state of the entries that stay although the listing didn't
// give them: held, missing, skipped, or of a kind that isn't read.
func (p *pass) publishRetained(ctx context.Context) error {
	for _, kind := range []proto.Kind{proto.KindGroup, proto.KindUser} {
		var stay []*known
		for k := range p.state.kinds[kind].all() {
			if !k.is(flagCarried) {
				stay = append(stay, k)
			}
		}
		for was, err := range p.lastKnown(ctx, kind, stay) {
			if err != nil {
				return err
			}
			retained := proto.Retained_RETAINED_SKIPPED
			switch {
			case was.known.is(flagHeld):
				retained = proto.Retained_RETAINED_HELD
			case was.known.is(flagMissing):
				retained = proto.Retained_RETAINED_MISSING
			}
			if kind == proto.KindUser {
				err = p.out.user(ctx, was.known, was.user, proto.DigestUser(was.user), retained)
			} else {
				err = p.out.group(ctx, was.known, was.group, proto.DigestGroup(was.group), retained)
			}
			if err != nil {
				return err
			}
		}
		if err := p.out.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

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

// lastKnown fetches entries of the baseline from the stream, each message once, in the order of the sequences.
func (p *pass) lastKnown(ctx context.Context, kind proto.Kind, entries []*known) iter.Seq2[entryWas, error] {
	return func(yield func(entryWas, error) bool) {
		sorted := slices.Clone(entries)
		slices.SortStableFunc(sorted, func(a, b *known) int { return cmp.Compare(a.sequence(), b.sequence()) })
		for len(sorted) > 0 {
			seq := sorted[0].sequence()
			n := 1
			for n < len(sorted) && sorted[n].sequence() == seq {
				n++
			}
			wanted := map[key]*known{}
			for _, k := range sorted[:n] {
				wanted[k.key] = k
			}
			sorted = sorted[n:]
			carried, err := p.carried(ctx, kind, seq)
			if err != nil {
				yield(entryWas{}, err)
				return
			}
			for _, was := range carried {
				if was.known = wanted[keyOf(was.id())]; was.known == nil {
					continue
				}
				delete(wanted, was.known.key)
				if !yield(was, nil) {
					return
				}
			}
			if len(wanted) > 0 {
				yield(entryWas{}, fmt.Errorf("stream: sequence %d lacks %d %ss that it should carry", seq, len(wanted), kind))
				return
			}
		}
	}
}

// carried returns the entries that a message carries.
func (p *pass) carried(ctx context.Context, kind proto.Kind, seq uint64) ([]entryWas, error) {
	e, err := p.log.Get(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("stream: sequence %d: %w", seq, err)
	}
	var out []entryWas
	if kind == proto.KindUser {
		var m proto.UserUpserted
		if err := proto.Unmarshal(e, &m); err != nil {
			return nil, err
		}
		for _, u := range m.GetUsers() {
			out = append(out, entryWas{user: u})
		}
		return out, nil
	}
	var m proto.GroupUpserted
	if err := proto.Unmarshal(e, &m); err != nil {
		return nil, err
	}
	for _, g := range m.GetGroups() {
		out = append(out, entryWas{group: g})
	}
	return out, nil
}
