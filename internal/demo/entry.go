package demo

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Attributes are the values of an entry by attribute name, in the server's order. Values are bytes; most are text.
type Attributes map[string][]string

// entry is one entry as it stands. It never changes: a modification puts another in its place.
type entry struct {
	seq        uint64 // its place in the directory's order
	dn         string
	key        key
	parent     key
	attributes []attribute // objectClass first, then by name
}

type attribute struct {
	name   string
	values []string
}

// newAttributes copies a map into the order in which an entry answers.
func newAttributes(given Attributes) []attribute {
	var list []attribute
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(given[name]) == 0 {
			continue
		}
		a := attribute{name, slices.Clone(given[name])}
		if strings.EqualFold(name, "objectClass") {
			list = slices.Insert(list, 0, a)
		} else {
			list = append(list, a)
		}
	}
	return list
}

// get returns the stored values of an attribute, named in any case.
func (e *entry) get(name string) []string {
	for _, a := range e.attributes {
		if strings.EqualFold(a.name, name) {
			return a.values
		}
	}
	return nil
}

func (e *entry) has(name, value string) bool {
	return slices.ContainsFunc(e.get(name), func(v string) bool { return equal(name, v, value) })
}

// with returns a copy of e in which an attribute has these values; none removes it.
func (e *entry) with(name string, values []string) *entry {
	other := *e
	other.attributes = slices.Clone(e.attributes)
	i := slices.IndexFunc(other.attributes, func(a attribute) bool { return strings.EqualFold(a.name, name) })
	switch {
	case i < 0 && len(values) > 0:
		other.attributes = append(other.attributes, attribute{name, values})
	case i >= 0 && len(values) > 0:
		other.attributes[i].values = values
	case i >= 0:
		other.attributes = slices.Delete(other.attributes, i, i+1)
	}
	return &other
}

// isReference tells whether an attribute's values are DNs, which are compared as such and followed by Rename and Delete.
func isReference(name string) bool {
	switch strings.ToLower(name) {
	case "member", "uniquemember", "memberof", "manager", "owner", "seealso", "secretary":
		return true
	}
	return false
}

// isOperational tells whether an attribute is answered only when asked for by name or by "+".
func isOperational(name string) bool {
	switch strings.ToLower(name) {
	case "entryuuid", "entrydn", "memberof", "createtimestamp", "modifytimestamp", "nsuniqueid":
		return true
	}
	return false
}

// equal compares two values of an attribute: as DNs where they are, else without case, bytes that aren't text exactly.
func equal(name, a, b string) bool {
	if a == b {
		return true
	}
	if isReference(name) {
		x, _, errX := parseDN(a)
		y, _, errY := parseDN(b)
		return errX == nil && errY == nil && x == y
	}
	return fold(a) == fold(b)
}

// fold is the form in which two texts that differ by case or by runs of spaces are equal (caseIgnoreMatch, RFC 4518). It folds letter by
// letter, so "ß" isn't "ss".
func fold(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	s = strings.ToLower(s)
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	return s
}
