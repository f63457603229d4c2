package history

import (
	"slices"
	"strconv"
	"strings"

	"ldapsync/proto"
)

// Change is one respect in which an entry isn't what it was.
type Change struct {
	Field  Field
	Name   string   // of the attribute, or of the flag
	Before []string // values; of groups, the ids of those that she left
	After  []string // values; of groups, the ids of those that she joined
	Binary bool     // the values aren't text
}

// Field is what of an entry a change is about.
type Field string

// The fields.
const (
	FieldDN        Field = "dn" // it was renamed, or moved
	FieldAttribute Field = "attribute"
	FieldGroups    Field = "groups"
	FieldFlag      Field = "flag"    // active, staff, superuser: "true" or "false", or no value where the source has no rule
	FieldUnknown   Field = "unknown" // whether the source reads groups: "true" if it doesn't
	FieldMissing   Field = "missing" // whether it is missing from the directory: "true" or "false"
)

// Changes tells in what the entry changed: nothing for one that came or went. The order of an attribute's values doesn't matter but for the
// first, as with the digest.
func (d Difference) Changes() []Change {
	if d.Before == nil || d.After == nil {
		return nil
	}
	var list []Change
	if d.Before.Missing != d.After.Missing {
		list = append(list, Change{Field: FieldMissing, Before: []string{strconv.FormatBool(d.Before.Missing)}, After: []string{strconv.FormatBool(d.After.Missing)}})
	}
	if was, is := d.Before.DN(), d.After.DN(); was != is {
		list = append(list, Change{Field: FieldDN, Before: []string{was}, After: []string{is}})
	}
	list = append(list, attributeChanges(d.Before.Attributes(), d.After.Attributes())...)
	if d.After.Kind == proto.KindUser {
		list = append(list, userChanges(d.Before.User, d.After.User)...)
	}
	return list
}

// values are an attribute's.
type values struct {
	name   string
	list   []string
	binary bool
}

func valuesOf(a *proto.Attribute) values {
	v := values{name: a.GetName(), list: a.GetValues()}
	if len(a.GetBinary()) > 0 {
		v.list, v.binary = make([]string, len(a.GetBinary())), true
		for i, b := range a.GetBinary() {
			v.list[i] = string(b)
		}
	}
	return v
}

func (v values) equal(w values) bool {
	if len(v.list) == 0 || len(w.list) == 0 {
		return len(v.list) == len(w.list)
	}
	return v.binary == w.binary && v.list[0] == w.list[0] && slices.Equal(set(v.list), set(w.list))
}

func set(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func attributeChanges(before, after []*proto.Attribute) []Change {
	left := make(map[string]values, len(before))
	for _, a := range before {
		left[strings.ToLower(a.GetName())] = valuesOf(a)
	}
	var list []Change
	for _, a := range after {
		is := valuesOf(a)
		was := left[strings.ToLower(a.GetName())]
		delete(left, strings.ToLower(a.GetName()))
		if !was.equal(is) {
			list = append(list, Change{Field: FieldAttribute, Name: is.name, Before: was.list, After: is.list, Binary: was.binary || is.binary})
		}
	}
	for _, a := range before {
		if was, ok := left[strings.ToLower(a.GetName())]; ok && len(was.list) > 0 {
			list = append(list, Change{Field: FieldAttribute, Name: was.name, Before: was.list, Binary: was.binary})
		}
	}
	slices.SortStableFunc(list, func(a, b Change) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return list
}

func userChanges(before, after *proto.User) []Change {
	var list []Change
	if was, is := before.GetGroupsUnknown(), after.GetGroupsUnknown(); was != is {
		list = append(list, Change{Field: FieldUnknown, Before: []string{strconv.FormatBool(was)}, After: []string{strconv.FormatBool(is)}})
	}
	was, is := set(before.GetGroupIds()), set(after.GetGroupIds())
	left := slices.DeleteFunc(slices.Clone(was), func(id string) bool { _, found := slices.BinarySearch(is, id); return found })
	joined := slices.DeleteFunc(slices.Clone(is), func(id string) bool { _, found := slices.BinarySearch(was, id); return found })
	if len(left)+len(joined) > 0 {
		list = append(list, Change{Field: FieldGroups, Before: left, After: joined})
	}
	for _, f := range []struct {
		name    string
		was, is *bool
	}{{"active", before.Active, after.Active}, {"staff", before.Staff, after.Staff}, {"superuser", before.Superuser, after.Superuser}} {
		if was, is := flag(f.was), flag(f.is); !slices.Equal(was, is) {
			list = append(list, Change{Field: FieldFlag, Name: f.name, Before: was, After: is})
		}
	}
	return list
}

func flag(b *bool) []string {
	if b == nil {
		return nil
	}
	return []string{strconv.FormatBool(*b)}
}
