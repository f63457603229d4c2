package sqlite

import (
	"slices"
	"strings"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// table is a table of Django's with the SQL that reads it.
type table struct {
	*django.Table
	name, key string   // quoted
	columns   []string // quoted
	rows      string   // SELECT key, columns, staff, superuser FROM table
	// active and superuser are expressions.
	active, superuser string

	fillers []django.Filler
	// own are Django's own tables whose rows go with a row of this one; those of all others stand in the way.
	own []django.Referrer
}

func newTable(t *django.Table) *table {
	d := &table{Table: t, name: quote(t.Name), key: quote(t.Key.Name), fillers: t.Fillers()}
	// The unary plus hides the declared type from the driver, which would else make something of its own of dates.
	list := []string{"+" + d.key}
	for _, c := range t.Columns {
		d.columns = append(d.columns, quote(c.Name))
		list = append(list, "+"+quote(c.Name))
	}
	d.superuser, d.active = truth(t.Superuser, "0"), "1"
	if n := t.ActiveColumn(); n >= 0 {
		d.active = truth(t.Columns[n].Name, "")
	}
	d.rows = "SELECT " + strings.Join(list, ", ") + ", " + truth(t.Staff, "0") + ", " + d.superuser + " FROM " + d.name
	return d
}

// truth is an expression for what a boolean column says; otherwise, where there is none.
func truth(column, otherwise string) string {
	if column == "" {
		return otherwise
	}
	return "(coalesce(" + quote(column) + ", 0) <> 0)"
}

// activeOf is the expression for whether a row is active: true where there is no such column, false where there is no row.
func (d *table) activeOf(alias string) string {
	if n := d.ActiveColumn(); n >= 0 {
		return "(coalesce(" + alias + "." + d.columns[n] + ", 0) <> 0)"
	}
	return "1"
}

// describe prepares what the store knows of each table. The model may be nil.
func (s *Store) describe() {
	s.tables = map[proto.Kind]*table{}
	if s.model == nil {
		return
	}
	users := newTable(s.model.Users)
	users.own = slices.Clone(s.model.Own)
	s.tables[proto.KindUser] = users
	if s.model.Groups == nil {
		return
	}
	groups := newTable(s.model.Groups)
	groups.own = slices.Clone(s.model.GroupOwn)
	s.tables[proto.KindGroup] = groups
	if j := s.model.Membership; j != nil {
		users.own = append(users.own, django.Referrer{Name: j.Name, Column: j.User})
		groups.own = append(groups.own, django.Referrer{Name: j.Name, Column: j.Group})
	}
}
