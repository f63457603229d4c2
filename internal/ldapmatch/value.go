package ldapmatch

import (
	"strings"
	"unicode/utf8"
)

// Equal compares two values of an attribute: as DNs where they are, else without case, bytes that aren't text exactly.
func Equal(name, a, b string) bool {
	if a == b {
		return true
	}
	if IsReference(name) {
		x, _, errX := ParseDN(a)
		y, _, errY := ParseDN(b)
		return errX == nil && errY == nil && x == y
	}
	return FoldValue(a) == FoldValue(b)
}

// FoldValue is the form in which two texts that differ by case or by runs of spaces are equal (caseIgnoreMatch, RFC 4518). It folds letter by
// letter, so "ß" isn't "ss".
func FoldValue(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	s = strings.ToLower(s)
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	return s
}
