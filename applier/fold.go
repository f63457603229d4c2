package applier

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold brings a name to the form in which names that differ only by case, or by compatibility forms of Unicode, are equal: NFKC, full case
// folding, NFKC. It is what links store, so it is part of the tables' format; it doesn't depend on a database's collation or on a language.
func Fold(name string) string {
	upper := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= utf8.RuneSelf {
			return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return name
	}
	return strings.ToLower(name)
}
