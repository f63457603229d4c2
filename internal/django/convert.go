package django

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"ldapsync/proto"
)

// Convert returns what a row read back would hold in a column after value was written: a string, a bool, an int64, a time.Time or nil,
// as the column's Type says. value is a string, a bool, or nil for a missing attribute. A missing value is the configured default, else
// NULL where the column allows it, else the empty string.
//
// A username is trimmed and NFKC-normalized, as Django's login form and normalize_username do it: else its owner couldn't log in. A
// name is never empty. The error names the column and the reason, never the value.
func (t *Table) Convert(column string, value any) (any, error) {
	c := t.column(column)
	if c == nil {
		return nil, fmt.Errorf("%s: %s has no such column", column, t)
	}
	name := column == t.Columns[0].Name
	if value == nil && !name {
		if v, ok := t.defaults[column]; ok {
			return v, nil
		}
	}
	if s, ok := value.(string); ok && name {
		value = t.normalizeName(s)
	}
	if name && (value == nil || value == "") {
		return nil, fmt.Errorf("%s: is empty", column)
	}
	v, err := c.convert(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", column, err)
	}
	return v, nil
}

func (t *Table) normalizeName(s string) string {
	if t.Kind == proto.KindUser && utf8.ValidString(s) {
		s = norm.NFKC.String(s)
	}
	return strings.TrimSpace(s)
}

// convert does what Convert says, for one column by itself.
func (c *Column) convert(value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return c.missing()
	case bool:
		if c.Type == Bool {
			return v, nil
		}
		if c.Type == Int {
			if v {
				return int64(1), nil
			}
			return int64(0), nil
		}
		return c.parse(strconv.FormatBool(v))
	case string:
		return c.parse(v)
	}
	return nil, fmt.Errorf("a %T can't be stored", value)
}

func (c *Column) missing() (any, error) {
	switch {
	case c.Nullable:
		return nil, nil
	case c.Type == Text:
		return "", nil
	}
	return nil, fmt.Errorf("has no value, and the column (%s) is NOT NULL: set a default for it", c.Declared)
}

func (c *Column) parse(s string) (any, error) {
	switch c.Type {
	case Text:
		return c.text(s)
	case Bool:
		return parseBool(s)
	case Int:
		return c.integer(s)
	case Float:
		return ParseFloat(s)
	case Numeric:
		return c.numeric(s)
	case Date:
		return parseDate(s)
	case Timestamp:
		return parseTimestamp(s)
	case UUID:
		return ParseUUID(s)
	}
	return nil, fmt.Errorf("a column of type %s can't be written", c.Declared)
}

func (c *Column) text(s string) (any, error) {
	switch {
	case !utf8.ValidString(s):
		return nil, fmt.Errorf("isn't valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return nil, fmt.Errorf("contains a NUL")
	}
	if c.MaxLength > 0 && len(s) > c.MaxLength {
		if n := utf8.RuneCountInString(s); n > c.MaxLength {
			return nil, fmt.Errorf("is %d characters long, the column holds %d", n, c.MaxLength)
		}
	}
	return s, nil
}

// parseBool reads a Boolean of LDAP (RFC 4517, 3.3.3: TRUE and FALSE) and what people write instead.
func parseBool(s string) (any, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "on", "1":
		return true, nil
	case "false", "f", "no", "n", "off", "0":
		return false, nil
	}
	return nil, fmt.Errorf("isn't a boolean")
}

func (c *Column) integer(s string) (any, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil && !strings.Contains(err.Error(), "range") {
		return nil, fmt.Errorf("isn't an integer")
	}
	if err != nil || (c.Min != 0 || c.Max != 0) && (n < c.Min || n > c.Max) {
		return nil, fmt.Errorf("is out of the column's range (%s)", c.Declared)
	}
	return n, nil
}

// ParseFloat returns the shortest text that gives the same float64 as s. Stores bring what they read to this form too.
func ParseFloat(s string) (any, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("isn't a number")
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// ParseNumeric returns a decimal number without superfluous zeros and signs. Stores bring what they read to this form too.
func ParseNumeric(s string) (any, error) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, fmt.Errorf("isn't a decimal number")
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	return whole, nil
}

func (c *Column) numeric(s string) (any, error) {
	v, err := ParseNumeric(s)
	if err != nil || c.Precision == 0 {
		return v, err
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(v.(string), "-"), ".")
	if whole == "0" {
		whole = ""
	}
	if len(whole) > c.Precision-c.Scale || len(fraction) > c.Scale {
		return nil, fmt.Errorf("doesn't fit %d digits with %d behind the point", c.Precision, c.Scale)
	}
	return v, nil
}
