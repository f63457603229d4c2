package django

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ldapsync/proto"
)

const (
	groupTable = "auth_group"
	groupName  = "name" // its column
	adminLog   = "django_admin_log"
)

// Resolve finds the tables and columns that settings mean in catalog. The model is nil where the users' table, or the groups' table where it
// is wanted, can't be found or used; else it is complete, and may still come with findings that refuse it.
func Resolve(catalog Catalog, settings Settings) (*Model, []Finding) {
	var found findings
	users := usersRelation(catalog, settings.Users, &found)
	if users == nil {
		return nil, found
	}
	m := &Model{Users: usersTable(users, settings.Users, &found)}
	if m.Users == nil {
		return nil, found
	}
	if !settings.Users.Skip {
		found = append(found, m.Users.Unfillable()...)
	}
	groups := catalog.Find(groupTable)
	if !settings.Groups.Skip {
		if groups == nil {
			found.refuse("run \"manage.py migrate\" of the Django project, or leave the groups' filter out", "there is no table %s", groupTable)
			return nil, found
		}
		if m.Groups = groupsTable(groups, settings.Groups, &found); m.Groups == nil {
			return nil, found
		}
		found = append(found, m.Groups.Unfillable()...)
	}
	if groups != nil {
		join := findJoin(catalog, users, groups, "groups")
		m.Roster = newRoster(join, users, groups)
		switch {
		case settings.Groups.Skip || !settings.Groups.Membership:
			if join != nil {
				m.Own = append(m.Own, Referrer{join.Schema, join.Name, join.referenceTo(users)})
			}
		case join == nil:
			found.refuse("the users' model lacks PermissionsMixin; set groups.membership: false", "no table joins %s with %s", users.Name, groups.Name)
		default:
			m.Membership = newJoin(join, users, groups, &found)
		}
		m.ownOf(catalog, users, groups)
	}
	if log := catalog.Find(adminLog); log != nil {
		if column := log.referenceTo(users); column != "" {
			m.Own = append(m.Own, Referrer{log.Schema, log.Name, column})
		}
	}
	return m, found
}

// ownOf finds the tables of permissions.
func (m *Model) ownOf(catalog Catalog, users, groups *Relation) {
	permissions := catalog.Find("auth_permission")
	if permissions == nil {
		return
	}
	if join := findJoin(catalog, users, permissions, "user_permissions"); join != nil {
		m.Own = append(m.Own, Referrer{join.Schema, join.Name, join.referenceTo(users)})
	}
	if join := findJoin(catalog, groups, permissions, "permissions"); join != nil {
		m.GroupOwn = append(m.GroupOwn, Referrer{join.Schema, join.Name, join.referenceTo(groups)})
	}
}

// usersRelation finds the users' table as INTERFACE.md says.
func usersRelation(catalog Catalog, s Users, found *findings) *Relation {
	if s.Table != "" {
		if r := catalog.Find(s.Table); r != nil {
			return r
		}
		hint := "set users.table to the table of your users' model"
		if near := nearest(s.Table, tableNames(catalog)); near != "" {
			hint = fmt.Sprintf("did you mean %s? Set users.table", near)
		}
		found.refuse(hint, "there is no table %s", s.Table)
		return nil
	}
	if r := catalog.Find("auth_user"); r != nil {
		return r
	}
	if log := catalog.Find(adminLog); log != nil {
		for _, ref := range log.References {
			if ref.Column == "user_id" {
				if r := catalog.Find(ref.Schema + "." + ref.Table); r != nil {
					return r
				}
				if r := catalog.Find(ref.Table); r != nil {
					return r
				}
			}
		}
	}
	if candidates := userCandidates(catalog); len(candidates) > 0 {
		found.refuse("set users.table to the table of your users' model", "can't tell which table holds the users: %s", strings.Join(candidates, ", "))
		return nil
	}
	found.refuse("run \"manage.py migrate\" of the Django project, and check that the URL names its database", "the database has no Django tables of users")
	return nil
}

// userCandidates are the tables that look like AbstractBaseUser.
func userCandidates(catalog Catalog) []string {
	var names []string
	for _, r := range catalog {
		if r.Column("password") != nil && r.Column("last_login") != nil {
			names = append(names, r.Name)
		}
	}
	return names
}

func tableNames(catalog Catalog) []string {
	names := make([]string, len(catalog))
	for i, r := range catalog {
		names[i] = r.Name
	}
	return names
}

func usersTable(r *Relation, s Users, found *findings) *Table {
	name := s.UsernameField
	if name == "" {
		name = "username"
		if r.Column(name) == nil {
			found.refuse("set users.username_field to the model's USERNAME_FIELD", "%s has no column username", r.Name)
			return nil
		}
	}
	t := &Table{Kind: proto.KindUser, active: -1}
	active := optional(r, s.Active, "is_active", "users.columns.active", found)
	t.Staff = optional(r, s.Staff, "is_staff", "users.columns.staff", found)
	t.Superuser = optional(r, s.Superuser, "is_superuser", "users.columns.superuser", found)
	if !t.bind(r, name, "users.username_field", s.Columns, active, found) {
		return nil
	}
	t.bindDefaults(s.Defaults, found)
	return t
}

// optional returns the configured column, or the usual one if the table has it. One that isn't boolean is refused: without it, who is staff or
// inactive would be taken for somebody else.
func optional(r *Relation, configured, usual, setting string, found *findings) string {
	name := cmp.Or(configured, usual)
	c := r.Column(name)
	switch {
	case c == nil && configured == "":
		return ""
	case c == nil:
		found.refuse("set "+setting+" to a boolean column", "%s has no column %s", r.Name, name)
		return ""
	case c.Type != Bool:
		found.refuse("make it boolean, or set "+setting+" to a boolean column", "%s.%s is of type %s, not boolean", r.Name, name, c.Declared)
		return ""
	}
	return name
}

