package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"ldapsync/extractor"
	"ldapsync/internal/limit"
)

// Limits say how much a source may take away at once; what is over one of them waits until a person approves it. Each counts one pass, and
// those of the Window before it.
type Limits struct {
	// Window is the time over which losses are added up, by the stream's clock. Default: 24h.
	Window time.Duration `yaml:"window"`
	// Users who are gone. Default: more than 5 and more than 5 %, more than 500, or all where those are more than 5.
	Users Limit `yaml:"users"`
	// Groups that are gone. Default: as for users.
	Groups Limit `yaml:"groups"`
	// Memberships that users lose, in all groups together. Default: more than 20 and 10 %, more than 10000, or all of more than 20.
	Memberships Limit `yaml:"memberships"`
	// GroupMemberships that users lose in one group. Default: more than 10 and 20 %, more than 500, or all of more than 5.
	GroupMemberships Limit `yaml:"group_memberships"`
	// Staff and Superusers: users who lose that flag. Default: more than 2 and 1 %, more than 500, or all of more than 2.
	Staff      Limit `yaml:"staff"`
	Superusers Limit `yaml:"superusers"`
	// Deactivated users, by the source's active rule. Default: as for users.
	Deactivated Limit `yaml:"deactivated"`
	// Attributes: users who lose all values of one attribute. Default: more than 5 and 10 %, more than 500, or all of more than 5.
	Attributes Limit `yaml:"attributes"`
}

// Limit is one of them, or off.
type Limit limit.Limit

// namedLimit is a limit with its key.
type namedLimit struct {
	key   string
	limit *Limit
}

// each lists the limits in the order in which they are printed.
func (l *Limits) each() []namedLimit {
	return []namedLimit{
		{"users", &l.Users}, {"groups", &l.Groups}, {"memberships", &l.Memberships}, {"group_memberships", &l.GroupMemberships},
		{"staff", &l.Staff}, {"superusers", &l.Superusers}, {"deactivated", &l.Deactivated}, {"attributes", &l.Attributes},
	}
}

// Off names the limits that are switched off; all tells whether none is left.
func (l *Limits) Off() (names []string, all bool) {
	list := l.each()
	for _, n := range list {
		if !n.limit.On {
			names = append(names, n.key)
		}
	}
	return names, len(names) == len(list)
}

func defaultLimits() Limits {
	d := extractor.DefaultLimits()
	return Limits{
		Window: d.Window, Users: Limit(d.Users), Groups: Limit(d.Groups), Memberships: Limit(d.Memberships), GroupMemberships: Limit(d.GroupMemberships),
		Staff: Limit(d.Staff), Superusers: Limit(d.Superusers), Deactivated: Limit(d.Deactivated), Attributes: Limit(d.Attributes),
	}
}

// Extractor is how the extractor takes them.
func (l Limits) Extractor() extractor.Limits {
	return extractor.Limits{
		Window: l.Window, Users: limit.Limit(l.Users), Groups: limit.Limit(l.Groups), Memberships: limit.Limit(l.Memberships), GroupMemberships: limit.Limit(l.GroupMemberships),
		Staff: limit.Limit(l.Staff), Superusers: limit.Limit(l.Superusers), Deactivated: limit.Limit(l.Deactivated), Attributes: limit.Limit(l.Attributes),
	}
}

// limits decodes off, or a map of limits.
func (d *decoder) limits(l *Limits) field {
	return func(n *yaml.Node, path string) error {
		if isOff(n) {
			for _, one := range l.each() {
				one.limit.On = false
			}
			return nil
		}
		if n.Kind == yaml.ScalarNode && !isNull(n) {
			return d.refuse(n, path, "such as {users: {count: 20, percent: 10}}, or off", "must be off or a map of limits, not %s", quoted(n))
		}
		known := fields{"window": d.duration(&l.Window)}
		for _, one := range l.each() {
			known[one.key] = d.limit(one.limit)
		}
		return d.object(n, path, known)
	}
}

// limit decodes off, or a map; what the map doesn't mention keeps its default.
func (d *decoder) limit(l *Limit) field {
	return func(n *yaml.Node, path string) error {
		switch {
		case isNull(n):
			return nil
		case isOff(n):
			l.On = false
			return nil
		case n.Kind != yaml.MappingNode:
			return d.refuse(n, path, "such as {count: 20, percent: 10}, or off", "must be off or a map of count, percent, most and all, not %s", quoted(n))
		}
		l.On = true
		return d.object(n, path, fields{
			"count": d.count(&l.Count), "percent": d.percent(&l.Percent), "most": d.count(&l.Most), "all": d.count(&l.All),
		})
	}
}

// count decodes a whole number that isn't negative.
func (d *decoder) count(p *int) field {
	return func(n *yaml.Node, path string) error {
		v := *p
		if err := d.number(&v)(n, path); err != nil {
			return err
		}
		if v < 0 {
			return d.refuse(n, path, "", "must be 0 or more, not %d", v)
		}
		*p = v
		return nil
	}
}

// percent decodes a share, with or without its sign.
func (d *decoder) percent(p *float64) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(n.Value, "%")), 64)
		if n.Kind != yaml.ScalarNode || err != nil || math.IsNaN(v) || v < 0 || v > 100 {
			return d.refuse(n, path, "such as 5 or 0.5", "must be a share in percent, 0 to 100, not %s", quoted(n))
		}
		*p = v
		return nil
	}
}

// isOff tells whether a setting is switched off. YAML 1.1, and JSON, have more words for that.
func isOff(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	switch strings.ToLower(n.Value) {
	case "off", "false", "no":
		return true
	}
	return false
}

// MarshalYAML writes the limits as the file has them.
func (l Limits) MarshalYAML() (any, error) {
	if _, all := l.Off(); all {
		return text("off"), nil
	}
	type plain Limits
	return plain(l), nil
}

// MarshalYAML writes a limit on one line.
func (l Limit) MarshalYAML() (any, error) {
	if !l.On {
		return text("off"), nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, pair := range [...][2]string{
		{"count", strconv.Itoa(l.Count)}, {"percent", fmt.Sprintf("%g", l.Percent)}, {"most", strconv.Itoa(l.Most)}, {"all", strconv.Itoa(l.All)},
	} {
		n.Content = append(n.Content, text(pair[0]), &yaml.Node{Kind: yaml.ScalarNode, Value: pair[1]})
	}
	return n, nil
}
