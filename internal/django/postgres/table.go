package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"ldapsync/applier"
	"ldapsync/internal/django"
)

// table is one of Django's tables with the SQL that depends on its columns.
type table struct {
	*django.Table
	name      string // quoted
	key       string // quoted
	selection string // "SELECT key, columns, staff, superuser FROM name t"
	nextKey   string // expression that makes one new key; "" where we make it
	sequence  string // that it draws from, quoted; "" for none
	always    bool   // the key is GENERATED ALWAYS
}

func newTable(ctx context.Context, db querier, t *django.Table) (*table, error) {
	pt := &table{Table: t, name: quote(t.Schema, t.Name), key: quote(t.Key.Name)}
	columns := []string{"t." + pt.key + "::text"}
	for _, c := range t.Columns {
		columns = append(columns, read("t."+quote(c.Name), c))
	}
	flag := func(name string) string {
		if name == "" {
			return "false"
		}
		return "coalesce(t." + quote(name) + ", false)"
	}
	columns = append(columns, flag(t.Staff), flag(t.Superuser))
	pt.selection = "SELECT " + strings.Join(columns, ", ") + " FROM " + pt.name + " t"
	if !t.Key.HasDefault {
		return pt, nil
	}
	const find = `SELECT a.attidentity::text, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
		FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = $1::regclass AND a.attname = $2`
	var identity string
	var err error
	if err := db.QueryRow(ctx, find, pt.name, t.Key.Name).Scan(&identity, &pt.nextKey); err != nil {
		return nil, err
	}
	if pt.sequence, err = sequenceOf(ctx, db, pt.name, t.Key.Name); err != nil {
		return nil, err
	}
	pt.always = identity == "a"
	if identity != "" {
		pt.nextKey = "nextval(" + literal(pt.sequence) + "::regclass)"
	}
	return pt, nil
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// withoutZone tells whether c is a timestamp without time zone: with USE_TZ = False, or by hand. It is taken as UTC.
func withoutZone(c django.Column) bool { return strings.Contains(c.Declared, "without time zone") }

// read is the expression that reads a column so that value gives what Table.Convert gives.
func read(column string, c django.Column) string {
	switch {
	case c.Type == django.Int:
		return column + "::bigint"
	case c.Type == django.Bool || c.Type == django.Date:
		return column
	case c.Type == django.Timestamp && withoutZone(c):
		return column + " AT TIME ZONE 'UTC'"
	case c.Type == django.Timestamp:
		return column
	}
	return column + "::text"
}

// value brings what the driver read to the form of Table.Convert.
func value(v any, c django.Column) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC()
	case string:
		var canonical any
		var err error
		switch c.Type {
		case django.Float:
			canonical, err = django.ParseFloat(v)
		case django.Numeric:
			canonical, err = django.ParseNumeric(v)
		case django.Text:
			return v
		}
		if err == nil && canonical != nil {
			return canonical
		}
	case pgtype.InfinityModifier:
		return "infinity"
	}
	return v
}

// keys is a parameter that holds primary keys: what isn't one of the table's type is left out, as no row has it.
func (t *table) keys(pks []string) any {
	switch t.Key.Type {
	case django.Int:
		numbers := make([]int64, 0, len(pks))
		for _, pk := range pks {
			if n, err := strconv.ParseInt(pk, 10, 64); err == nil {
				numbers = append(numbers, n)
			}
		}
		return numbers
	case django.UUID:
		uuids := make([]string, 0, len(pks))
		for _, pk := range pks {
			if _, err := django.ParseUUID(pk); err == nil {
				uuids = append(uuids, pk)
			}
		}
		return uuids
	}
	return pks
}

// allKeys is keys for parameters that stand beside others: every one must be a key.
func (t *table) allKeys(pks []string) (any, error) {
	keys := t.keys(pks)
	n := len(pks)
	switch keys := keys.(type) {
	case []int64:
		n = len(keys)
	case []string:
		n = len(keys)
	}
	if n != len(pks) {
		return nil, fmt.Errorf("%d of %d primary keys of %s aren't of type %s", len(pks)-n, len(pks), t, t.Key.Type)
	}
	return keys, nil
}

