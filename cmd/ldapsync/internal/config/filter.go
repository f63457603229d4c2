package config

import (
	"regexp"
	"strings"
)

// In a filter (RFC 4515) parentheses inside values are escaped, so space between two of them is layout: of a folded YAML block,
// or of the programs that libldap lets through.
var (
	spaceAround = regexp.MustCompile(`([()])\s+([()])`)
	operator    = regexp.MustCompile(`\(\s*([&|!])\s*\(`)
)

// tidyFilter takes layout out of a filter, and adds the outer parentheses, as libldap does for the original's users.
func tidyFilter(f string) string {
	f = strings.TrimSpace(f)
	if f == "" {
		return ""
	}
	if !strings.HasPrefix(f, "(") {
		f = "(" + f + ")"
	}
	for {
		next := spaceAround.ReplaceAllString(operator.ReplaceAllString(f, "($1("), "$1$2")
		if next == f {
			return f
		}
		f = next
	}
}
