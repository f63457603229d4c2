package ldapmatch

import (
	"regexp"
	"slices"
	"strings"
)

// aliases are the other names of attributes in RFC 4519, 4524 and 2798: OpenLDAP takes either and answers with the usual one.
// Folded, as FoldName makes them.
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

// FoldName makes names that mean the same equal: without case, options in order, without ;binary, which only says how values travel
// (RFC 4522), so that userCertificate finds userCertificate;binary. Other options make another attribute: cn isn't cn;lang-fr.
func FoldName(name string) string {
	base, rest, found := strings.Cut(strings.ToLower(name), ";")
	if !found {
		return base
	}
	options := slices.DeleteFunc(strings.Split(rest, ";"), func(o string) bool { return o == "binary" || o == "" })
	slices.Sort(options)
	return strings.Join(append([]string{base}, options...), ";")
}

// MatchName is FoldName, with the aliases taken for the usual names.
func MatchName(name string) string {
	folded := FoldName(name)
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

// IsReference tells whether an attribute's values are DNs, which are compared as such.
func IsReference(name string) bool {
	switch strings.ToLower(name) {
	case "member", "uniquemember", "memberof", "manager", "owner", "seealso", "secretary", "objectcategory":
		return true
	}
	return false
}

// uniqueID is the optional tail of a value of uniqueMember (RFC 4517, 3.3.21): cn=ada,dc=example#'0101'B
var uniqueID = regexp.MustCompile(`#'[01]*'B$`)

// WithoutUniqueIDs takes the optional tails off values of uniqueMember. It leaves members alone, which may be an attribute's values to hand out.
func WithoutUniqueIDs(members []string) []string {
	own := false
	for i, member := range members {
		if !strings.HasSuffix(member, "'B") {
			continue
		}
		if !own {
			members, own = slices.Clone(members), true
		}
		members[i] = uniqueID.ReplaceAllString(member, "")
	}
	return members
}
