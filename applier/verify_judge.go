package applier

import (
	"context"
	"iter"
	"sync"

	"ldapsync/proto"
)

// judging reads a stream, and judges the records of a stock by every entry that passes, so that at the end of a stretch they tell whether the stream's
// last word agrees with the target. Nothing of the entries is kept. A state that was read through it goes on reading through it: over ends the judging.
type judging struct {
	Stream
	stock *stock
	over  bool
}

// aheadOfJudging is how many decoded events wait at most.
const aheadOfJudging = 4

// Read decodes each event before it hands it out, and a goroutine that ends with it judges what was decoded, until the judging is over.
func (j *judging) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	if j.over {
		return j.Stream.Read(ctx, from, to)
	}
	return func(yield func(proto.Event, error) bool) {
		decoded := make(chan []batch, aheadOfJudging)
		var judge sync.WaitGroup
		defer judge.Wait()
		defer close(decoded)
		judge.Go(func() {
			for runs := range decoded {
				j.stock.judgeAll(runs)
			}
		})
		for e, err := range j.Stream.Read(ctx, from, to) {
			if err == nil && e.Type.Entry() {
				var b batches
				if err = b.event(e); err == nil {
					decoded <- b.runs
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// judgeAll judges the records of what one event carries.
func (s *stock) judgeAll(runs []batch) {
	for _, run := range runs {
		k := s.of(run.kind)
		if k.mapping == nil {
			continue
		}
		for _, it := range run.items {
			if r := k.entry(s.text(it.id)); r != nil {
				r.finding = s.judge(k, r, it)
			}
		}
	}
}

// judge compares a record with what an item says. It may find that they differ where a plan would change nothing, and never the other way round.
func (s *stock) judge(k *stocked, r *record, it item) finding {
	switch {
	case it.removed:
		return absent
	case r.traits&isLettered != 0:
		return differs
	case it.missing || it.kept: // the row of who is missing is left alone
		if r.traits&isMissing != 0 {
			return agrees
		}
		return differs
	case r.traits&(isMissing|isStale) != 0:
		return differs
	}
	values, err := k.mapping.Values(it.entry)
	if err != nil {
		return differs
	}
	name, _ := values[0].(string)
	u, _ := it.entry.(*proto.User)
	if r.sum != s.linkSum(it.id, Fold(name), it.digest)+s.rowSum(k.plain, values) || !k.flagsAgree(r, values) || !k.activeAgrees(r, u) {
		return differs
	}
	if u == nil || !k.memberships || u.GetGroupsUnknown() {
		return agrees
	}
	return s.judgeGroups(r, u.GetGroupIds())
}

func (k *stocked) flagsAgree(r *record, values []any) bool {
	if len(k.flags) > mostFlags {
		return false
	}
	wanted := k.flagsOf(values)
	for n, i := range k.flags {
		if values[i] == (Keep{}) {
			continue
		}
		both := firstFlag<<(2*n) | firstFlag<<(2*n+1)
		if w := wanted & both; w == 0 || w != r.traits&both {
			return false
		}
	}
	return true
}

// activeAgrees asks what would become of the active column, and of what the link says about it.
func (k *stocked) activeAgrees(r *record, u *proto.User) bool {
	yes, no := true, false
	var l Link
	switch {
	case r.traits&wroteActive != 0:
		l.ActiveWritten = &yes
	case r.traits&wroteInactive != 0:
		l.ActiveWritten = &no
	}
	if k.mapping.active < 0 {
		return l.ActiveWritten == nil
	}
	a := decide(u, l, r.traits&isActive != 0)
	was := l
	l.ActiveWritten = a.written
	return a.value == (Keep{}) && sameLink(l, was)
}

// judgeGroups compares memberships. Groups that the source doesn't manage yet can't be joined, nor left.
func (s *stock) judgeGroups(r *record, ids []string) finding {
	var wanted uint64
	there := agrees
	if r.traits&inOthers != 0 {
		there = waits
	}
	for i, id := range ids {
		switch g := s.managed(id); {
		case i > 0 && id <= ids[i-1]:
			return differs // perhaps one twice
		case g != nil:
			wanted += g.id
		default:
			there = waits
		}
	}
	if wanted != r.members {
		return differs
	}
	return there
}
