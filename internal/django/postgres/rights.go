package postgres

import (
	"context"
	"strings"

	"ldapsync/internal/django"
)

// right is something that the role must be allowed on a table or, without columns, on the whole of it.
type right struct {
	relation  string // quoted
	sequence  bool
	privilege string
	columns   []string
}

// rights are those that writing and the callback "deactivate" need.
func (s *Store) rights() []right {
	list := tableRights(s.users)
	if s.groups != nil {
		list = append(list, tableRights(s.groups)...)
		if s.cfg.Settings.Groups.Delete {
			list = append(list, right{relation: s.groups.name, privilege: "DELETE"})
			for _, r := range s.model.GroupOwn {
				name := quote(r.Schema, r.Name)
				list = append(list, right{relation: name, privilege: "SELECT"}, right{relation: name, privilege: "DELETE"})
			}
		}
	}
	if j := s.model.Membership; j != nil {
		name := quote(j.Schema, j.Name)
		for _, p := range []string{"SELECT", "INSERT"} {
			list = append(list, right{relation: name, privilege: p, columns: []string{j.User, j.Group}})
		}
		list = append(list, right{relation: name, privilege: "DELETE"})
		if s.joinSequence != "" {
			list = append(list, right{relation: s.joinSequence, sequence: true, privilege: "USAGE"})
		}
	}
	return list
}

func tableRights(t *table) []right {
	readable := []string{t.Key.Name}
	insertable := []string{t.Key.Name}
	writable := t.ColumnNames()
	readable, insertable = append(readable, writable...), append(insertable, writable...)
	for _, f := range t.Fillers() {
		insertable = append(insertable, f.Column.Name)
	}
	for _, c := range []string{t.Staff, t.Superuser} {
		if c != "" && t.Index(c) < 0 {
			readable = append(readable, c)
		}
	}
	list := []right{
		{relation: t.name, privilege: "SELECT", columns: readable}, {relation: t.name, privilege: "INSERT", columns: insertable},
		{relation: t.name, privilege: "UPDATE", columns: writable},
	}
	if t.sequence != "" {
		list = append(list, right{relation: t.sequence, sequence: true, privilege: "USAGE"})
	}
	return list
}

// grant is the statement that gives a right.
func (r right) grant(role string) string {
	columns, kind := "", ""
	if len(r.columns) > 0 {
		quoted := make([]string, len(r.columns))
		for i, c := range r.columns {
			quoted[i] = quote(c)
		}
		columns = " (" + strings.Join(quoted, ", ") + ")"
	}
	if r.sequence {
		kind = "SEQUENCE "
	}
	return "GRANT " + r.privilege + columns + " ON " + kind + r.relation + " TO " + quote(role)
}

// Grants returns the statements that give a role the least rights: those on Django's tables for synchronizing and for the callback
// "deactivate", and all on ours, which must be there. The callback "delete" also needs SELECT and DELETE on the users' table and on those that refer to it,
// or UPDATE on the columns that it sets to NULL.
func (s *Store) Grants(role string) string {
	var b strings.Builder
	for _, r := range s.rights() {
		b.WriteString(r.grant(role) + ";\n")
	}
	b.WriteString("GRANT USAGE ON SCHEMA ldapsync TO " + quote(role) + ";\n")
	b.WriteString("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ldapsync TO " + quote(role) + ";\n")
	b.WriteString("GRANT USAGE ON ALL SEQUENCES IN SCHEMA ldapsync TO " + quote(role) + ";\n")
	return b.String()
}

// missingRights returns a finding for each right that the role lacks.
func (s *Store) missingRights(ctx context.Context) ([]django.Finding, error) {
	var found []django.Finding
	for _, r := range s.rights() {
		// A right on the whole table is one on each of its columns.
		query, args := "SELECT NOT has_table_privilege($1, $2)", []any{r.relation, r.privilege}
		switch {
		case r.sequence:
			query = "SELECT NOT has_sequence_privilege($1, $2)"
		case len(r.columns) > 0:
			query = "SELECT NOT bool_and(has_column_privilege($1, c, $2)) FROM unnest($3::text[]) c"
			args = append(args, r.columns)
		}
		var missing bool
		if err := s.pool.QueryRow(ctx, query, args...).Scan(&missing); err != nil {
			return nil, err
		}
		if missing {
			found = append(found, django.Finding{What: "the role " + s.cfg.role + " may not " + r.privilege + " on " + r.relation,
				Hint: "have the owner of the tables run: " + r.grant(s.cfg.role)})
		}
	}
	return found, nil
}

// sequenceOf returns the quoted name of the sequence that fills a column, "" for none: one that the column owns, else the one that its default names.
func sequenceOf(ctx context.Context, db querier, relation, column string) (name string, err error) {
	const find = `SELECT coalesce(pg_get_serial_sequence($1, $2), (SELECT format('%I.%I', n.nspname, c.relname)
	FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
	JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
	WHERE f.adrelid = $1::regclass AND a.attname = $2 LIMIT 1), '')`
	err = db.QueryRow(ctx, find, relation, column).Scan(&name)
	return name, err
}
