package ldapmatch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"
)

// Truth is what a filter says of an entry. An unknown matching rule is neither true nor false, nor is its negation
// (RFC 4511, section 4.5.1.7). Every attribute is known: one that an entry doesn't have is false.
type Truth int8

const (
	False     Truth = -1
	Undefined Truth = 0
	True      Truth = 1
)

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Entry is what a filter is asked about.
type Entry interface {
	// DN is the entry's name.
	DN() string
	// Values returns the values of an attribute, named in any case.
	Values(name string) []string
	// InChain tells whether an attribute names dn, directly or through others (Active Directory's LDAP_MATCHING_RULE_IN_CHAIN).
	InChain(name, dn string) Truth
}

// Filter is a compiled filter.
type Filter func(Entry) Truth

const (
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleBitOr   = "1.2.840.113556.1.4.804"
	ruleInChain = "1.2.840.113556.1.4.1941"
)

// ParseFilter compiles a filter as people write it (RFC 4515).
func ParseFilter(filter string) (Filter, error) {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, err
	}
	return Compile(p)
}

// Compile compiles a filter as it stands in a search request (RFC 4511, 4.5.1.7).
func Compile(p *ber.Packet) (Filter, error) {
	if p.ClassType != ber.ClassContext {
		return nil, errMalformed
	}
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr:
		return compileSet(p)
	case ldap.FilterNot:
		if len(p.Children) != 1 {
			return nil, errMalformed
		}
		match, err := Compile(p.Children[0])
		if err != nil {
			return nil, err
		}
		return func(e Entry) Truth { return -match(e) }, nil
	case ldap.FilterPresent:
		name := text(p)
		return func(e Entry) Truth { return truthOf(len(e.Values(name)) > 0) }, nil
	case ldap.FilterSubstrings:
		return compileSubstrings(p)
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch, ldap.FilterGreaterOrEqual, ldap.FilterLessOrEqual:
		if len(p.Children) != 2 {
			return nil, errMalformed
		}
		return anyValue(text(p.Children[0]), comparison(p.Tag, text(p.Children[0]), text(p.Children[1]))), nil
	case ldap.FilterExtensibleMatch:
		return compileExtensible(p)
	}
	return nil, fmt.Errorf("filter choice %d isn't known", p.Tag)
}

// compileSet compiles and (the least of its truths) and or (the greatest). An empty one is RFC 4526's absolute true or false.
func compileSet(p *ber.Packet) (Filter, error) {
	var parts []Filter
	for _, child := range p.Children {
		part, err := Compile(child)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	sign := True
	if p.Tag == ldap.FilterOr {
		sign = False
	}
	return func(e Entry) Truth {
		t := True
		for _, part := range parts {
			t = min(t, sign*part(e))
		}
		return sign * t
	}, nil
}

// anyValue matches an entry one of whose values of an attribute passes.
func anyValue(name string, passes func(string) bool) Filter {
	return func(e Entry) Truth { return truthOf(slices.ContainsFunc(e.Values(name), passes)) }
}

// comparison compares values with an asserted one: numbers as numbers, anything else as text without case.
func comparison(choice ber.Tag, name, asserted string) func(string) bool {
	switch choice {
	case ldap.FilterGreaterOrEqual:
		return func(v string) bool { return order(v, asserted) >= 0 }
	case ldap.FilterLessOrEqual:
		return func(v string) bool { return order(v, asserted) <= 0 }
	}
	switch folded := FoldName(name); {
	case folded == "objectclass":
		return classMatcher(asserted)
	case folded == "objectcategory" && !strings.Contains(asserted, "="):
		return categoryMatcher(asserted)
	case IsReference(name):
		want, _, err := ParseDN(asserted)
		return func(v string) bool {
			self, _, errSelf := ParseDN(v)
			return err == nil && errSelf == nil && self == want
		}
	}
	folded := FoldValue(asserted)
	return func(v string) bool { return v == asserted || FoldValue(v) == folded }
}

func order(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(FoldValue(a), FoldValue(b))
}

func compileSubstrings(p *ber.Packet) (Filter, error) {
	if len(p.Children) != 2 || len(p.Children[1].Children) == 0 {
		return nil, errMalformed
	}
	type part struct {
		kind ber.Tag
		text string
	}
	var parts []part
	for _, c := range p.Children[1].Children {
		parts = append(parts, part{c.Tag, strings.ToLower(text(c))})
	}
	return anyValue(text(p.Children[0]), func(value string) bool {
		rest := FoldValue(value)
		for _, s := range parts {
			switch s.kind {
			case ldap.FilterSubstringsInitial:
				if !strings.HasPrefix(rest, s.text) {
					return false
				}
				rest = rest[len(s.text):]
			case ldap.FilterSubstringsFinal:
				return strings.HasSuffix(rest, s.text)
			default:
				_, after, found := strings.Cut(rest, s.text)
				if !found {
					return false
				}
				rest = after
			}
		}
		return true
	}), nil
}

// compileExtensible compiles (attribute:dn:rule:=value).
func compileExtensible(p *ber.Packet) (Filter, error) {
	var rule, name, value string
	var inDN bool
	for _, c := range p.Children {
		switch c.Tag {
		case ldap.MatchingRuleAssertionMatchingRule:
			rule = text(c)
		case ldap.MatchingRuleAssertionType:
			name = text(c)
		case ldap.MatchingRuleAssertionMatchValue:
			value = text(c)
		case ldap.MatchingRuleAssertionDNAttributes:
			inDN = text(c) != "\x00"
		default:
			return nil, errMalformed
		}
	}
	unknown := func(Entry) Truth { return Undefined }
	if name == "" {
		return unknown, nil
	}
	var passes func(string) bool
	switch rule {
	case "", "caseIgnoreMatch", "2.5.13.2", "distinguishedNameMatch", "2.5.13.1":
		passes = comparison(ldap.FilterEqualityMatch, name, value)
	case "caseExactMatch", "2.5.13.5":
		passes = func(v string) bool { return v == value }
	case ruleBitAnd, ruleBitOr:
		mask, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return unknown, nil
		}
		passes = func(v string) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			if rule == ruleBitOr {
				return err == nil && n&mask != 0
			}
			return err == nil && n&mask == mask
		}
	case ruleInChain:
		return func(e Entry) Truth { return e.InChain(name, value) }, nil
	default:
		return unknown, nil
	}
	return func(e Entry) Truth {
		values := e.Values(name)
		if inDN {
			values = append(slices.Clone(values), namesInDN(e.DN(), name)...)
		}
		return truthOf(slices.ContainsFunc(values, passes))
	}, nil
}

// namesInDN returns the values that an attribute has in any RDN of a DN.
func namesInDN(dn, name string) []string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return nil
	}
	var values []string
	for _, rdn := range parsed.RDNs {
		for _, a := range rdn.Attributes {
			if strings.EqualFold(a.Type, name) {
				values = append(values, a.Value)
			}
		}
	}
	return values
}

var errMalformed = errors.New("not a filter")

func text(p *ber.Packet) string { return p.Data.String() }
