package config

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultSource is a source of which nothing is configured yet.
func defaultSource(name string) Source {
	return Source{
		Name:     name,
		Scope:    "sub",
		PageSize: 1000,
		Encoding: "protobuf",
		Interval: 15 * time.Minute,
		Retry:    Retry{For: 30 * time.Second},
		Limits:   defaultLimits(),
		History:  History{FullEvery: 24 * time.Hour, Keep: 30 * 24 * time.Hour},
	}
}

// defaultTarget is a target of which nothing is configured yet.
func defaultTarget(name string) Target {
	return Target{
		Name:    name,
		Users:   TargetUsers{UsernameField: "username"},
		Groups:  TargetGroups{Membership: true, OnRemoved: "keep"},
		Adopt:   Adopt{Existing: true},
		Removal: Removal{Scope: "linked", Missing: "keep"},
		Verify:  24 * time.Hour,
	}
}

// complete fills in what follows from other settings, or from the environment.
func (c *Config) complete(env Environment) {
	if c.State == "" {
		c.State = defaultState(env)
	}
	for i := range c.Targets {
		if t := &c.Targets[i]; len(t.Sources) == 0 && len(c.Sources) == 1 {
			t.Sources = []string{c.Sources[0].Name}
		}
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		s.Users.Filter, s.Groups.Filter = tidyFilter(s.Users.Filter), tidyFilter(s.Groups.Filter)
	}
}

// defaultState is systemd's $STATE_DIRECTORY (the first of several), else ldapsync in $XDG_STATE_HOME, else in ~/.local/state; ""
// where there is no home either.
func defaultState(env Environment) string {
	if v, _ := env.lookup("STATE_DIRECTORY"); v != "" {
		first, _, _ := strings.Cut(v, ":")
		return first
	}
	if v, _ := env.lookup("XDG_STATE_HOME"); filepath.IsAbs(v) {
		return filepath.Join(v, "ldapsync")
	}
	home, _ := env.lookup("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "state", "ldapsync")
}
