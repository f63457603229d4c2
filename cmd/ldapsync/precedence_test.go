package main

import (
	"strings"
	"testing"

	"ldapsync/cmd/ldapsync/internal/config"
)

func TestSourcesRunInTheOrderOfTheirTargets(t *testing.T) {
	for _, c := range []struct{ sources, targets, want string }{
		{"a b c", "", "a b c"},
		{"a b c", "c a", "b c a"},
		{"a b c", "c a,b c", "b c a"},
		{"a b c", "c b a", "c b a"},
		{"a b c", "b a,a b", "c a b"}, // each wants its own first: as they are
		{"a b", "b,a", "a b"},
		{"a b", "b elsewhere a", "b a"},
	} {
		var sources []*config.Source
		for _, name := range strings.Fields(c.sources) {
			sources = append(sources, &config.Source{Name: name})
		}
		var targets []*config.Target
		for list := range strings.SplitSeq(c.targets, ",") {
			targets = append(targets, &config.Target{Sources: strings.Fields(list)})
		}
		var got []string
		for _, s := range inPrecedence(sources, targets) {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s for %s: %v, want %s", c.sources, c.targets, got, c.want)
		}
	}
}
