package postgres

import (
	"context"
	"hash/maphash"
	"sync"

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

	mu     sync.Mutex
	bits   []uint64
	groups map[string]applier.Link // by id: those of the groups
	times  int                     // that something was noted, or doubted
	due    func()                  // what is to be noted before anything is asked; nil: nothing
}

// The Bloom filter has 4 MiB, in blocks of a cache line: a text's three bits are in one. With a million entries, seven in a thousand are looked up in
// vain.
const (
	memoryBlocks = 1 << 16
	blockWords   = 8
)

// What is remembered of each kind.
const (
	anID   = 1 // of a link or a letter
	aName  = 3 // folded
	aGroup = 4 // is added to the others for groups
)

func newMemory(source string) *memory {
	return &memory{source: source, seed: maphash.MakeSeed(), bits: make([]uint64, memoryBlocks*blockWords), groups: map[string]applier.Link{}}
}

// lock has what is due noted. The methods in lower case that say so need it.
func (m *memory) lock() {
	m.mu.Lock()
	if due := m.due; due != nil {
		m.due = nil
		due()
	}
}

// place returns a text's block, and its bits in that. Each takes nine of the hash.
func (m *memory) place(what int, kind proto.Kind, text string) (block []uint64, bits [3]uint64) {
	if kind == proto.KindGroup {
		what += aGroup
	}
	h := maphash.String(m.seed, text) + uint64(what)*0x9e3779b97f4a7c15
	at := h >> 48 * blockWords
	return m.bits[at : at+blockWords], [3]uint64{h & 511, h >> 9 & 511, h >> 18 & 511}
}

// add needs the lock.
func (m *memory) add(what int, kind proto.Kind, text string) {
	block, bits := m.place(what, kind, text)
	for _, b := range bits {
		block[b/64] |= 1 << (b % 64)
	}
}

// has tells whether a text may have been added. It needs the lock.
func (m *memory) has(what int, kind proto.Kind, text string) bool {
	block, bits := m.place(what, kind, text)
	for _, b := range bits {
		if block[b/64]&(1<<(b%64)) == 0 {
			return false
		}
	}
	return true
}

// may tells whether a text can be there. Without a memory everything can.
func (m *memory) may(what int, kind proto.Kind, text string) bool {
	if m == nil {
		return true
	}
	m.lock()
	defer m.mu.Unlock()
	return m.has(what, kind, text)
}

// among returns those ids of a source's entries that can be there.
func (m *memory) among(source string, kind proto.Kind, ids []string) []string {
	if m == nil || m.source != source {
		return ids
	}
	m.lock()
	defer m.mu.Unlock()
	var possible []string
	for _, id := range ids {
		if m.has(anID, kind, id) {
			possible = append(possible, id)
		}
	}
	return possible
}

// known returns the present links of these groups, and those groups that it doesn't know.
func (m *memory) known(ids []string) (found []applier.Link, unknown []string) {
	m.lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if l, ok := m.groups[id]; !ok {
			unknown = append(unknown, id)
		} else if l.State == applier.Present && l.PK != "" {
			found = append(found, l)
		}
	}
	return found, unknown
}

// Groups returns the present links of these groups. What isn't remembered is looked up.
func (r *reader) Groups(ctx context.Context, source string, ids []string) ([]applier.Link, error) {
	m := r.known
	if m == nil || m.source != source {
		return applier.PresentGroups(ctx, r, source, ids)
	}
	found, ask := m.known(distinct(ids))
	looked, err := applier.PresentGroups(ctx, r, source, ask)
	return append(found, looked...), err
}

// recall takes what the store remembers of the state that the checkpoint had, or begins to remember where there is nothing yet.
// last is the transaction that wrote the checkpoint before this one did, and trusted says that there are no other sources and, where there was
// no checkpoint, that there is nothing yet.
func (t *tx) recall(prev *applier.Checkpoint, next applier.Checkpoint, last, this string, trusted bool) {
	m := t.store.memory.Swap(nil) // nobody else uses it meanwhile
	if prev == nil {
		m = newMemory(next.Source)
	} else if m == nil || m.last != last {
		return
	}
	if trusted {
		t.memory, t.known, t.xid, t.unsure = m, m, this, prev == nil
	}
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

// doubt stops trusting the memory in this transaction: what is remembered isn't all that is there.
func (t *tx) doubt() {
	t.known, t.foretold = nil, false
	if m := t.memory; m != nil {
		m.lock()
		m.times++
		m.mu.Unlock()
	}
}

// remember notes what changes wrote.
func (t *tx) remember(kind proto.Kind, changes []*applier.Change) {
	m := t.memory
	if m == nil {
		return
	}
	m.lock()
	defer m.mu.Unlock()
	m.times++
	for _, c := range changes {
		m.note(kind, c)
		if kind == proto.KindGroup && c.Link != nil && c.Link.Source == m.source {
			m.groups[c.ID], t.unsure = *c.Link, true
		}
	}
}

// note notes the id and the names of a change. It needs the lock.
func (m *memory) note(kind proto.Kind, c *applier.Change) {
	m.add(anID, kind, c.ID)
	linked := ""
	if c.Link != nil {
		linked = c.Link.Name
		m.add(aName, kind, linked)
	}
	if c.Values != nil {
		if name, ok := c.Values[0].(string); ok && name != linked {
			m.add(aName, kind, applier.Fold(name))
		}
	}
}
