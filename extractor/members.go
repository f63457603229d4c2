package extractor

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// memberships joins the users of a pass to its groups: for each member named by a group, a hash of her folded DN (or of another
// token) and the number of the group. 20 bytes each.
type memberships struct {
	buckets [256][]membership // by the first byte of the key
	ids     []string          // of the groups, by number
	names   []string          // for people, by number
	dns     []string          // folded, by number; for nested groups
	byDN    map[string]uint32 // number of a group by its folded DN; for memberOf
	byID    map[string]uint32 // and by its id; made when it is asked for
	scratch []byte
}

type membership struct {
	key   [16]byte
	group uint32
}

// The kinds of tokens by which users are named.
const (
	tokenDN      = "dn:"
	tokenUID     = "uid:"
	tokenPrimary = "primary:"
)

func newMemberships() *memberships { return &memberships{byDN: map[string]uint32{}} }

func (m *memberships) key(kind, token string) [16]byte {
	m.scratch = append(append(m.scratch[:0], kind...), token...)
	sum := sha256.Sum256(m.scratch)
	return [16]byte(sum[:16])
}

// group adds a group with its members, and returns its number. A group that is there already (one that gives a flag, read before
// the listing) keeps its number and gets its id. id is "" for a group that isn't published.
func (m *memberships) group(id string, r Record) uint32 {
	id, dn := strings.Clone(id), foldDN(r.DN) // kept for the whole pass: not with the batch that they may be part of
	n, known := m.byDN[dn]
	if known {
		m.ids[n] = id
	} else {
		n, dn = uint32(len(m.ids)), strings.Clone(dn)
		m.ids, m.dns, m.names = append(m.ids, id), append(m.dns, dn), append(m.names, "")
		m.byDN[dn] = n
	}
	for _, member := range r.Members {
		m.add(m.key(tokenDN, foldDN(member)), n)
	}
	for _, uid := range r.MemberUIDs {
		m.add(m.key(tokenUID, strings.ToLower(uid)), n)
	}
	if r.GroupToken != "" {
		m.add(m.key(tokenPrimary, r.GroupToken), n)
	}
	return n
}

func (m *memberships) add(key [16]byte, group uint32) {
	m.buckets[key[0]] = append(m.buckets[key[0]], membership{key, group})
}

// sort readies the table for look-ups.
func (m *memberships) sort() {
	for i := range m.buckets {
		b := slices.Clip(m.buckets[i])
		slices.SortFunc(b, func(x, y membership) int { return bytes.Compare(x.key[:], y.key[:]) })
		m.buckets[i] = b
	}
}

// of returns the numbers of the groups of a user, each once, in ascending order; with nested, those of her groups' groups too.
func (m *memberships) of(r Record, nested bool) []uint32 {
	var groups []uint32
	groups = m.find(groups, m.key(tokenDN, foldDN(r.DN)))
	if r.UID != "" {
		groups = m.find(groups, m.key(tokenUID, strings.ToLower(r.UID)))
	}
	if r.PrimaryGroup != "" {
		groups = m.find(groups, m.key(tokenPrimary, r.PrimaryGroup))
	}
	for _, dn := range r.MemberOf {
		if n, ok := m.byDN[foldDN(dn)]; ok {
			groups = append(groups, n)
		}
	}
	return m.closure(unique(groups), nested)
}

// closure adds, with nested, the groups that these groups are members of.
func (m *memberships) closure(groups []uint32, nested bool) []uint32 {
	if !nested || len(groups) == 0 {
		return groups
	}
	seen := map[uint32]bool{}
	for queue := groups; len(queue) > 0; {
		n := queue[0]
		queue = queue[1:]
		if !seen[n] {
			seen[n] = true
			queue = m.find(slices.Clip(queue), m.key(tokenDN, m.dns[n]))
		}
	}
	groups = groups[:0:0]
	for n := range seen {
		groups = append(groups, n)
	}
	return unique(groups)
}

// number returns the number of the group with this id.
func (m *memberships) number(id string) (uint32, bool) {
	if m.byID == nil {
		m.byID = make(map[string]uint32, len(m.ids))
		for n, id := range m.ids {
			m.byID[id] = uint32(n)
		}
	}
	n, ok := m.byID[id]
	return n, ok && id != ""
}

func (m *memberships) find(to []uint32, key [16]byte) []uint32 {
	b := m.buckets[key[0]]
	first := binary.BigEndian.Uint64(key[:8])
	lo, hi := 0, len(b)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if at := binary.BigEndian.Uint64(b[mid].key[:8]); at < first || at == first && bytes.Compare(b[mid].key[:], key[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < len(b) && b[lo].key == key; lo++ {
		to = append(to, b[lo].group)
	}
	return to
}

func unique(groups []uint32) []uint32 {
	slices.Sort(groups)
	return slices.Compact(groups)
}
