package ldapmatch

import (
	"regexp"
	"strings"
)

// Where a filter may be broken into lines: parentheses in values are escaped, so that space beside these is nobody's value.
var (
	afterParenthesis = regexp.MustCompile(`([()])\s+`)
	afterOperator    = regexp.MustCompile(`(\([&|!])\s+`)
)

// NormalizeFilter forgives what ldapsearch forgives and RFC 4515 doesn't: missing outer parentheses, and space between the parts.
func NormalizeFilter(filter string) string {
	filter = strings.TrimSpace(filter)
	if filter != "" && !strings.HasPrefix(filter, "(") {
		filter = "(" + filter + ")"
	}
	filter = afterParenthesis.ReplaceAllString(filter, "$1")
	return afterOperator.ReplaceAllString(filter, "$1")
}
