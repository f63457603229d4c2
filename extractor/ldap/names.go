package ldap

import (
	"slices"
	"strconv"
	"strings"
)

// aliases are the other names of attributes in RFC 4519, 4524 and 2798: OpenLDAP takes either and answers with the usual one.
// Folded, as fold makes them.
var aliases = map[string]string{
	"commonname":               "cn",
	"countryname":              "c",
	"domaincomponent":          "dc",
	"facsimiletelephonenumber": "fax",
	"friendlycountryname":      "co",
	"gn":                       "givenname",
	"hometelephonenumber":      "homephone",
	"localityname":             "l",
	"mobiletelephonenumber":    "mobile",
	"organizationalunitname":   "ou",
	"organizationname":         "o",
	"pagertelephonenumber":     "pager",
	"rfc822mailbox":            "mail",
	"stateorprovincename":      "st",
	"surname":                  "sn",
	"userid":                   "uid",
}

// fold makes names that mean the same equal: without case, options in order, without ;binary, which only says how values travel
// (RFC 4522), so that userCertificate finds userCertificate;binary. Other options make another attribute: cn isn't cn;lang-fr.
func fold(name string) string {
	base, rest, found := strings.Cut(strings.ToLower(name), ";")
	if !found {
		return base
	}
	options := slices.DeleteFunc(strings.Split(rest, ";"), func(o string) bool { return o == "binary" || o == "" })
	slices.Sort(options)
	return strings.Join(append([]string{base}, options...), ";")
}

// match is fold, with the aliases taken for the usual names.
func match(name string) string {
	folded := fold(name)
	base, rest, found := strings.Cut(folded, ";")
	usual, ok := aliases[base]
	switch {
	case !ok:
		return folded
	case found:
		return usual + ";" + rest
	}
	return usual
}

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
