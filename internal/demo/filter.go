package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// truth is what a filter says of an entry. An unknown matching rule is neither true nor false, nor is its negation
// (RFC 4511, section 4.5.1.7). Every attribute is known: one that an entry doesn't have is false.
type truth int8

const (
	isFalse   truth = -1
	undefined truth = 0
	isTrue    truth = 1
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// matcher is a compiled filter.
type matcher func(view) truth

const (
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleBitOr   = "1.2.840.113556.1.4.804"
	ruleInChain = "1.2.840.113556.1.4.1941"
)

// Find returns the DNs of the entries that match an LDAP filter (RFC 4515), in the order in which they were added.
func (d *Directory) Find(filter string) ([]string, error) {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, fault.New(fault.Directory, "write it as in RFC 4515: (&(objectClass=person)(uid=a*))", "filter %q: %w", filter, err)
	}
	match, err := compile(p)
	if err != nil {
		return nil, fault.New(fault.Directory, "", "filter %q: %w", filter, err)
	}
	all, _, _ := d.scope(d.base, ldap.ScopeWholeSubtree)
	var found []string
	for _, v := range all {
		if match(v) == isTrue {
			found = append(found, v.dn)
		}
	}
	return found, nil
}

// compile turns a filter, as it stands in a search request, into a matcher.
func compile(p *ber.Packet) (matcher, error) {
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
		match, err := compile(p.Children[0])
		if err != nil {
			return nil, err
		}
		return func(v view) truth { return -match(v) }, nil
	case ldap.FilterPresent:
		name := text(p)
		return func(v view) truth { return truthOf(len(v.values(name)) > 0) }, nil
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
func compileSet(p *ber.Packet) (matcher, error) {
	var parts []matcher
	for _, child := range p.Children {
		part, err := compile(child)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	sign := isTrue
	if p.Tag == ldap.FilterOr {
		sign = isFalse
	}
	return func(v view) truth {
		t := isTrue
		for _, part := range parts {
			t = min(t, sign*part(v))
		}
		return sign * t
	}, nil
}

// anyValue matches an entry one of whose values of an attribute passes.
func anyValue(name string, passes func(string) bool) matcher {
	return func(v view) truth { return truthOf(slices.ContainsFunc(v.values(name), passes)) }
}

// comparison compares values with an asserted one: numbers as numbers, anything else as text without case.
func comparison(choice ber.Tag, name, asserted string) func(string) bool {
	switch choice {
	case ldap.FilterGreaterOrEqual:
		return func(v string) bool { return order(v, asserted) >= 0 }
	case ldap.FilterLessOrEqual:
		return func(v string) bool { return order(v, asserted) <= 0 }
	}
	if isReference(name) {
		want, _, err := parseDN(asserted)
		return func(v string) bool {
			self, _, errSelf := parseDN(v)
			return err == nil && errSelf == nil && self == want
		}
	}
	folded := fold(asserted)
	return func(v string) bool { return v == asserted || fold(v) == folded }
}

func order(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(fold(a), fold(b))
}

func compileSubstrings(p *ber.Packet) (matcher, error) {
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
		rest := fold(value)
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
func compileExtensible(p *ber.Packet) (matcher, error) {
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
	unknown := func(view) truth { return undefined }
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
		return inChain(name, value), nil
	default:
		return unknown, nil
	}
	return func(v view) truth {
		values := v.values(name)
		if inDN {
			values = append(slices.Clone(values), namesInDN(v.dn, name)...)
		}
		return truthOf(slices.ContainsFunc(values, passes))
	}, nil
}

// inChain follows memberOf through nested groups. Of other attributes the rule isn't known.
func inChain(name, dn string) matcher {
	want, _, err := parseDN(dn)
	return func(v view) truth {
		if !strings.EqualFold(name, "memberOf") || err != nil {
			return undefined
		}
		seen := map[key]bool{}
		next := []key{v.key}
		for len(next) > 0 {
			at := next[0]
			next = next[1:]
			for _, group := range v.groups[at] {
				self, _, _ := parseDN(group)
				if self == want {
					return isTrue
				}
				if !seen[self] {
					seen[self] = true
					next = append(next, self)
				}
			}
		}
		return isFalse
	}
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
