package ldapmatch

import (
	"slices"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"
)

// Attributes returns the names of the attributes that a filter asks about, each once, in the spelling and order of the filter.
func Attributes(filter string) ([]string, error) {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, err
	}
	var names []string
	var walk func(p *ber.Packet)
	walk = func(p *ber.Packet) {
		name := ""
		switch p.Tag {
		case ldap.FilterAnd, ldap.FilterOr, ldap.FilterNot:
			for _, child := range p.Children {
				walk(child)
			}
			return
		case ldap.FilterPresent:
			name = text(p)
		case ldap.FilterExtensibleMatch:
			for _, child := range p.Children {
				if child.Tag == ldap.MatchingRuleAssertionType {
					name = text(child)
				}
			}
		default:
			if len(p.Children) > 0 {
				name = text(p.Children[0])
			}
		}
		known := func(other string) bool { return MatchName(other) == MatchName(name) }
		if name != "" && !slices.ContainsFunc(names, known) {
			names = append(names, name)
		}
	}
	walk(p)
	return names, nil
}
