package demo

import (
	"strings"

	"ldapsync/internal/ldapmatch"
)

// view is an entry with what is answered but not stored: its DN as an attribute, and the groups it is in.
type view struct {
	*entry
	groups map[ldapmatch.Key][]string
}

// attributes returns all of them, stored ones first.
func (v view) attributes() []attribute {
	return append(v.entry.attributes[:len(v.entry.attributes):len(v.entry.attributes)], v.computed()...)
}

// DN is the entry's name.
func (v view) DN() string { return v.dn }

// Values returns the values of an attribute, named in any case.
func (v view) Values(name string) []string {
	if stored := v.get(name); stored != nil {
		return stored
	}
	for _, a := range v.computed() {
		if strings.EqualFold(a.name, name) {
			return a.values
		}
	}
	return nil
}

// computed returns the attributes that aren't stored. An entry that stores its own memberOf answers with that.
func (v view) computed() []attribute {
	list := []attribute{{"entryDN", []string{v.dn}}}
	if groups := v.groups[v.key]; len(groups) > 0 && v.get("memberOf") == nil {
		list = append(list, attribute{"memberOf", groups})
	}
	return list
}
