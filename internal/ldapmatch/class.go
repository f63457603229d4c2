package ldapmatch

import (
	"slices"
	"strings"
)

// superiors are the classes that a class inherits, besides top: RFC 4519, 2798, 2307 and Active Directory's. Entries needn't name what
// follows from another of their classes, and a server finds them by it all the same (objectSubClassMatch, RFC 4512, 2.4).
var superiors = map[string][]string{
	"organizationalperson": {"person"},
	"residentialperson":    {"person"},
	"inetorgperson":        {"organizationalperson", "person"},
	"user":                 {"organizationalperson", "person"},
	"computer":             {"user", "organizationalperson", "person"},
}

// classMatcher matches the classes that are, or inherit, the asserted one.
func classMatcher(asserted string) func(string) bool {
	want := FoldValue(asserted)
	return func(v string) bool {
		if len(v) == len(want) && strings.EqualFold(v, want) || want == "top" {
			return true
		}
		return slices.Contains(superiors[FoldValue(v)], want)
	}
}

// categories are the objectCategory of Active Directory's classes, where it has another name than the class.
var categories = map[string]string{"user": "person", "inetorgperson": "person"}

// categoryMatcher matches values of objectCategory, which are DNs of classes, with the bare name of a class, as Active Directory does:
// (objectCategory=person) finds CN=Person,CN=Schema,CN=Configuration,….
func categoryMatcher(asserted string) func(string) bool {
	want := strings.ReplaceAll(FoldValue(asserted), "-", "")
	if category, ok := categories[want]; ok {
		want = category
	}
	return func(v string) bool {
		first, _, _ := strings.Cut(v, ",")
		_, name, ok := strings.Cut(first, "=")
		return ok && strings.ReplaceAll(FoldValue(name), "-", "") == want
	}
}
