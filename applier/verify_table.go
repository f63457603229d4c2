package applier

// record is what verification keeps of a link and its row: 40 bytes, without a pointer. Ids and values are there as hashes of 64 bits.
type record struct {
	id      uint64 // of the entry
	pk      uint64 // of the row; 0: the link has none
	sum     uint64 // what link and row say, added up
	members uint64 // the ids of the groups that the user is in, of those that the source manages, added up
	traits  traits
	finding finding
}

// traits are what must be told apart of a link and its row, beside their values.
type traits uint32

const (
	isMissing     traits = 1 << iota // the entry is; else it is present
	isStale                          // the link was written by another mapping, or a callback has noted something there
	isLettered                       // there is a letter of the entry
	hasRow                           // the row is there
	isActive                         // and active
	wroteActive                      // the active rule has last made it active
	wroteInactive                    // or inactive
	inOthers                         // the user is in groups that the source doesn't manage
	firstFlag                        // two bits for each column of a flag, from here on: 1 it is set, 2 it isn't, 0 neither
)

// mostFlags is how many columns may have flags.
const mostFlags = 8

// finding is what the stream's last word on an entry, of those read so far, says of its record.
type finding uint8

const (
	absent  finding = iota // the entry isn't there
	differs                // the record isn't what it should be, or that can't be told from it
	agrees                 // a plan would change nothing
	waits                  // likewise, as long as the source manages no other groups than it does
)

// records are those of one kind. Growing copies the indexes alone, which take 5 to 10 bytes an entry each.
type records struct {
	chunks    [][]record
	n         int
	ids, pks  []uint32 // by open addressing with linear probing: the number of the record + 1, or 0
	scattered bool     // the places in pks
	steps     int      // that the rows are away from them, all together
}

const recordChunk = 1 << 12

func (t *records) at(n int) *record { return &t.chunks[n/recordChunk][n%recordChunk] }

// add appends a record.
func (t *records) add(r record) {
	if t.n*5 >= len(t.ids)*4 {
		t.grow()
	}
	if t.n%recordChunk == 0 {
		t.chunks = append(t.chunks, make([]record, recordChunk))
	}
	t.n++
	*t.at(t.n - 1) = r
	if !t.index(t.n - 1) {
		t.scattered = true
		t.reindex(len(t.ids))
	}
}

func (t *records) grow() { t.reindex(max(1024, 2*len(t.ids))) }

func (t *records) reindex(size int) {
	t.ids, t.pks, t.steps = make([]uint32, size), make([]uint32, size), 0
	for n := range t.n {
		if !t.index(n) {
			t.scattered = true
			t.reindex(size)
			return
		}
	}
}

// index adds record n to the indexes. It returns false once rows are too far from their places.
func (t *records) index(n int) bool {
	r, mask := t.at(n), uint64(len(t.ids)-1)
	i := r.id & mask
	for t.ids[i] != 0 {
		i = (i + 1) & mask
	}
	t.ids[i] = uint32(n + 1)
	if r.pk == 0 {
		return true
	}
	i = t.place(r.pk) & mask
	for ; t.pks[i] != 0; t.steps++ {
		i = (i + 1) & mask
	}
	t.pks[i] = uint32(n + 1)
	return t.scattered || t.steps < mostSteps*(n+mostSteps)
}

// place is where a row begins to be looked for. Keys are mostly numbers without large gaps: taken as they are they meet nobody, and rows in their order walk
// along the index. Where too many meet they are scattered.
func (t *records) place(pk uint64) uint64 {
	if t.scattered {
		const odd = 0x9e3779b97f4a7c15
		return pk * odd >> 24
	}
	return pk
}

// mostSteps is how far rows may be from their places, on average, before all are scattered.
const mostSteps = 32

// entry returns the record of an entry; nil if there is none.
func (t *records) entry(id uint64) *record {
	mask := uint64(len(t.ids) - 1)
	for i := id & mask; len(t.ids) > 0 && t.ids[i] != 0; i = (i + 1) & mask {
		if r := t.at(int(t.ids[i] - 1)); r.id == id {
			return r
		}
	}
	return nil
}

// row returns the record whose link owns a row; nil if there is none.
func (t *records) row(pk uint64) *record {
	mask := uint64(len(t.pks) - 1)
	for i := t.place(pk) & mask; len(t.pks) > 0 && t.pks[i] != 0; i = (i + 1) & mask {
		if r := t.at(int(t.pks[i] - 1)); r.pk == pk {
			return r
		}
	}
	return nil
}

// count counts the records about which something was found.
func (t *records) count(what finding) (n int) {
	for i := range t.n {
		if t.at(i).finding == what {
			n++
		}
	}
	return n
}
