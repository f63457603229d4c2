package django

import (
	"fmt"
	"time"
)

// Filler fills a column of a new row that no mapping fills.
type Filler struct {
	Column Column
	value  any
	make   func(now time.Time) any
}

// Value returns the value for one new row, of the column's type. now becomes date_joined.
func (f Filler) Value(now time.Time) any {
	if f.make != nil {
		return f.make(now)
	}
	return f.value
}

// Fillers returns what a new row needs besides Columns and the key: every NOT NULL column without a default of the database's. The
// primary key isn't among them, as each database makes its own numbers; a key of type UUID is RandomUUID's.
func (t *Table) Fillers() []Filler {
	var list []Filler
	for _, c := range t.all {
		if c.Name == t.Key.Name || t.Index(c.Name) >= 0 {
			continue
		}
		if v, ok := t.defaults[c.Name]; ok {
			list = append(list, Filler{Column: c, value: v})
			continue
		}
		if c.Nullable || c.HasDefault {
			continue
		}
		if f, ok := t.usual(c); ok {
			list = append(list, f)
		}
	}
	return list
}

// Usual returns what a new row gets in a mapped column when sync has no value for it: the configured default, else Django's own
// (is_active is true), else NULL. ok is false where the database's default or nothing must stand there.
func (t *Table) Usual(column int, now time.Time) (value any, ok bool) {
	c := t.Columns[column]
	if v, found := t.defaults[c.Name]; found {
		return v, true
	}
	if f, found := t.usual(c); found {
		return f.Value(now), true
	}
	if c.HasDefault {
		return nil, false
	}
	return nil, c.Nullable
}

// usual knows the fields of AbstractBaseUser, PermissionsMixin and AbstractUser.
func (t *Table) usual(c Column) (Filler, bool) {
	f := Filler{Column: c}
	switch {
	case c.Type == Text && c.Name == "password" && (c.MaxLength == 0 || c.MaxLength > passwordSuffix):
		f.make = func(time.Time) any { return UnusablePassword() }
	case c.Type == Bool && t.active >= 0 && c.Name == t.Columns[t.active].Name:
		f.value = true
	case c.Type == Bool && (c.Name == t.Staff || c.Name == t.Superuser):
		f.value = false
	case c.Type == Timestamp && c.Name == "date_joined":
		f.make = func(now time.Time) any { return now.UTC().Truncate(time.Microsecond) }
	case c.Type == Text && !c.Unique && (c.Name == "first_name" || c.Name == "last_name" || c.Name == "email"):
		f.value = ""
	default:
		return f, false
	}
	return f, true
}

// Unfillable returns a finding for each column of a new row that would stay empty though it must not.
func (t *Table) Unfillable() []Finding {
	var list findings
	for _, c := range t.all {
		_, configured := t.defaults[c.Name]
		if c.Name == t.Key.Name || t.Index(c.Name) >= 0 || configured || c.Nullable || c.HasDefault {
			continue
		}
		if _, ok := t.usual(c); ok {
			continue
		}
		hint := fmt.Sprintf("map an attribute to %s, or set %ss.defaults.%s", c.Name, t.Kind, c.Name)
		if c.Unique {
			hint = fmt.Sprintf("map an attribute to %s: it is unique, so a default would fit one user only", c.Name)
		}
		list.refuse(hint, "%s.%s (%s) is NOT NULL without a default, and nothing fills it in a new row", t, c.Name, c.Declared)
	}
	if t.Key.Type != UUID && !t.Key.HasDefault {
		list.refuse("let the database number its rows, or use a UUID as primary key",
			"%s.%s (%s), the primary key, has no default, and sync can't make one", t, t.Key.Name, t.Key.Declared)
	}
	return list
}
