package postgres

import (
	"context"
	"hash/maphash"

	"ldapsync/applier"
	"ldapsync/proto"
)

// memory is what the store knows of a target that held no link when it began to fill it: which ids and names are among what it wrote. What
// surely isn't needn't be looked up, which spares a first load most of its questions.
//
// It is true after the transaction that it saw last, as whoever else writes links of the source writes the checkpoint, too, though it may leave that
// where it is: its row tells who was the last (xmin). It isn't trusted beside other sources,
// nor in a transaction in which the database has refused something: an application may have made a row since. It is given up when a
// snapshot has ended.
type memory struct {
	source string
	last   string // transaction that it saw
	seed   maphash.Seed
	bits   []uint64
	groups map[string]applier.Link // by id: those of the groups
}

// memoryBits is the size of a Bloom filter of 4 MiB: with a million entries, six in a thousand are looked up in vain.
const memoryBits = 1 << 25

// What is remembered of each kind.
const (
	anID   = 1 // of a link or a letter
	aName  = 3 // folded
	aGroup = 4 // is added to the others for groups
)

func newMemory(source string) *memory {
	return &memory{source: source, seed: maphash.MakeSeed(), bits: make([]uint64, memoryBits/64), groups: map[string]applier.Link{}}
}

// places are those of a text's three bits.
func (m *memory) places(what int, kind proto.Kind, text string) [3]uint64 {
	if kind == proto.KindGroup {
		what += aGroup
	}
	const odd = 0x9e3779b97f4a7c15
	h := maphash.String(m.seed, text) + uint64(what)*odd
	h2 := (h ^ h>>32) * odd
	return [3]uint64{h % memoryBits, h >> 32 % memoryBits, h2 >> 32 % memoryBits}
}

func (m *memory) add(what int, kind proto.Kind, text string) {
	for _, p := range m.places(what, kind, text) {
		m.bits[p/64] |= 1 << (p % 64)
	}
}

// may tells whether a text can be there. Without a memory everything can.
func (m *memory) may(what int, kind proto.Kind, text string) bool {
	if m == nil {
		return true
	}
	for _, p := range m.places(what, kind, text) {
		if m.bits[p/64]&(1<<(p%64)) == 0 {
			return false
		}
	}
	return true
}

// among returns those ids of a source's entries that can be there.
func (m *memory) among(source string, kind proto.Kind, ids []string) []string {
	if m == nil || m.source != source {
		return ids
	}
	var possible []string
	for _, id := range ids {
		if m.may(anID, kind, id) {
			possible = append(possible, id)
		}
	}
	return possible
}

// Groups returns the present links of these groups. What isn't remembered is looked up.
func (r *reader) Groups(ctx context.Context, source string, ids []string) ([]applier.Link, error) {
	m := r.known
	if m == nil || m.source != source {
		return applier.PresentGroups(ctx, r, source, ids)
	}
	var found []applier.Link
	var ask []string
	for _, id := range distinct(ids) {
		if l, ok := m.groups[id]; !ok {
			ask = append(ask, id)
		} else if l.State == applier.Present && l.PK != "" {
			found = append(found, l)
		}
	}
	looked, err := applier.PresentGroups(ctx, r, source, ask)
	return append(found, looked...), err
}

// recall takes what the store remembers of the state that the checkpoint had, or begins to remember where there is nothing yet.
// last is the transaction that wrote the checkpoint before this one did.
func (t *tx) recall(ctx context.Context, prev *applier.Checkpoint, next applier.Checkpoint, last, this string) error {
	const alone = `SELECT NOT EXISTS (SELECT FROM ldapsync.checkpoint WHERE source <> $1)`
	const empty = alone + ` AND NOT EXISTS (SELECT FROM ldapsync.link) AND NOT EXISTS (SELECT FROM ldapsync.letter WHERE stage = 'apply')`
	m := t.store.memory.Swap(nil) // nobody else uses it meanwhile
	question := alone
	switch {
	case prev == nil:
		m, question = newMemory(next.Source), empty
	case m == nil || m.last != last:
		return nil
	}
	var trusted bool
	if err := t.tx.QueryRow(ctx, question, next.Source).Scan(&trusted); err != nil || !trusted {
		return err
	}
	t.memory, t.known, t.xid, t.unsure = m, m, this, prev == nil
	return nil
}

// retain gives the memory back at the end of the transaction, unless it knows of links that never were.
func (t *tx) retain(committed bool) {
	switch {
	case t.memory == nil || t.unsure && !committed:
		return
	case committed:
		t.memory.last = t.xid
	}
	t.store.memory.Store(t.memory)
}

// remember notes what changes wrote.
func (t *tx) remember(kind proto.Kind, changes []*applier.Change) {
	m := t.memory
	if m == nil {
		return
	}
	for _, c := range changes {
		m.add(anID, kind, c.ID)
		linked := ""
		if c.Link != nil {
			linked = c.Link.Name
			m.add(aName, kind, linked)
			if kind == proto.KindGroup && c.Link.Source == m.source {
				m.groups[c.ID], t.unsure = *c.Link, true
			}
		}
		if c.Values != nil {
			if name, ok := c.Values[0].(string); ok && name != linked {
				m.add(aName, kind, applier.Fold(name))
			}
		}
	}
}
