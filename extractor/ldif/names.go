package ldif

import (
	"strings"

	"ldapsync/internal/ldapmatch"
)

// trailer begins the comment with which ldapsearch ends its output, and Writer too.
const trailer = "# numEntries: "

const (
	none    = -1
	tooMany = -2
	partial = 1 << 32 // added to the slot of values that are a part of the attribute's
)

// names gives each attribute a number, whatever its spelling: its slot.
type names struct {
	spelt  map[string]spelling
	folded map[string]int
}

type spelling struct {
	slot  int
	whole bool
}

// maxSpellings bounds what is remembered. Directories have some hundred attributes.
const maxSpellings = 10000

func newNames() *names { return &names{spelt: map[string]spelling{}, folded: map[string]int{}} }

// of returns the slot of an attribute by a name that is one.
func (n *names) of(name string) int {
	folded := ldapmatch.MatchName(name)
	slot, ok := n.folded[folded]
	if !ok {
		slot = len(n.folded)
		n.folded[folded] = slot
	}
	return slot
}

// known tells whether an attribute has a slot.
func (n *names) known(name string) bool {
	_, ok := n.folded[ldapmatch.MatchName(name)]
	return ok
}

// slot returns the slot of an attribute; none for what can't be a name, tooMany if there were too many of them. Whole is false where the name says that it stands for a part of the
// values: Active Directory's member;range=0-1499.
func (n *names) slot(name []byte) (slot int, whole bool) {
	if s, ok := n.spelt[string(name)]; ok {
		return s.slot, s.whole
	}
	switch {
	case !validName(name):
		return none, true
	case len(n.spelt) >= maxSpellings:
		return tooMany, true
	}
	usual, whole := withoutRange(string(name))
	s := spelling{n.of(usual), whole}
	n.spelt[string(name)] = s
	return s.slot, s.whole
}

// withoutRange takes the range off a name, and tells whether it was that of all values.
func withoutRange(name string) (rest string, whole bool) {
	options := strings.Split(name, ";")
	whole = true
	kept := options[:0]
	for _, o := range options {
		if low := strings.ToLower(o); strings.HasPrefix(low, "range=") {
			whole = whole && low == "range=0-*"
			continue
		}
		kept = append(kept, o)
	}
	return strings.Join(kept, ";"), whole
}

// validName tells whether name is an attribute description (RFC 4512, 2.5): a name or an OID, then options. Underscores aren't in the
// RFC, but in directories; = and * are in Active Directory's ranges.
func validName(name []byte) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != ';' {
			continue
		}
		part := name[start:i]
		if len(part) == 0 || start == 0 && !validType(part) || start > 0 && !all(part, isOptionChar) {
			return false
		}
		start = i + 1
	}
	return true
}

// validType tells whether s is a short name, or digits and dots.
func validType(s []byte) bool {
	if isDigit(s[0]) {
		return all(s, func(c byte) bool { return c == '.' || isDigit(c) })
	}
	return isLetter(s[0]) && all(s, isKeyChar)
}

func isLetter(c byte) bool     { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool      { return '0' <= c && c <= '9' }
func isKeyChar(c byte) bool    { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }
func isOptionChar(c byte) bool { return isKeyChar(c) || c == '=' || c == '*' }

func all(s []byte, is func(byte) bool) bool {
	for _, c := range s {
		if !is(c) {
			return false
		}
	}
	return true
}
