package sqlite

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ldapsync/applier"
	"ldapsync/internal/django"
)

// secondsLayout is Python's str of a datetime without microseconds. Reading by it takes a fraction, too.
const secondsLayout = "2006-01-02 15:04:05"

// toColumn returns a value as Django stores it in SQLite. Times are the text of Python's str(datetime): without a fraction where it is zero, since
// Django compares the texts.
func toColumn(c django.Column, v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case time.Time:
		switch v = v.UTC(); {
		case c.Type == django.Date:
			return v.Format(time.DateOnly)
		case v.Nanosecond()/1000 == 0:
			return v.Format(secondsLayout)
		default:
			return v.Format(timeLayout)
		}
	case string:
		if c.Type == django.UUID {
			return strings.ReplaceAll(v, "-", "")
		}
	}
	return v
}

// fromColumn returns a stored value as Table.Convert gives it. What can't stand in such a column is returned as it is: it differs from
// everything wanted, so that a write mends it.
func fromColumn(c django.Column, raw any) any {
	if b, ok := raw.([]byte); ok {
		raw = string(b)
	}
	switch v := raw.(type) {
	case int64:
		switch c.Type {
		case django.Bool:
			return v != 0
		case django.Numeric:
			return strconv.FormatInt(v, 10)
		case django.Float:
			return strconv.FormatFloat(float64(v), 'g', -1, 64)
		}
	case float64:
		switch c.Type {
		case django.Numeric:
			return strconv.FormatFloat(v, 'f', -1, 64)
		case django.Float:
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case string:
		return fromText(c, v)
	}
	return raw
}

func fromText(c django.Column, v string) any {
	var parsed any
	var err error
	switch c.Type {
	case django.Timestamp:
		var t time.Time
		if t, err = time.Parse(secondsLayout, strings.Replace(v, "T", " ", 1)); err == nil {
			parsed = t.Truncate(time.Microsecond)
		}
	case django.Date:
		parsed, err = time.Parse(time.DateOnly, v)
	case django.UUID:
		parsed, err = django.ParseUUID(v)
	case django.Numeric:
		parsed, err = django.ParseNumeric(v)
	default:
		return v
	}
	if err != nil {
		return v
	}
	return parsed
}

// fits checks what SQLite doesn't: the length of text in code points, and that it is text. The error never holds the value.
func fits(c django.Column, v any) error {
	s, ok := v.(string)
	if !ok || c.Type != django.Text {
		return nil
	}
	var reason string
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		reason = "isn't valid UTF-8"
	case strings.IndexByte(s, 0) >= 0:
		reason = "contains a NUL"
	case c.MaxLength > 0 && n > c.MaxLength:
		reason = fmt.Sprintf("is %d characters long, the column holds %d", n, c.MaxLength)
	default:
		return nil
	}
	return &applier.DataError{Err: fmt.Errorf("%s: %s", c.Name, reason)}
}

// keyText is a stored primary key as the stages know it.
func keyText(key django.Column, raw any) string {
	return fmt.Sprint(fromColumn(key, raw))
}

// keyValue is a primary key as it is stored. ok is false where none can be written like that.
func keyValue(key django.Column, pk string) (v any, ok bool) {
	switch key.Type {
	case django.Int:
		n, err := strconv.ParseInt(pk, 10, 64)
		return n, err == nil
	case django.UUID:
		return strings.ReplaceAll(pk, "-", ""), pk != ""
	}
	return pk, pk != ""
}

// keyList passes any number of primary keys as one parameter, for json_each.
func keyList(key django.Column, pks []string) string {
	values := make([]any, 0, len(pks))
	for _, pk := range pks {
		if v, ok := keyValue(key, pk); ok {
			values = append(values, v)
		}
	}
	b, _ := json.Marshal(values) // numbers and texts can't fail
	return string(b)
}

// keySQL turns an SQL expression of a key's text into the key as it is stored.
func keySQL(key django.Column, text string) string {
	switch key.Type {
	case django.Int:
		return "CAST(" + text + " AS integer)"
	case django.UUID:
		return "replace(" + text + ", '-', '')"
	}
	return text
}

// textSQL turns an SQL expression of a stored key into its text.
func textSQL(key django.Column, stored string) string {
	switch key.Type {
	case django.Int:
		return "CAST(" + stored + " AS text)"
	case django.UUID:
		part := func(from, n int) string { return fmt.Sprintf("substr(%s, %d, %d)", stored, from, n) }
		return "lower(" + part(1, 8) + " || '-' || " + part(9, 4) + " || '-' || " + part(13, 4) + " || '-' || " + part(17, 4) +
			" || '-' || " + part(21, 12) + ")"
	}
	return stored
}

// quote writes an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
