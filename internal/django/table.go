package django

import (
	"slices"

	"ldapsync/proto"
)

// Table is a table of users or groups, with the columns that sync reads and writes.
type Table struct {
	Kind   proto.Kind
	Schema string
	Name   string
	// Key is the primary key: Int, UUID or Text.
	Key Column
	// Columns are what a row's values stand for: the name first, then the mapped ones, last the active column if there is one.
	Columns []Column
	// Staff and Superuser are the columns that make a row privileged; "" where there is none.
	Staff, Superuser string

	active   int
	all      []Column
	defaults map[string]any // converted Settings.Defaults
}

// Model is what a target's settings mean in its database.
type Model struct {
	Users      *Table
	Groups     *Table // nil when groups are skipped
	Membership *Join  // nil when memberships aren't written
	// Roster is for people, and there also when sync doesn't write memberships; nil where users aren't in groups.
	Roster *Roster
	// Own are Django's own tables that may hold rows of a user, besides Membership; those that are there.
	Own []Referrer
	// GroupOwn are those that may hold rows of a group.
	GroupOwn []Referrer
}

// Join is the table that says which user is in which group.
type Join struct {
	Schema, Name string
	User, Group  string // its columns
	Key          Column // its own primary key
}

// Roster is what is needed to read in which groups a user is, by name.
type Roster struct {
	Schema, Name             string // the table that joins users and groups
	User, Group              string // its columns
	GroupSchema, GroupName   string // the groups' table
	GroupKey, GroupNameField string // its columns
}

// Referrer is a table with a column that refers to a user or a group.
type Referrer struct{ Schema, Name, Column string }

// NameColumn returns the column that holds the name.
func (t *Table) NameColumn() Column { return t.Columns[0] }

// ActiveColumn returns the index in Columns of the column that says whether a user may log in, -1 where there is none.
func (t *Table) ActiveColumn() int { return t.active }

// ColumnNames returns the names of Columns.
func (t *Table) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// Index returns the index in Columns of the column of that name, -1 if it isn't among them.
func (t *Table) Index(column string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
}

// column returns any column of the table, mapped or not.
func (t *Table) column(name string) *Column {
	for i := range t.all {
		if t.all[i].Name == name {
			return &t.all[i]
		}
	}
	return nil
}

// Timestamp returns the column of that name, mapped or not; nil if there is none or it holds no times.
func (t *Table) Timestamp(name string) *Column {
	if c := t.column(name); c != nil && c.Type == Timestamp {
		return c
	}
	return nil
}

// String returns the table's name, with its schema where it has one.
func (t *Table) String() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}
