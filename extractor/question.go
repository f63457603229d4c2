package extractor

import (
	"fmt"
	"slices"
	"strings"
)

// changedQuestion tells how the question differs from that of the last committed snapshot (of the last one started, if none was), for people; "" if it
// doesn't. The server isn't part of a question, and another id attribute is refused before.
func (p *pass) changedQuestion() string {
	was, is := p.state.asked, p.question
	if was == nil {
		was = p.state.question
	}
	if was == nil {
		return ""
	}
	for _, part := range []struct{ name, was, is string }{
		{"bases", names(was.GetBases()), names(is.GetBases())},
		{"user filter", was.GetUserFilter(), is.GetUserFilter()},
		{"group filter", was.GetGroupFilter(), is.GetGroupFilter()},
		{"scope", strings.ToLower(was.GetScope()), strings.ToLower(is.GetScope())},
		{"naming context", foldDN(was.GetNamingContext()), foldDN(is.GetNamingContext())},
	} {
		if part.was != part.is {
			return fmt.Sprintf("the question has changed (%s: %q, was %q)", part.name, part.is, part.was)
		}
	}
	if d := difference(was.GetAttributes(), is.GetAttributes()); d != "" {
		return "the question has changed (attributes: " + d + ")"
	}
	return ""
}

// names brings bases into an order and a spelling in which equal ones are equal.
func names(bases []string) string {
	folded := make([]string, len(bases))
	for i, b := range bases {
		folded[i] = foldDN(b)
	}
	slices.Sort(folded)
	return strings.Join(folded, "; ")
}

// difference tells which of two sets' names are in one alone.
func difference(was, is []string) string {
	var parts []string
	for _, name := range is {
		if !slices.Contains(was, name) {
			parts = append(parts, "+"+name)
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			parts = append(parts, "-"+name)
		}
	}
	return strings.Join(parts, " ")
}
