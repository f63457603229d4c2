package django

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rule says what becomes of the rows of a project's table that refer to a user when the user is deleted. Django's cascades are in Python: the
// database doesn't tell which of them a model has.
type Rule string

// The rules.
const (
	Refuse  Rule = "refuse"   // the user isn't deleted
	Cascade Rule = "cascade"  // they are deleted, too; not if further tables refer to them
	SetNull Rule = "set_null" // they refer to nobody
)

// ForeignKey is a column that refers to the users' table, as the database describes it.
type ForeignKey struct {
	Referrer
	Target   string // the column of the users' table
	Nullable bool
	Self     bool // it is a column of the users' table
	Part     bool // several columns refer together: this one alone doesn't tell which rows do
}

// qualified is the name with which settings mean a column beyond doubt.
func (r Referrer) qualified() string {
	if r.Schema == "" {
		return r.Name + "." + r.Column
	}
	return r.Schema + "." + r.Name + "." + r.Column
}

// ReferenceRules returns the rule for each of keys but Django's own tables, as Settings.References has them: Refuse for those that they
// don't name. Settings that name none of keys, or what can't be done, are findings.
func (m *Model) ReferenceRules(references map[string]string, keys []ForeignKey) (map[Referrer]Rule, []Finding) {
	var found findings
	own := m.UsersOwn()
	rules := map[Referrer]Rule{}
	names := map[string][]ForeignKey{}
	var candidates []string
	for _, k := range keys {
		short := k.Name + "." + k.Column
		names[short] = append(names[short], k)
		if q := k.qualified(); q != short {
			names[q] = append(names[q], k)
		}
		if !slices.Contains(own, k.Referrer) {
			rules[k.Referrer] = Refuse
			candidates = append(candidates, short)
		}
	}
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	for _, name := range slices.Sorted(maps.Keys(references)) {
		named := names[name]
		switch {
		case len(named) == 0:
			found.refuse(candidatesHint(name, candidates), "removal.delete.references: no column %s refers to %s", name, m.Users)
		case slices.ContainsFunc(named, func(k ForeignKey) bool { return k.Referrer != named[0].Referrer }):
			found.refuse("write "+named[0].qualified()+", say", "removal.delete.references: %s stands for columns of several schemas", name)
		case slices.Contains(own, named[0].Referrer):
			found.refuse("leave it out", "removal.delete.references: %s is a column of Django's own, whose rows go with the user", name)
		default:
			rule := Rule(references[name])
			for _, k := range named { // of one column, which may refer twice
				if why, hint := forbidden(rule, k); why != "" {
					found.refuse(hint, "removal.delete.references.%s: %s", name, why)
					rule = Refuse // which is never forbidden
				}
			}
			rules[named[0].Referrer] = rule
		}
	}
	return rules, found
}

// forbidden says why a rule can't be followed for a column, "" if it can, and what to do.
func forbidden(rule Rule, k ForeignKey) (why, hint string) {
	switch {
	case rule != Refuse && rule != Cascade && rule != SetNull:
		return fmt.Sprintf("%q is none of cascade, set_null and refuse", rule), "write one of them"
	case rule != Refuse && k.Part:
		return "it is one column of a key of several", "use refuse"
	case rule == Cascade && k.Self:
		return "cascade would delete other accounts", "use set_null, or refuse"
	case rule == SetNull && !k.Nullable:
		return "set_null, but the column is NOT NULL", "use cascade, or refuse"
	}
	return "", ""
}

func candidatesHint(name string, candidates []string) string {
	if len(candidates) == 0 {
		return "leave it out: only tables of Django's own refer to users"
	}
	if near := nearest(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return "these do: " + strings.Join(candidates, ", ")
}

// UsersOwn are Django's own columns that refer to users: their rows go with a user.
func (m *Model) UsersOwn() []Referrer {
	own := slices.Clone(m.Own)
	if j := m.Membership; j != nil {
		own = append(own, Referrer{Schema: j.Schema, Name: j.Name, Column: j.User})
	}
	return own
}

// InTheWay is the reason for which a user isn't deleted to whom rows of a table refer.
func (r Referrer) InTheWay() string {
	return fmt.Sprintf("rows of %s refer to it (by %s): say what becomes of them (removal.delete.references), or delete the account in Django, which knows",
		r.Name, r.Column)
}

// BehindCascade is the reason for which a user isn't deleted whose rows, that would go too, are referred to by others.
func (r Referrer) BehindCascade(cascaded string) string {
	return fmt.Sprintf("rows of %s (by %s) refer to its rows of %s, which would go with it: delete the account in Django, which knows what becomes of them",
		r.Name, r.Column, cascaded)
}