func groupsTable(r *Relation, s Groups, found *findings) *Table {
	t := &Table{Kind: proto.KindGroup, active: -1}
	if !t.bind(r, groupName, "groups.attributes", s.Columns, "", found) {
		return nil
	}
	return t
}

// bind fills the table from its description. It returns false where the table can't be used at all.
func (t *Table) bind(r *Relation, name, nameSetting string, mapped []string, active string, found *findings) bool {
	t.Schema, t.Name, t.all = r.Schema, r.Name, r.Columns
	if len(r.PrimaryKey) != 1 {
		found.refuse("", "%s has no primary key of one column", t)
		return false
	}
	t.Key = *r.Column(r.PrimaryKey[0])
	if t.Key.Type != Int && t.Key.Type != UUID && t.Key.Type != Text {
		found.refuse("", "%s.%s, the primary key, is of type %s, which sync doesn't know", t, t.Key.Name, t.Key.Declared)
		return false
	}
	c := r.Column(name)
	switch {
	case c == nil:
		found.refuse(suggest(nameSetting, name, r), "%s has no column %s", t, name)
		return false
	case c.Type != Text:
		found.refuse("set "+nameSetting+" to a text column", "%s.%s is of type %s, not text", t, name, c.Declared)
		return false
	case !c.Unique:
		found.refuse("set "+nameSetting+" to a unique column, or make this one unique", "%s.%s isn't unique", t, name)
	}
	t.Columns = append(t.Columns, *c)
	for _, m := range mapped {
		if m == active || t.Index(m) >= 0 {
			continue
		}
		if c := t.mappable(r, m, found); c != nil {
			t.Columns = append(t.Columns, *c)
		}
	}
	if active != "" {
		t.active = len(t.Columns)
		t.Columns = append(t.Columns, *r.Column(active))
	}
	return true
}

// mappable returns the column of that name, or notes why nothing can be mapped to it.
func (t *Table) mappable(r *Relation, name string, found *findings) *Column {
	setting := string(t.Kind) + "s.attributes"
	c := r.Column(name)
	switch {
	case c == nil:
		found.refuse(suggest(setting, name, r), "%s: %s has no column %s", setting, t, name)
	case name == t.Key.Name:
		found.refuse("leave it out of "+setting, "%s: %s.%s is the primary key", setting, t, name)
	case name == "password" && t.Kind == proto.KindUser:
		found.refuse("leave it out of "+setting, "%s: a password is never synchronized", setting)
	case c.Type == Other:
		found.refuse("map it to a column of text, number, boolean, date, time or UUID", "%s: %s.%s is of type %s, which can't be written", setting, t, name, c.Declared)
	default:
		return c
	}
	return nil
}

func suggest(setting, name string, r *Relation) string {
	if near := nearest(name, r.columnNames()); near != "" {
		return fmt.Sprintf("did you mean %s? Mend %s", near, setting)
	}
	return fmt.Sprintf("mend %s; the table has %s", setting, strings.Join(r.columnNames(), ", "))
}

func (t *Table) bindDefaults(defaults map[string]string, found *findings) {
	names := make([]string, 0, len(defaults))
	for name := range defaults {
		names = append(names, name)
	}
	slices.Sort(names)
	t.defaults = make(map[string]any, len(defaults))
	for _, name := range names {
		c := t.column(name)
		switch {
		case c == nil:
			found.refuse("mend users.defaults", "users.defaults: %s has no column %s", t, name)
			continue
		case name == t.Columns[0].Name || name == t.Key.Name || name == "password":
			found.refuse("leave it out of users.defaults", "users.defaults: %s can't have a default", name)
			continue
		}
		v, err := c.convert(defaults[name])
		if err != nil {
			found.refuse("mend users.defaults", "users.defaults: %s: %v", name, err)
			continue
		}
		t.defaults[name] = v
	}
}

// findJoin finds the many-to-many table of Django's between left and right: <left>_<field>, else the only table that refers to both and
// to nothing else.
func findJoin(catalog Catalog, left, right *Relation, field string) *Relation {
	var others []*Relation
	for i := range catalog {
		r := &catalog[i]
		if r.referenceTo(left) == "" || r.referenceTo(right) == "" {
			continue
		}
		if r.Name == left.Name+"_"+field && r.Schema == left.Schema {
			return r
		}
		if len(r.Columns) == 3 {
			others = append(others, r)
		}
	}
	if len(others) == 1 {
		return others[0]
	}
	return nil
}

func newJoin(r, users, groups *Relation, found *findings) *Join {
	j := &Join{Schema: r.Schema, Name: r.Name, User: r.referenceTo(users), Group: r.referenceTo(groups)}
	if len(r.PrimaryKey) == 1 {
		j.Key = *r.Column(r.PrimaryKey[0])
	}
	for _, c := range r.Columns {
		if c.Name != j.User && c.Name != j.Group && !c.Nullable && !c.HasDefault {
			found.refuse("set groups.membership: false", "%s.%s is NOT NULL without a default, and nothing fills it", r.Name, c.Name)
		}
	}
	return j
}

// newRoster is nil where a name can't be read from the tables.
func newRoster(join, users, groups *Relation) *Roster {
	if join == nil || len(groups.PrimaryKey) != 1 || groups.Column(groupName) == nil {
		return nil
	}
	return &Roster{
		Schema: join.Schema, Name: join.Name, User: join.referenceTo(users), Group: join.referenceTo(groups),
		GroupSchema: groups.Schema, GroupName: groups.Name, GroupKey: groups.PrimaryKey[0], GroupNameField: groupName,
	}
}
