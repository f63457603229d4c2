package django

import (
	"fmt"
	"strings"
	"time"
)

// Generalized Time (RFC 4517, 3.3.13), with minutes and seconds optional; Go reads a fraction after the seconds by itself.
var generalizedLayouts = []string{"20060102150405Z0700", "200601021504Z0700", "2006010215Z0700"}

// ISO 8601, as programs write it into text attributes. Without a zone it is UTC.
var isoLayouts = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// The years that PostgreSQL, SQLite and Python's datetime all hold.
const firstYear, lastYear = 1, 9999

func parseTimestamp(s string) (any, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ",", ".")
	for _, layouts := range [][]string{generalizedLayouts, isoLayouts} {
		for _, layout := range layouts {
			t, err := time.Parse(layout, s)
			if err != nil {
				continue
			}
			t = t.UTC().Truncate(time.Microsecond)
			if t.Year() < firstYear || t.Year() > lastYear {
				return nil, fmt.Errorf("is out of the range of years %d to %d", firstYear, lastYear)
			}
			return t, nil
		}
	}
	return nil, fmt.Errorf("isn't a time (generalized time or ISO 8601)")
}

// parseDate reads a date, or the date of a time as its own zone writes it.
func parseDate(s string) (any, error) {
	s = strings.TrimSpace(s)
	if len(s) >= 14 && strings.Trim(s[:14], "0123456789") == "" {
		s = s[:8]
	}
	for _, layout := range []string{"20060102", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= firstYear {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), nil
		}
	}
	return nil, fmt.Errorf("isn't a date (ISO 8601 or generalized time)")
}
