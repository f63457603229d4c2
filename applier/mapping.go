package applier

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ldapsync/proto"
)

// Table is what a mapping must know of the table it fills.
type Table interface {
	// ColumnNames are the columns that sync writes: the name first.
	ColumnNames() []string
	// ActiveColumn is the index of the column that says whether an account may log in; -1 if there is none.
	ActiveColumn() int
	// Convert turns a string, a bool or nil (nothing there) into what a row of the table would hold, or says why it can't.
	Convert(column string, value any) (any, error)
}

// Field says where one column gets its value.
type Field struct {
	Column string
	// From are the attributes to take the first value of: of the first one that has one.
	From []string `json:",omitempty"`
	// Flag is "staff" or "superuser" instead: the entry's flag of that name; an absent flag leaves the column alone.
	Flag string `json:",omitempty"`

	Trim    bool   `json:",omitempty"` // take away spaces at both ends
	Lower   bool   `json:",omitempty"`
	Upper   bool   `json:",omitempty"`
	Default string `json:",omitempty"` // where there is no value, or an empty one
	Bool    *Bool  `json:",omitempty"` // make a boolean of the value
}

// Bool is the rule by which a value becomes a boolean: one of these.
type Bool struct {
	Equals []string `json:",omitempty"` // it is among these, without case
	Bit    uint64   `json:",omitempty"` // as a number it has one of these bits
	NotBit uint64   `json:",omitempty"` // as a number it has none of these bits
}

// Mapping turns entries into values of a table's columns.
type Mapping struct {
	table   Table
	columns []string
	fields  []*Field // for each column; nil: keep
	active  int
	hash    string
}

// NewMapping returns the mapping for a table. The name column needs a field; other columns without one are left alone.
func NewMapping(table Table, fields []Field) (*Mapping, error) {
	m := &Mapping{table: table, columns: table.ColumnNames(), active: table.ActiveColumn()}
	m.fields = make([]*Field, len(m.columns))
	for _, f := range fields {
		i := slices.Index(m.columns, f.Column)
		if i < 0 {
			return nil, fmt.Errorf("%s: not a column that is written", f.Column)
		}
		if m.fields[i] != nil {
			return nil, fmt.Errorf("%s: mapped twice", f.Column)
		}
		m.fields[i] = &f
	}
	if m.fields[0] == nil {
		return nil, fmt.Errorf("%s: nothing is mapped to it", m.columns[0])
	}
	data, err := json.Marshal([]any{m.columns, m.fields, m.active})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	m.hash = hex.EncodeToString(sum[:8])
	return m, nil
}

// Hash identifies what the mapping does: another mapping has another hash.
func (m *Mapping) Hash() string { return m.hash }

// Columns are the columns of Values.
func (m *Mapping) Columns() []string { return m.columns }

// entry is a user or a group.
type entry interface {
	GetId() string
	GetDn() string
	GetAttributes() []*proto.Attribute
}

// isActive tells whether a row is. Where nothing says so, as in one that is only planned, it is.
func (m *Mapping) isActive(row Row) bool {
	if m.active < 0 || m.active >= len(row.Values) || row.Values[m.active] == (Keep{}) {
		return true
	}
	active, _ := row.Values[m.active].(bool)
	return active
}

// Values maps an entry: one value for each column, Keep where a column is left alone. The active column is always Keep: that is for
// the plan to decide. The error names the column and what is wrong with the value.
func (m *Mapping) Values(e entry) ([]any, error) {
	values := make([]any, len(m.columns))
	for i, f := range m.fields {
		values[i] = Keep{}
		if f == nil || i == m.active {
			continue
		}
		raw, err := f.value(e)
		if err != nil {
			return nil, err
		}
		if raw == (Keep{}) {
			continue
		}
		if values[i], err = m.table.Convert(f.Column, raw); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// name maps an entry's name alone, folded; "" if that can't be told.
func (m *Mapping) name(e entry) string {
	raw, err := m.fields[0].value(e)
	if err != nil {
		return ""
	}
	v, err := m.table.Convert(m.fields[0].Column, raw)
	if err != nil {
		return ""
	}
	name, _ := v.(string)
	return Fold(name)
}

// flags maps an entry's staff and superuser flags, and keeps all other columns.
func (m *Mapping) flags(e entry) []any {
	values := make([]any, len(m.columns))
	for i, f := range m.fields {
		values[i] = Keep{}
		if f == nil || f.Flag == "" || i == m.active {
			continue
		}
		if v, err := f.value(e); err == nil && v != (Keep{}) {
			if v, err = m.table.Convert(f.Column, v); err == nil {
				values[i] = v
			}
		}
	}
	return values
}

// value returns a string, a bool, nil or Keep.
func (f *Field) value(e entry) (any, error) {
	if f.Flag != "" {
		u, _ := e.(*proto.User)
		flag := u.GetStaff()
		set := u != nil && u.Staff != nil
		if f.Flag == "superuser" {
			flag, set = u.GetSuperuser(), u != nil && u.Superuser != nil
		}
		if !set {
			return Keep{}, nil
		}
		return flag, nil
	}
	s, err := f.text(e)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Bool != nil:
		return f.Bool.of(s), nil
	case s == "":
		return nil, nil
	}
	return s, nil
}

// has tells whether an entry has one of the attributes.
func (f *Field) has(e entry) bool {
	return slices.ContainsFunc(e.GetAttributes(), func(a *proto.Attribute) bool {
		return slices.ContainsFunc(f.From, func(name string) bool { return strings.EqualFold(a.GetName(), name) })
	})
}

// text returns the first value that isn't empty once it is trimmed, if that is asked for.
func (f *Field) text(e entry) (string, error) {
	for _, name := range f.From {
		for _, a := range e.GetAttributes() {
			if !strings.EqualFold(a.GetName(), name) {
				continue
			}
			if len(a.GetBinary()) > 0 {
				return "", fmt.Errorf("%s: %s isn't text (it has a NUL or is no UTF-8)", f.Column, a.GetName())
			}
			if len(a.GetValues()) == 0 {
				continue
			}
			if s := f.transform(a.GetValues()[0]); s != "" {
				return s, nil
			}
		}
	}
	return f.Default, nil
}

func (f *Field) transform(s string) string {
	if f.Trim {
		s = strings.TrimSpace(s)
	}
	if f.Lower {
		s = strings.ToLower(s)
	}
	if f.Upper {
		s = strings.ToUpper(s)
	}
	return s
}

// of makes a boolean of a value. No value is equal to none; of a bit it says nothing.
func (b *Bool) of(s string) any {
	if len(b.Equals) > 0 {
		return slices.ContainsFunc(b.Equals, func(e string) bool { return strings.EqualFold(e, s) })
	}
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return s // for Convert to refuse, by name
	}
	if b.Bit != 0 {
		return uint64(n)&b.Bit != 0
	}
	return uint64(n)&b.NotBit == 0
}
