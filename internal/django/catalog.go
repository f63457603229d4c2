package django

import "strings"

// Type is what a column holds, as far as sync is concerned.
type Type string

// The types. The Go type of a value follows each; a missing value is nil.
const (
	Text      Type = "text"      // string
	Bool      Type = "bool"      // bool
	Int       Type = "int"       // int64
	Float     Type = "float"     // string, the shortest that gives the same float64
	Numeric   Type = "numeric"   // string, without superfluous zeros
	Date      Type = "date"      // time.Time, midnight UTC
	Timestamp Type = "timestamp" // time.Time, UTC, in microseconds
	UUID      Type = "uuid"      // string, canonical
	Other     Type = "other"     // can't be written
)

// Column is a column as its database describes it.
type Column struct {
	Name       string
	Type       Type
	Declared   string // the database's own name of the type, for people and drivers
	MaxLength  int    // of Text, in code points; 0: no limit
	Min, Max   int64  // of Int
	Scale      int    // of Numeric, digits behind the point; with Precision 0 nothing is limited
	Precision  int    // of Numeric, digits in all
	Nullable   bool
	HasDefault bool // the database fills it: a default, an identity, a sequence, a generated column
	Unique     bool // by itself
}

// Reference is a foreign key of one column.
type Reference struct {
	Column      string
	Schema      string // of the table referred to
	Table       string
	TableColumn string
}

// Relation is a table as its database describes it.
type Relation struct {
	Schema     string // "" where the database has none
	Name       string
	Columns    []Column
	PrimaryKey []string
	References []Reference
}

// Column returns the column of that name, nil if there is none.
func (r *Relation) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// referenceTo returns the column of r that refers to t, "" if none or several do.
func (r *Relation) referenceTo(t *Relation) string {
	column := ""
	for _, ref := range r.References {
		if ref.Table == t.Name && ref.Schema == t.Schema {
			if column != "" && column != ref.Column {
				return ""
			}
			column = ref.Column
		}
	}
	return column
}

func (r *Relation) columnNames() []string {
	names := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		names[i] = c.Name
	}
	return names
}

// Catalog is what a database holds, as far as its user sees it. A name that stands for several tables (in several schemas) is there
// once: the one an unqualified name means, or with its schema, if only that finds it.
type Catalog []Relation

// Find returns the table of that name, "schema.table" or "table", nil if there is none.
func (c Catalog) Find(name string) *Relation {
	schema, table, qualified := strings.Cut(name, ".")
	for i := range c {
		if c[i].Name == name || qualified && c[i].Name == table && c[i].Schema == schema {
			return &c[i]
		}
	}
	return nil
}
