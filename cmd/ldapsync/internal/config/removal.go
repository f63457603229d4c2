package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Removal says what happens to the accounts of those who are gone.
type Removal struct {
	// Scope of the accounts concerned: linked, those that sync made or adopted; or all, also those that no entry stands behind. Default: linked.
	Scope string `yaml:"scope"`
	// Exclude accounts from scope all: usernames without case, or shell patterns such as svc-*. Default: none.
	Exclude []string `yaml:"exclude,omitempty"`
	// Grace is how long somebody is missing before she counts as removed. All targets of a source have the same. Default: 0, at once.
	Grace time.Duration `yaml:"grace"`
	// Missing says what happens to the account of one who is missing: keep, or deactivate. Default: keep.
	Missing string `yaml:"missing"`
	// Callbacks to run: deactivate, delete. Default: none, nothing is done.
	Callbacks []string `yaml:"callbacks,omitempty"`
	Delete    Deletion `yaml:"delete,omitempty"`
	// DeleteByUsername lets delete act where the directory has no ids and the username stands for them. Default: false.
	DeleteByUsername bool `yaml:"delete_by_username,omitempty"`
}

// Deletion says when accounts are deleted, and what becomes of rows that refer to them.
type Deletion struct {
	// After is how long an account must have been deactivated by sync. 0: at once. Default: 0.
	After time.Duration `yaml:"after,omitempty"`
	// References: what becomes of rows of tables that aren't Django's own, by table.column: cascade, set_null or refuse. Default: refuse.
	References map[string]string `yaml:"references,omitempty"`
}

// ScopeAll is the scope that concerns all accounts, and MissingDeactivate deactivates the missing at once.
const (
	ScopeAll          = "all"
	MissingDeactivate = "deactivate"
)

func (d *decoder) removal(n *yaml.Node, path string, r *Removal) error {
	return d.object(n, path, fields{
		"scope":              d.choice(&r.Scope, "linked", ScopeAll),
		"exclude":            d.texts(&r.Exclude),
		"grace":              d.duration(&r.Grace),
		"missing":            d.choice(&r.Missing, "keep", MissingDeactivate),
		"callbacks":          d.texts(&r.Callbacks),
		"delete_by_username": d.flag(&r.DeleteByUsername),
		"delete": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"after":      d.duration(&r.Delete.After),
				"references": d.references(&r.Delete.References),
			})
		},
		"limits": func(n *yaml.Node, path string) error {
			if isNull(n) || n.Kind == yaml.MappingNode && len(n.Content) == 0 {
				return nil
			}
			return d.refuse(n, path, "write them under the source: sources.….limits", "limits are the source's, which all its targets share")
		},
	})
}

// references decodes a map from table.column to what becomes of its rows.
func (d *decoder) references(p *map[string]string) field {
	return func(n *yaml.Node, path string) error {
		rules := map[string]string{}
		err := d.each(n, path, func(column string, k, v *yaml.Node, sub string) error {
			if dots := strings.Count(column, "."); dots < 1 || dots > 2 || slices.Contains(strings.Split(column, "."), "") {
				return d.refuse(k, sub, "such as shop_order.customer_id", "must be a table and its column, table.column or schema.table.column")
			}
			var rule string
			if err := d.choice(&rule, "cascade", "set_null", "refuse")(v, sub); err != nil {
				return err
			}
			rules[column] = rule
			return nil
		})
		if err == nil && !isNull(n) {
			*p = rules
		}
		return err
	}
}

// validateRemoval refuses settings that say nothing, or less than one would think.
func (c *Config) validateRemoval(at string, t *Target) error {
	r := &t.Removal
	for _, pattern := range r.Exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return c.refuse(at+".exclude", "such as svc-*; a [ stands for itself as [[]", "%q isn't a username or a shell pattern", pattern)
		}
	}
	deactivates := slices.Contains(r.Callbacks, Deactivate)
	switch {
	case r.Missing == MissingDeactivate && !deactivates:
		return c.refuse(at+".missing", "add deactivate to removal.callbacks", "nobody is deactivated without that callback")
	case r.Delete.After > 0 && slices.Contains(r.Callbacks, Delete) && !deactivates:
		return c.refuse(at+".delete.after", "write callbacks: [deactivate, delete]", "nobody is deleted: the time counts from the deactivation, and nobody is deactivated")
	case r.Scope == ScopeAll && !slices.ContainsFunc(t.Sources, func(name string) bool { return c.Source(name).Users.Filter != "" }):
		return c.refuse(at+".scope", "set users.filter (LDAP_SYNC_USER_FILTER), or leave scope out", "no source of this target reads users, and every account would be without an entry")
	}
	return nil
}

// validateGrace wants one grace for all targets of a source: its events carry it.
func (c *Config) validateGrace(s *Source) error {
	targets := c.TargetsOf(s.Name)
	for _, t := range targets {
		if first := targets[0]; t.Removal.Grace != first.Removal.Grace {
			return c.refuse("targets."+t.Name+".removal.grace", "write the same grace for both: who is missing, and for how long, is told once for all targets of a source",
				"%s, but target %s, which source %s feeds too, has %s", days(t.Removal.Grace), first.Name, s.Name, days(first.Removal.Grace))
		}
	}
	return nil
}

// Grace is how long somebody of a source is missing before she counts as removed.
func (c *Config) Grace(source string) time.Duration {
	for _, t := range c.TargetsOf(source) {
		return t.Removal.Grace
	}
	return 0
}

// days writes a duration as people do.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
