package demo

import (
	"maps"
	"slices"
	"strings"

	"ldapsync/internal/ldapmatch"
)

// Attributes are the values of an entry by attribute name, in the server's order. Values are bytes; most are text.
type Attributes map[string][]string

// entry is one entry as it stands. It never changes: a modification puts another in its place.
type entry struct {
	seq        uint64 // its place in the directory's order
	dn         string
	key        ldapmatch.Key
	parent     ldapmatch.Key
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
	return slices.ContainsFunc(e.get(name), func(v string) bool { return ldapmatch.Equal(name, v, value) })
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

// isOperational tells whether an attribute is answered only when asked for by name or by "+".
func isOperational(name string) bool {
	switch strings.ToLower(name) {
	case "entryuuid", "entrydn", "memberof", "createtimestamp", "modifytimestamp", "nsuniqueid":
		return true
	}
	return false
}
