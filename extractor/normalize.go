package extractor

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ldapsync/proto"
)

// attributes normalizes the attributes of a record: text where all values are valid UTF-8 without NUL, else binary.
func attributes(r Record) []*proto.Attribute {
	out := make([]*proto.Attribute, 0, len(r.Attributes))
	backing := make([]proto.Attribute, len(r.Attributes))
	for i, a := range r.Attributes {
		if len(a.Values) == 0 {
			continue
		}
		p := &backing[i]
		p.Name = a.Name
		if slices.ContainsFunc(a.Values, notText) {
			p.Binary = make([][]byte, len(a.Values))
			for j, v := range a.Values {
				p.Binary[j] = []byte(v)
			}
		} else {
			p.Values = a.Values
		}
		out = append(out, p)
	}
	return out
}

func notText(v string) bool { return !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 }

// firstOf returns the first value of the first of these attributes that has one that isn't empty; "" if none has.
func firstOf(r Record, names []string) string {
	for _, name := range names {
		for _, a := range r.Attributes {
			if strings.EqualFold(a.Name, name) && len(a.Values) > 0 && strings.TrimSpace(a.Values[0]) != "" {
				return strings.TrimSpace(a.Values[0])
			}
		}
	}
	return ""
}

// of applies a rule to a user; nil where the rule says nothing about her. groups are the numbers of her groups, group the number
// of the rule's. absent is what the rule says where its attribute isn't there: for active nothing, because a lost read right
// must not deactivate everybody.
func (f *Flag) of(r Record, groups []uint32, group uint32, absent *bool) *bool {
	if f == nil {
		return nil
	}
	if f.Group != "" {
		set := slices.Contains(groups, group)
		return &set
	}
	i := slices.IndexFunc(r.Attributes, func(a Attribute) bool { return strings.EqualFold(a.Name, f.Attribute) })
	if i < 0 || len(r.Attributes[i].Values) == 0 {
		return absent
	}
	values := r.Attributes[i].Values
	if len(f.Equals) > 0 {
		set := slices.ContainsFunc(values, func(v string) bool {
			return slices.ContainsFunc(f.Equals, func(e string) bool { return strings.EqualFold(e, v) })
		})
		return &set
	}
	// AD's numbers are signed 32-bit integers whose sign bit is in use.
	n, err := strconv.ParseInt(strings.TrimSpace(values[0]), 10, 64)
	if err != nil {
		return nil
	}
	set := uint64(n)&f.NotBit == 0
	if f.Bit != 0 {
		set = uint64(n)&f.Bit != 0
	}
	return &set
}
