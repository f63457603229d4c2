package sqlite

import (
	"context"
	"math"
	"regexp"
	"strconv"
	"strings"

	"ldapsync/internal/django"
)

// readCatalog describes all tables but SQLite's and our own.
func readCatalog(ctx context.Context, c *conn) (django.Catalog, error) {
	var catalog django.Catalog
	err := c.each(ctx, func(scan func(...any) error) error {
		var table, name, declared string
		var notNull, hasDefault bool
		var pk, hidden int
		if err := scan(&table, &name, &declared, &notNull, &hasDefault, &pk, &hidden); err != nil {
			return err
		}
		if len(catalog) == 0 || catalog[len(catalog)-1].Name != table {
			catalog = append(catalog, django.Relation{Name: table})
		}
		r := &catalog[len(catalog)-1]
		column := declare(name, declared)
		column.Nullable = !notNull
		column.HasDefault = hasDefault || hidden > 1 // 2 and 3: generated
		r.Columns = append(r.Columns, column)
		if pk > 0 {
			r.PrimaryKey = append(r.PrimaryKey, name)
		}
		return nil
	}, `SELECT m.name, x.name, x.type, x."notnull", x.dflt_value IS NOT NULL, x.pk, x.hidden
		FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name NOT LIKE 'ldapsync\_%' ESCAPE '\'
		ORDER BY m.name, x.cid`)
	if err != nil {
		return nil, err
	}
	for i := range catalog {
		finishKey(&catalog[i])
	}
	if err := readUniques(ctx, c, catalog); err != nil {
		return nil, err
	}
	return catalog, readReferences(ctx, c, catalog)
}

// finishKey knows that "integer PRIMARY KEY" is the rowid, which SQLite fills (https://sqlite.org/lang_createtable.html#rowid).
func finishKey(r *django.Relation) {
	if len(r.PrimaryKey) != 1 {
		return
	}
	c := r.Column(r.PrimaryKey[0])
	c.Unique, c.Nullable = true, false
	if strings.EqualFold(c.Declared, "integer") {
		c.HasDefault = true
	}
}

func readUniques(ctx context.Context, c *conn, catalog django.Catalog) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var table, column string
		if err := scan(&table, &column); err != nil {
			return err
		}
		if r := catalog.Find(table); r != nil && r.Column(column) != nil {
			r.Column(column).Unique = true
		}
		return nil
	}, `SELECT m.name, min(i.name) FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i
		WHERE m.type = 'table' AND l."unique" AND NOT l.partial
		GROUP BY m.name, l.name HAVING count(*) = 1 AND min(i.name) IS NOT NULL`)
}

func readReferences(ctx context.Context, c *conn, catalog django.Catalog) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var table string
		var ref django.Reference
		if err := scan(&table, &ref.Table, &ref.Column, &ref.TableColumn); err != nil {
			return err
		}
		r, to := catalog.Find(table), catalog.Find(ref.Table)
		if r == nil || to == nil {
			return nil
		}
		ref.Table = to.Name
		if ref.TableColumn == "" && len(to.PrimaryKey) == 1 {
			ref.TableColumn = to.PrimaryKey[0]
		}
		r.References = append(r.References, ref)
		return nil
	}, `SELECT m.name, min(f."table"), min(f."from"), coalesce(min(f."to"), '')
		FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table' GROUP BY m.name, f.id HAVING count(*) = 1 ORDER BY m.name, f.id`)
}

var sized = regexp.MustCompile(`^([a-z ]+?) *\( *(\d+) *(?:, *(\d+) *)?\)`)

// declare reads a declared type as Django's SQLite backend writes it (django/db/backends/sqlite3/base.py, data_types). char(32) is
// a UUID there; text of fixed length is varchar.
func declare(name, declared string) django.Column {
	c := django.Column{Name: name, Declared: declared, Type: django.Other}
	base := strings.ToLower(strings.TrimSpace(declared))
	size, digits := 0, 0
	if m := sized.FindStringSubmatch(base); m != nil {
		base = m[1]
		size, _ = strconv.Atoi(m[2])
		digits, _ = strconv.Atoi(m[3])
	}
	switch base {
	case "char", "varchar", "text", "character varying", "nvarchar":
		c.Type, c.MaxLength = django.Text, size
		if base == "char" && size == 32 {
			c.Type, c.MaxLength = django.UUID, 0
		}
	case "bool", "boolean":
		c.Type = django.Bool
	case "integer", "int", "bigint", "smallint":
		c.Type = django.Int
	case "integer unsigned", "bigint unsigned", "smallint unsigned":
		c.Type, c.Max = django.Int, math.MaxInt64
	case "real", "double", "double precision", "float":
		c.Type = django.Float
	case "decimal", "numeric":
		c.Type, c.Precision, c.Scale = django.Numeric, size, digits
	case "date":
		c.Type = django.Date
	case "datetime", "timestamp":
		c.Type = django.Timestamp
	}
	return c
}
