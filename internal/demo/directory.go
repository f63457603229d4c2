package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
)

// Directory is a tree of entries in memory. Its methods may be called from any goroutine, also while it is served.
type Directory struct {
	base string

	mu        sync.Mutex
	random    *rand.Rand // entryUUIDs, and what happens in the company
	now       func() time.Time
	sizeLimit int
	last      uint64
	entries   map[ldapmatch.Key]*entry
	order     []*entry                   // by seq
	memberOf  map[ldapmatch.Key][]string // entry → DNs of its groups; nil when it has to be counted again
	keys      map[string]ldapmatch.Key   // of the DNs by which entries refer to others: parsing them is what costs
	company   *company
}

// Empty returns a directory that holds only its base, "dc=…" or "o=…". The seed decides the entryUUIDs.
func Empty(base string, seed uint64) (*Directory, error) {
	d := &Directory{
		base: base, random: rand.New(rand.NewPCG(seed, 0x6c646170)), now: time.Now,
		entries: map[ldapmatch.Key]*entry{}, keys: map[string]ldapmatch.Key{},
	}
	attributes := Attributes{"objectClass": {"top", "organization"}, "o": {"demo"}}
	for _, a := range rdn(base) {
		if strings.EqualFold(a.Type, "dc") {
			attributes["objectClass"] = []string{"top", "organization", "dcObject"}
		}
		attributes[a.Type] = []string{a.Value}
	}
	if err := d.Add(base, attributes); err != nil {
		return nil, err
	}
	return d, nil
}

// Base is the DN of the directory's one naming context.
func (d *Directory) Base() string { return d.base }

// LimitSize sets how many entries one search answers at most, over all of its pages, before it ends with sizeLimitExceeded, as a
// server does whatever its client asks for. 0: no limit, the default.
func (d *Directory) LimitSize(entries int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sizeLimit = entries
}

// Add adds an entry below one that exists. Missing values of the RDN and a missing entryUUID are added to it.
func (d *Directory) Add(dn string, attributes Attributes) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.add(dn, attributes)
}

func (d *Directory) add(dn string, attributes Attributes) error {
	self, parent, err := ldapmatch.ParseDN(dn)
	if err != nil {
		return err
	}
	if d.entries[self] != nil {
		return fault.New(fault.Directory, "choose another DN", "%s: entry already exists", dn)
	}
	if len(d.entries) > 0 && d.entries[parent] == nil {
		return fault.New(fault.Directory, "add the entry above it first", "%s: nothing to stand below", dn)
	}
	d.last++
	e := &entry{seq: d.last, dn: dn, key: self, parent: parent, attributes: newAttributes(attributes)}
	for _, a := range rdn(dn) {
		if !e.has(a.Type, a.Value) {
			e = e.with(a.Type, append(slices.Clone(e.get(a.Type)), a.Value))
		}
	}
	stamp := d.stamp()
	for _, a := range []attribute{{"entryUUID", []string{d.uuid()}}, {"createTimestamp", stamp}, {"modifyTimestamp", stamp}} {
		if e.get(a.name) == nil {
			e = e.with(a.name, a.values)
		}
	}
	d.entries[self] = e
	d.order = append(d.order, e)
	d.memberOf = nil
	return nil
}

// Delete removes an entry that has none below it, and its DN from the entries that refer to it.
func (d *Directory) Delete(dn string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.delete(dn)
}

func (d *Directory) delete(dn string) error {
	e, err := d.find(dn)
	if err != nil {
		return err
	}
	for _, other := range d.order {
		if other.parent == e.key {
			return fault.New(fault.Directory, "delete what is below it first", "%s: has entries below it", dn)
		}
	}
	delete(d.entries, e.key)
	i := d.place(e)
	d.order = slices.Delete(d.order, i, i+1)
	d.refer(map[ldapmatch.Key]string{e.key: ""})
	d.memberOf = nil
	return nil
}

// Rename gives an entry another DN, below the same entry or another one. The values of its RDN change with it (deleteoldrdn), what is
// below it moves along, and the entries that refer to it name the new DN. Its entryUUID stays.
func (d *Directory) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rename(from, to)
}

func (d *Directory) rename(from, to string) error {
	e, err := d.find(from)
	if err != nil {
		return err
	}
	self, parent, err := ldapmatch.ParseDN(to)
	if err != nil {
		return err
	}
	switch {
	case self != e.key && d.entries[self] != nil:
		return fault.New(fault.Directory, "choose another DN", "%s: entry already exists", to)
	case self != e.key && self.Below(e.key):
		return fault.New(fault.Directory, "choose a place outside of it", "%s: can't stand below itself", to)
	case d.entries[parent] == nil && e.parent != parent:
		return fault.New(fault.Directory, "add the entry above it first", "%s: nothing to stand below", to)
	}
	renamed := map[ldapmatch.Key]string{}
	for _, old := range slices.Clone(d.order) {
		if !old.key.Below(e.key) {
			continue
		}
		moved := *old
		if old == e {
			moved = *withRDN(old, to)
		} else {
			moved.dn = old.dn[:rdnsLength(old.dn, old.key, e.key)] + to
			moved.parent = old.parent[:len(old.parent)-len(e.key)] + self
		}
		moved.key = old.key[:len(old.key)-len(e.key)] + self
		if old == e {
			moved.parent = parent
		}
		renamed[old.key] = moved.dn
		delete(d.entries, old.key)
		d.put(&moved)
	}
	d.refer(renamed)
	d.memberOf = nil
	return nil
}

