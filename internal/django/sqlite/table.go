package sqlite

import (
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
	// own are Django's own tables whose rows go with a row of this one, others those of the project, whose rows stand in the way.
	own, others []django.Referrer
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

// describe prepares what the store knows of each table. The model may be nil.
func (s *Store) describe(catalog django.Catalog) {
	s.tables = map[proto.Kind]*table{}
	if s.model == nil {
		return
	}
	own := s.model.Own
	groupOwn := s.model.GroupOwn
	if j := s.model.Membership; j != nil {
		own = append(own[:len(own):len(own)], django.Referrer{Name: j.Name, Column: j.User})
		groupOwn = append(groupOwn[:len(groupOwn):len(groupOwn)], django.Referrer{Name: j.Name, Column: j.Group})
	}
	s.add(s.model.Users, own, catalog)
	if s.model.Groups != nil {
		s.add(s.model.Groups, groupOwn, catalog)
	}
}

func (s *Store) add(t *django.Table, own []django.Referrer, catalog django.Catalog) {
	d := newTable(t)
	d.own = own
	for _, r := range catalog {
		for _, ref := range r.References {
			if ref.Table == t.Name && !refersByOwn(own, r.Name, ref.Column) {
				d.others = append(d.others, django.Referrer{Name: r.Name, Column: ref.Column})
			}
		}
	}
	s.tables[t.Kind] = d
}

func refersByOwn(own []django.Referrer, name, column string) bool {
	for _, o := range own {
		if o.Name == name && o.Column == column {
			return true
		}
	}
	return false
}
