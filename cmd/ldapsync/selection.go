package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/cmd/ldapsync/internal/config"
)

// selection is which sources and targets a command is about; all of them by default.
type selection struct{ sources, targets []string }

func (s *selection) flags(c *cobra.Command) {
	s.sourceFlag(c)
	s.targetFlag(c)
}

func (s *selection) sourceFlag(c *cobra.Command) {
	c.Flags().StringSliceVar(&s.sources, "source", nil, "only this `source`; may be repeated")
}

func (s *selection) targetFlag(c *cobra.Command) {
	c.Flags().StringSliceVar(&s.targets, "target", nil, "only this `target`; may be repeated")
}

// sourcesOf returns the sources selected: those named, else those that feed the targets named, else all.
func (s *selection) sourcesOf(cfg *config.Config) ([]*config.Source, error) {
	if err := s.check(cfg); err != nil {
		return nil, err
	}
	var list []*config.Source
	for i := range cfg.Sources {
		src := &cfg.Sources[i]
		if len(s.sources) > 0 && !slices.Contains(s.sources, src.Name) {
			continue
		}
		if len(s.targets) > 0 && !slices.ContainsFunc(cfg.TargetsOf(src.Name), func(t *config.Target) bool { return slices.Contains(s.targets, t.Name) }) {
			continue
		}
		list = append(list, src)
	}
	if len(list) == 0 {
		return nil, usage("set LDAP_SYNC_URI and LDAP_SYNC_BASE, or write ldapsync.yaml; ldapsync demo needs neither", "no source is configured")
	}
	return list, nil
}

// targetsOf returns the targets selected: those named, else those that the sources named feed, else all.
func (s *selection) targetsOf(cfg *config.Config) ([]*config.Target, error) {
	if err := s.check(cfg); err != nil {
		return nil, err
	}
	var list []*config.Target
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if len(s.targets) > 0 && !slices.Contains(s.targets, t.Name) {
			continue
		}
		if len(s.sources) > 0 && !slices.ContainsFunc(t.Sources, func(name string) bool { return slices.Contains(s.sources, name) }) {
			continue
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, usage("set DATABASE_URL, or write targets: into ldapsync.yaml", "no target is configured")
	}
	return list, nil
}

func (s *selection) check(cfg *config.Config) error {
	for _, name := range s.sources {
		if cfg.Source(name) == nil {
			return usage("configured: "+names(len(cfg.Sources), func(i int) string { return cfg.Sources[i].Name }), "--source: there is no source %q", name)
		}
	}
	for _, name := range s.targets {
		if cfg.Target(name) == nil {
			return usage("configured: "+names(len(cfg.Targets), func(i int) string { return cfg.Targets[i].Name }), "--target: there is no target %q", name)
		}
	}
	return nil
}

func names(n int, name func(i int) string) string {
	if n == 0 {
		return "none"
	}
	list := make([]string, n)
	for i := range list {
		list[i] = name(i)
	}
	return strings.Join(list, ", ")
}

// patience is how long a run tries to reach its servers: the longest of the sources'.
func patience(sources []*config.Source) time.Duration {
	longest := 30 * time.Second
	for i, s := range sources {
		if i == 0 || s.Retry.For > longest {
			longest = s.Retry.For
		}
	}
	return longest
}
