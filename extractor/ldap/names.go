package ldap

import (
	"slices"
	"strconv"
	"strings"
)

// window is the part of an attribute's values that Active Directory sent: member;range=0-1499 (MS-ADTS, 3.1.1.3.1.3.3).
type window struct {
	next int  // where the next one begins
	last bool // there is none: member;range=1500-*
}

// splitRange takes the range off an attribute's name.
func splitRange(name string) (rest string, w window, ranged bool) {
	parts := strings.Split(name, ";")
	for i, option := range parts {
		span, ok := cutPrefixFold(option, "range=")
		if !ok {
			continue
		}
		_, high, ok := strings.Cut(span, "-")
		if !ok {
			continue
		}
		rest = strings.Join(slices.Delete(parts, i, i+1), ";")
		if high == "*" {
			return rest, window{last: true}, true
		}
		if n, err := strconv.Atoi(high); err == nil && n >= 0 {
			return rest, window{next: n + 1}, true
		}
		return rest, window{}, true // unreadable: never taken for the last one, and the same range is never asked for twice
	}
	return name, window{}, false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}
