package main

import (
	"slices"

	"ldapsync/cmd/ldapsync/internal/config"
)

// inPrecedence orders the sources of a run as the targets name theirs: of two that bring somebody of one name in the same run, the one that is applied first
// makes the account, and keeps it. Where the targets don't say, or contradict each other, the order stays.
func inPrecedence(sources []*config.Source, targets []*config.Target) []*config.Source {
	left, ordered := slices.Clone(sources), make([]*config.Source, 0, len(sources))
	for len(left) > 0 {
		next := max(0, slices.IndexFunc(left, func(s *config.Source) bool {
			return !slices.ContainsFunc(left, func(other *config.Source) bool { return precedes(other.Name, s.Name, targets) })
		}))
		ordered = append(ordered, left[next])
		left = slices.Delete(left, next, next+1)
	}
	return ordered
}

// precedes tells whether a target names source a before source b.
func precedes(a, b string, targets []*config.Target) bool {
	return slices.ContainsFunc(targets, func(t *config.Target) bool {
		at := slices.Index(t.Sources, a)
		return at >= 0 && at < slices.Index(t.Sources, b)
	})
}
