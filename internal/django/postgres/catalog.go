package postgres

import (
	"context"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
)

// Tables are those that an unqualified name finds, and those of the schema that the settings name.
const visible = `c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ldapsync') AND n.nspname NOT LIKE 'pg\_%'
	AND (pg_catalog.pg_table_is_visible(c.oid) OR n.nspname = $1)`

const columnsQuery = `
SELECT n.nspname, c.relname, a.attname, coalesce(b.typname, t.typname), pg_catalog.format_type(a.atttypid, a.atttypmod),
	CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END, NOT a.attnotnull, a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '',
	EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
		AND i.indexprs IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
	EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attnum = ANY (p.conkey))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
WHERE ` + visible + ` ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC, n.nspname, c.relname, a.attnum`

const referencesQuery = `
SELECT DISTINCT n.nspname, c.relname, a.attname, rn.nspname, r.relname, ra.attname
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
JOIN pg_catalog.pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = k.confkey[1]
WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND ` + visible

// readCatalog describes the tables that the settings may mean.
func readCatalog(ctx context.Context, db querier, settings django.Settings) (django.Catalog, error) {
	schema, _, qualified := strings.Cut(settings.Users.Table, ".")
	if !qualified {
		schema = ""
	}
	var catalog django.Catalog
	at := map[[2]string]int{}
	rows, err := db.Query(ctx, columnsQuery, schema)
	if err != nil {
		return nil, err
	}
	var table [2]string
	var c django.Column
	var base string
	var modifier int
	var primary bool
	_, err = pgx.ForEachRow(rows, []any{&table[0], &table[1], &c.Name, &base, &c.Declared, &modifier, &c.Nullable, &c.HasDefault, &c.Unique, &primary}, func() error {
		i, known := at[table]
		if !known {
			i = len(catalog)
			at[table] = i
			catalog = append(catalog, django.Relation{Schema: table[0], Name: table[1]})
		}
		r := &catalog[i]
		r.Columns = append(r.Columns, describe(c, base, modifier))
		if primary {
			r.PrimaryKey = append(r.PrimaryKey, c.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err = db.Query(ctx, referencesQuery, schema)
	if err != nil {
		return nil, err
	}
	var ref django.Reference
	_, err = pgx.ForEachRow(rows, []any{&table[0], &table[1], &ref.Column, &ref.Schema, &ref.Table, &ref.TableColumn}, func() error {
		if i, ok := at[table]; ok {
			catalog[i].References = append(catalog[i].References, ref)
		}
		return nil
	})
	return catalog, err
}

// describe completes c from the name and modifier of its type, as pg_type and pg_attribute have them.
func describe(c django.Column, base string, modifier int) django.Column {
	const header = 4 // VARHDRSZ: a modifier is that much larger than what it says
	c.Type = django.Other
	switch base {
	case "text", "citext":
		c.Type = django.Text
	case "varchar", "bpchar":
		c.Type, c.MaxLength = django.Text, max(0, modifier-header)
	case "bool":
		c.Type = django.Bool
	case "int2":
		c.Type, c.Min, c.Max = django.Int, math.MinInt16, math.MaxInt16
	case "int4":
		c.Type, c.Min, c.Max = django.Int, math.MinInt32, math.MaxInt32
	case "int8":
		c.Type, c.Min, c.Max = django.Int, math.MinInt64, math.MaxInt64
	case "float8":
		c.Type = django.Float
	case "numeric":
		c.Type = django.Numeric
		if modifier >= header {
			c.Precision, c.Scale = (modifier-header)>>16, (modifier-header)&0x7ff
		}
	case "date":
		c.Type = django.Date
	case "timestamp", "timestamptz":
		c.Type = django.Timestamp
	case "uuid":
		c.Type = django.UUID
	}
	return c
}
