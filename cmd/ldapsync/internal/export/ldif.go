package export

import (
	"context"
	"io"
	"strings"

	"ldapsync/extractor/ldif"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// What LDIF says beyond the attributes that were read: by these an LDIF source finds users, groups and flags again, whatever the
// directory's own classes are, which aren't among the attributes as a rule.
const (
	classAttribute = "objectClass"
	UserClass      = "ldapsyncUser"
	GroupClass     = "ldapsyncGroup"
	memberOf       = "memberOf"
	activeFlag     = "ldapsyncActive"
	staffFlag      = "ldapsyncStaff"
	superuserFlag  = "ldapsyncSuperuser"
)

// writeLDIF writes the groups, then the users, who name their groups by DN.
func writeLDIF(ctx context.Context, w io.Writer, c Config, state *proto.State) (n Written, err error) {
	for line := range strings.Lines(c.Comment) {
		if _, err := io.WriteString(w, "# "+strings.TrimRight(line, "\n")+"\n"); err != nil {
			return n, err
		}
	}
	out := ldif.NewWriter(w)
	groups := map[string]string{}
	for _, kind := range []proto.Kind{proto.KindGroup, proto.KindUser} {
		for e, err := range state.Entries(ctx, kind) {
			if err != nil {
				return n, err
			}
			n.count(&e)
			if e.Missing {
				continue
			}
			if kind == proto.KindGroup {
				groups[e.ID()] = strings.Clone(e.DN())
			}
			if err := out.Entry(e.DN(), attributes(&e, c.IDAttribute, groups)); err != nil {
				return n, err
			}
		}
	}
	return n, out.Close()
}

// attributes are an entry's as LDIF has them: what the directory said, and what tells the rest. The order of the first two is the same in all entries.
func attributes(e *proto.StateEntry, idAttribute string, groups map[string]string) []ldif.Attribute {
	list := []ldif.Attribute{{Name: classAttribute, Values: [][]byte{[]byte(UserClass)}}}
	if e.Kind == proto.KindGroup {
		list[0].Values[0] = []byte(GroupClass)
	}
	known := map[string]bool{}
	for _, a := range e.Attributes() {
		values := a.GetBinary()
		for _, v := range a.GetValues() {
			values = append(values, []byte(v))
		}
		name := strings.ToLower(a.GetName())
		if name == strings.ToLower(classAttribute) {
			list[0].Values = append(list[0].Values, values...)
			continue
		}
		known[name] = true
		list = append(list, ldif.Attribute{Name: a.GetName(), Values: values})
	}
	if idAttribute != "" && !strings.HasPrefix(idAttribute, "(") && !known[strings.ToLower(idAttribute)] {
		id := ldif.Attribute{Name: idAttribute, Values: [][]byte{idValue(idAttribute, e.ID())}}
		list = append(list[:1], append([]ldif.Attribute{id}, list[1:]...)...)
	}
	if e.User != nil {
		list = append(list, ofUser(e.User, known[strings.ToLower(memberOf)], groups)...)
	}
	return list
}

func ofUser(u *proto.User, named bool, groups map[string]string) (list []ldif.Attribute) {
	in := ldif.Attribute{Name: memberOf}
	for _, id := range u.GetGroupIds() {
		if dn, ok := groups[id]; ok && !named {
			in.Values = append(in.Values, []byte(dn))
		}
	}
	list = append(list, in)
	for _, f := range []struct {
		name string
		flag *bool
	}{{activeFlag, u.Active}, {staffFlag, u.Staff}, {superuserFlag, u.Superuser}} {
		if f.flag != nil {
			value := "FALSE"
			if *f.flag {
				value = "TRUE"
			}
			list = append(list, ldif.Attribute{Name: f.name, Values: [][]byte{[]byte(value)}})
		}
	}
	return list
}

// idValue is the id as the directory has it.
func idValue(attribute, id string) []byte {
	if ldapmatch.IsGUID(attribute) {
		if raw, ok := ldapmatch.ParseGUID(id); ok {
			return raw[:]
		}
	}
	return []byte(id)
}