// keyArray is the expression for parameter n as an array of keys.
func (t *table) keyArray(n int) string {
	switch t.Key.Type {
	case django.Int:
		return fmt.Sprintf("$%d::bigint[]", n)
	case django.UUID:
		return fmt.Sprintf("$%d::text[]::uuid[]", n)
	}
	return fmt.Sprintf("$%d::text[]", n)
}

// fromText is the expression that makes a text of ours a key.
func (t *table) fromText(expression string) string {
	switch t.Key.Type {
	case django.Int:
		return expression + "::bigint"
	case django.UUID:
		return expression + "::uuid"
	}
	return expression + ` COLLATE "default"` // that of our tables isn't the one of Django's indexes
}

// nameArray is the expression for parameter n as an array of names that the unique index finds.
func (t *table) nameArray(n int) string {
	if t.NameColumn().Declared == "citext" {
		return fmt.Sprintf("$%d::text[]::citext[]", n)
	}
	return fmt.Sprintf("$%d::text[]", n)
}

// array is a parameter that holds the values of one column for many rows, with the type of the parameter.
type array struct {
	column django.Column
	cast   string // of the parameter
	get    string // how a value v becomes one of the column
	data   any
	add    func(v any) error
}

// newArray returns an empty array for n values of c. It never casts to varchar(n): that would cut in silence.
func newArray(c django.Column, n int) *array {
	a := &array{column: c, cast: "text[]", get: "%s"}
	mismatch := func(v any) error { return fmt.Errorf("%s: a %T isn't of type %s", c.Name, v, c.Type) }
	switch c.Type {
	case django.Bool:
		list := make([]pgtype.Bool, 0, n)
		a.cast = "boolean[]"
		a.add = func(v any) error {
			b, ok := v.(bool)
			if !ok && v != nil {
				return mismatch(v)
			}
			list = append(list, pgtype.Bool{Bool: b, Valid: ok})
			a.data = pgtype.FlatArray[pgtype.Bool](list)
			return nil
		}
	case django.Int:
		list := make([]pgtype.Int8, 0, n)
		a.cast = "bigint[]"
		a.add = func(v any) error {
			i, ok := v.(int64)
			if !ok && v != nil {
				return mismatch(v)
			}
			list = append(list, pgtype.Int8{Int64: i, Valid: ok})
			a.data = pgtype.FlatArray[pgtype.Int8](list)
			return nil
		}
	case django.Timestamp, django.Date:
		list := make([]pgtype.Timestamptz, 0, n)
		a.cast = "timestamptz[]"
		if c.Type == django.Date {
			a.get = "(%s AT TIME ZONE 'UTC')::date"
		} else if withoutZone(c) {
			a.get = "%s AT TIME ZONE 'UTC'"
		}
		a.add = func(v any) error {
			t, ok := v.(time.Time)
			if !ok && v != nil {
				return mismatch(v)
			}
			list = append(list, pgtype.Timestamptz{Time: t, Valid: ok})
			a.data = pgtype.FlatArray[pgtype.Timestamptz](list)
			return nil
		}
	default:
		list := make([]pgtype.Text, 0, n)
		switch c.Type {
		case django.Float:
			a.get = "%s::float8"
		case django.Numeric:
			a.get = "%s::numeric"
		case django.UUID:
			a.get = "%s::uuid"
		}
		a.add = func(v any) error {
			s, ok := v.(string)
			if !ok && v != nil {
				return mismatch(v)
			}
			list = append(list, pgtype.Text{String: s, Valid: ok})
			a.data = pgtype.FlatArray[pgtype.Text](list)
			return nil
		}
	}
	return a
}

// scanRows reads what selection asked for.
func (t *table) scanRows(rows pgx.Rows, found []applier.Row) ([]applier.Row, error) {
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		end := len(values) - 2
		staff, superuser := values[end].(bool), values[end+1].(bool)
		r := applier.Row{PK: values[0].(string), Privileged: staff || superuser, Superuser: superuser, Values: values[1:end:end]}
		for i, c := range t.Columns {
			r.Values[i] = value(r.Values[i], c)
		}
		r.Name, _ = r.Values[0].(string)
		found = append(found, r)
	}
	return found, rows.Err()
}