// Modification changes one attribute of an entry; Put, Append and Remove make one.
type Modification struct {
	name   string
	change func(name string, values []string) []string
}

// Put gives an attribute these values and no others; none removes it.
func Put(name string, values ...string) Modification {
	return Modification{name, func(string, []string) []string { return values }}
}

// Append adds those of the values that aren't there yet.
func Append(name string, values ...string) Modification {
	return Modification{name, func(name string, old []string) []string {
		all := slices.Clone(old)
		for _, v := range values {
			if !slices.ContainsFunc(all, func(w string) bool { return ldapmatch.Equal(name, v, w) }) {
				all = append(all, v)
			}
		}
		return all
	}}
}

// Remove takes those of the values that are there; without any it removes the attribute.
func Remove(name string, values ...string) Modification {
	return Modification{name, func(name string, old []string) []string {
		return slices.DeleteFunc(slices.Clone(old), func(v string) bool {
			return len(values) == 0 || slices.ContainsFunc(values, func(w string) bool { return ldapmatch.Equal(name, v, w) })
		})
	}}
}

// Modify changes attributes of an entry, all at once. It checks no schema: an entry may lose its entryUUID.
func (d *Directory) Modify(dn string, changes ...Modification) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.modify(dn, changes...)
}

func (d *Directory) modify(dn string, changes ...Modification) error {
	e, err := d.find(dn)
	if err != nil {
		return err
	}
	for _, c := range changes {
		e = e.with(c.name, slices.Clone(c.change(c.name, e.get(c.name))))
	}
	d.put(e.with("modifyTimestamp", d.stamp()))
	d.memberOf = nil
	return nil
}

// Get returns a copy of an entry's attributes, the operational ones and memberOf too.
func (d *Directory) Get(dn string) (Attributes, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := d.find(dn)
	if err != nil {
		return nil, false
	}
	all := Attributes{}
	for _, a := range (view{e, d.groups()}).attributes() {
		all[a.name] = slices.Clone(a.values)
	}
	return all, true
}

// find returns the entry with this DN.
func (d *Directory) find(dn string) (*entry, error) {
	self, _, err := ldapmatch.ParseDN(dn)
	if err != nil {
		return nil, err
	}
	e := d.entries[self]
	if e == nil {
		return nil, fault.New(fault.Directory, "look at the spelling of the DN", "%s: no such entry", dn)
	}
	return e, nil
}

// place is the index in the directory's order of an entry, or of the one it stands for.
func (d *Directory) place(e *entry) int {
	i, _ := slices.BinarySearchFunc(d.order, e.seq, func(x *entry, seq uint64) int { return int(int64(x.seq) - int64(seq)) })
	return i
}

// put stores an entry in the place of its former self.
func (d *Directory) put(e *entry) {
	d.entries[e.key] = e
	d.order[d.place(e)] = e
}

// refer changes the DNs by which entries refer to others: to the new one, or away where that is "".
func (d *Directory) refer(renamed map[ldapmatch.Key]string) {
	for _, e := range d.order {
		for _, a := range e.attributes {
			if !ldapmatch.IsReference(a.name) {
				continue
			}
			values, changed := make([]string, 0, len(a.values)), false
			for _, v := range a.values {
				if self, ok := d.keyOf(v); ok {
					if to, is := renamed[self]; is {
						v, changed = to, true
					}
				}
				if v != "" {
					values = append(values, v)
				}
			}
			if changed {
				e = e.with(a.name, values)
				d.put(e)
			}
		}
	}
}

// groups returns the DNs of the groups that name an entry as a member. The map isn't changed afterwards.
func (d *Directory) groups() map[ldapmatch.Key][]string {
	if d.memberOf != nil {
		return d.memberOf
	}
	d.memberOf = map[ldapmatch.Key][]string{}
	for _, e := range d.order {
		for _, name := range []string{"member", "uniqueMember"} {
			for _, dn := range e.get(name) {
				if self, ok := d.keyOf(dn); ok {
					d.memberOf[self] = append(d.memberOf[self], e.dn)
				}
			}
		}
	}
	return d.memberOf
}

// keyOf is parseDN with a memory.
func (d *Directory) keyOf(dn string) (ldapmatch.Key, bool) {
	if k, known := d.keys[dn]; known {
		return k, true
	}
	k, _, err := ldapmatch.ParseDN(dn)
	if err != nil {
		return "", false
	}
	if len(d.keys) > 4*len(d.entries)+1000 { // most of them are names of the past
		clear(d.keys)
	}
	d.keys[dn] = k
	return k, true
}

func (d *Directory) stamp() []string { return []string{d.now().UTC().Format("20060102150405Z")} }

// uuid makes a random UUID (RFC 9562, version 4) of the directory's own randomness.
func (d *Directory) uuid() string {
	high, low := d.random.Uint64(), d.random.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
