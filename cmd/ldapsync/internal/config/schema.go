package config

import (
	"go.yaml.in/yaml/v3"

	"ldapsync/proto"
)

// The keys of the file, map by map. The environment and the flags pass through the same functions.

func (d *decoder) root(n *yaml.Node, c *Config) error {
	return d.object(n, "", fields{
		"state": d.text(&c.State),
		"nats":  func(n *yaml.Node, path string) error { return d.nats(n, path, &c.NATS) },
		"sources": func(n *yaml.Node, path string) error {
			return d.named(n, path, func(name string, v *yaml.Node, sub string) error {
				return d.source(v, sub, c.source(name))
			})
		},
		"targets": func(n *yaml.Node, path string) error {
			return d.named(n, path, func(name string, v *yaml.Node, sub string) error {
				return d.target(v, sub, c.target(name))
			})
		},
	})
}

// named goes through a map from names of sources or targets.
func (d *decoder) named(n *yaml.Node, path string, fn func(name string, v *yaml.Node, sub string) error) error {
	return d.each(n, path, func(key string, k, v *yaml.Node, sub string) error {
		if !proto.ValidName(key) {
			return d.refuse(k, sub, "lower-case letters, digits, _ and -, 63 at most, a letter or digit first", "not a name for one of the %s", path)
		}
		return fn(key, v, sub)
	})
}

// source returns the source of that name, a new one with its defaults where there is none.
func (c *Config) source(name string) *Source {
	if s := c.Source(name); s != nil {
		return s
	}
	c.Sources = append(c.Sources, defaultSource(name))
	return &c.Sources[len(c.Sources)-1]
}

func (c *Config) target(name string) *Target {
	if t := c.Target(name); t != nil {
		return t
	}
	c.Targets = append(c.Targets, defaultTarget(name))
	return &c.Targets[len(c.Targets)-1]
}

func (d *decoder) nats(n *yaml.Node, path string, v *NATS) error {
	if err := d.apart(n, path, "url", "url_file"); err != nil {
		return err
	}
	return d.object(n, path, fields{
		"url":        d.secret(&v.URL),
		"url_file":   d.secretFile(&v.URL),
		"creds_file": d.text(&v.CredsFile),
	})
}

func (d *decoder) source(n *yaml.Node, path string, s *Source) error {
	return d.object(n, path, fields{
		"uri":       d.texts(&s.URIs),
		"starttls":  d.flag(&s.StartTLS),
		"base":      d.texts(&s.Bases),
		"scope":     d.choice(&s.Scope, "sub", "one", "base"),
		"id":        d.text(&s.ID),
		"page_size": d.number(&s.PageSize),
		"encoding":  d.choice(&s.Encoding, "protobuf", "json"),
		"interval":  d.duration(&s.Interval),
		"limits":    d.limits(&s.Limits),
		"tls": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"ca_file":              d.text(&s.TLS.CAFile),
				"cert_file":            d.text(&s.TLS.CertFile),
				"key_file":             d.text(&s.TLS.KeyFile),
				"insecure_skip_verify": d.flag(&s.TLS.InsecureSkipVerify),
			})
		},
		"bind": func(n *yaml.Node, path string) error {
			if err := d.apart(n, path, "password", "password_file"); err != nil {
				return err
			}
			return d.object(n, path, fields{
				"dn":            d.text(&s.Bind.DN),
				"password":      d.secret(&s.Bind.Password),
				"password_file": d.secretFile(&s.Bind.Password),
				"sasl":          d.choice(&s.Bind.SASL, "external"),
			})
		},
		"users": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"filter": d.text(&s.Users.Filter),
				"extra":  d.texts(&s.Users.Extra),
			})
		},
		"groups": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"filter":  d.text(&s.Groups.Filter),
				"extra":   d.texts(&s.Groups.Extra),
				"members": d.texts(&s.Groups.Members),
				"nested":  d.flag(&s.Groups.Nested),
			})
		},
		"flags": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"active":    d.rule(&s.Flags.Active),
				"staff":     d.rule(&s.Flags.Staff),
				"superuser": d.rule(&s.Flags.Superuser),
			})
		},
		"retry": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{"for": d.duration(&s.Retry.For)})
		},
		"history": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"full_every": d.duration(&s.History.FullEvery),
				"keep":       d.duration(&s.History.Keep),
			})
		},
	})
}

func (d *decoder) target(n *yaml.Node, path string, t *Target) error {
	for _, pair := range [][2]string{{"source", "sources"}, {"database", "database_file"}} {
		if err := d.apart(n, path, pair[0], pair[1]); err != nil {
			return err
		}
	}
	return d.object(n, path, fields{
		"source":        d.texts(&t.Sources),
		"sources":       d.texts(&t.Sources),
		"database":      d.secret(&t.Database),
		"database_file": d.secretFile(&t.Database),
		"users": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"table":          d.text(&t.Users.Table),
				"username_field": d.text(&t.Users.UsernameField),
				"attributes":     d.attributes(&t.Users.Attributes),
				"defaults":       d.values(&t.Users.Defaults),
				"callbacks":      d.texts(&t.Users.callbacks),
				"columns": func(n *yaml.Node, path string) error {
					return d.object(n, path, fields{
						"active":    d.text(&t.Users.Columns.Active),
						"staff":     d.text(&t.Users.Columns.Staff),
						"superuser": d.text(&t.Users.Columns.Superuser),
					})
				},
			})
		},
		"groups": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"attributes": d.attributes(&t.Groups.Attributes),
				"membership": d.flag(&t.Groups.Membership),
				"on_removed": d.choice(&t.Groups.OnRemoved, "keep", "delete"),
			})
		},
		"adopt": func(n *yaml.Node, path string) error {
			return d.object(n, path, fields{
				"existing":   d.flag(&t.Adopt.Existing),
				"privileged": d.flag(&t.Adopt.Privileged),
			})
		},
		"removal": func(n *yaml.Node, path string) error { return d.removal(n, path, &t.Removal) },
		"verify":  d.duration(&t.Verify),

		"outcomes": d.flag(&t.Outcomes),
		"encoding": d.choice(&t.Encoding, "protobuf", "json"),
	})
}
