package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"ldapsync/internal/fault"
)

// decoder reads a tree of nodes into a Config, setting by setting. What the tree doesn't mention stays as it is.
type decoder struct {
	origin string // the file, the variable or the flag, as errors name it
	lines  bool   // the nodes have lines worth naming
	above  string // settings above this path aren't this origin's doing
	where  map[string]string
}

// field decodes the value of one key.
type field func(n *yaml.Node, path string) error

type fields map[string]field

// at names the place of a node.
func (d *decoder) at(n *yaml.Node) string {
	if d.lines {
		return fmt.Sprintf("%s:%d", d.origin, n.Line)
	}
	return d.origin
}

func (d *decoder) refuse(n *yaml.Node, path, hint, format string, args ...any) error {
	if path != "" {
		path += ": "
	}
	return fault.New(fault.Usage, hint, "%s: %s%s", d.at(n), path, fmt.Sprintf(format, args...))
}

// object decodes a map whose keys are known.
func (d *decoder) object(n *yaml.Node, path string, known fields) error {
	return d.each(n, path, func(key string, k, v *yaml.Node, sub string) error {
		decode, ok := known[key]
		if !ok {
			return d.unknown(k, path, key, known)
		}
		return decode(v, sub)
	})
}

// each goes through a map whose keys are free, and refuses a key that stands there twice.
func (d *decoder) each(n *yaml.Node, path string, fn func(key string, k, v *yaml.Node, sub string) error) error {
	n = resolve(n)
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return d.refuse(n, path, "", "must be a map of settings, not %s", kindOf(n))
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode {
			return d.refuse(k, path, "", "a key must be text, not %s", kindOf(k))
		}
		sub := join(path, k.Value)
		if line, twice := first[k.Value]; twice {
			return d.twice(k, sub, line)
		}
		first[k.Value] = k.Line
		if strings.HasPrefix(sub, d.above) {
			d.where[sub] = d.at(k)
		}
		if err := fn(k.Value, k, v, sub); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) twice(k *yaml.Node, path string, line int) error {
	if !d.lines {
		return d.refuse(k, path, "keep one of the two", "stands there twice")
	}
	return d.refuse(k, path, "keep one of the two, or give one another name", "stands there twice, first in line %d", line)
}

func (d *decoder) unknown(k *yaml.Node, path, key string, known fields) error {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	return d.refuse(k, join(path, key), nearestHint(key, names), "unknown key")
}

func (d *decoder) text(p *string) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		if n.Kind != yaml.ScalarNode {
			return d.refuse(n, path, "", "must be text, not %s", kindOf(n))
		}
		*p = n.Value
		return nil
	}
}

// texts decodes a list of texts; a single one stands for a list of one.
func (d *decoder) texts(p *[]string) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		list := make([]string, len(items))
		for i, item := range items {
			item = resolve(item)
			if item.Kind != yaml.ScalarNode || isNull(item) {
				return d.refuse(item, path, "", "must be text or a list of texts, not %s", kindOf(item))
			}
			list[i] = item.Value
		}
		*p = list
		return nil
	}
}

func (d *decoder) choice(p *string, allowed ...string) field {
	return func(n *yaml.Node, path string) error {
		v := *p
		if err := d.text(&v)(n, path); err != nil {
			return err
		}
		for _, a := range allowed {
			if v == a {
				*p = v
				return nil
			}
		}
		return d.refuse(n, path, "one of: "+strings.Join(allowed, ", "), "%q isn't known", v)
	}
}

func (d *decoder) flag(p *bool) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		if n.Kind == yaml.ScalarNode {
			switch strings.ToLower(n.Value) {
			case "true", "yes", "on", "1":
				*p = true
				return nil
			case "false", "no", "off", "0":
				*p = false
				return nil
			}
		}
		return d.refuse(n, path, "", "must be true or false, not %s", quoted(n))
	}
}

func (d *decoder) number(p *int) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		v, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
		if n.Kind != yaml.ScalarNode || err != nil {
			return d.refuse(n, path, "", "must be a whole number, not %s", quoted(n))
		}
		*p = v
		return nil
	}
}

// bit decodes the value of a bit, decimal or 0x….
func (d *decoder) bit(p *uint64) field {
	return func(n *yaml.Node, path string) error {
		v, err := strconv.ParseUint(n.Value, 0, 32)
		if n.Kind != yaml.ScalarNode || err != nil || v == 0 || v&(v-1) != 0 {
			return d.refuse(n, path, "the bit's value: 1, 2, 4, 8, …; userAccountControl's 2 means disabled", "must be the value of one bit, not %s", quoted(n))
		}
		*p = v
		return nil
	}
}

func (d *decoder) duration(p *time.Duration) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		v, ok := parseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || !ok {
			return d.refuse(n, path, "such as 30s, 15m, 24h or 30d", "must be a duration, not %s", quoted(n))
		}
		*p = v
		return nil
	}
}

// parseDuration knows days too, in front: 30d, 1d12h. A bare 0 is a duration, no other bare number is.
func parseDuration(s string) (time.Duration, bool) {
	var days time.Duration
	if head, tail, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		days = time.Duration(n) * 24 * time.Hour
		if s = tail; s == "" {
			return days, true
		}
	}
	v, err := time.ParseDuration(s)
	return days + v, err == nil && v >= 0
}

func (d *decoder) secret(p *Secret) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		if n.Kind != yaml.ScalarNode {
			return d.refuse(n, path, "", "must be text, not %s", kindOf(n))
		}
		*p = NewSecret(n.Value)
		return nil
	}
}

func (d *decoder) secretFile(p *Secret) field {
	return func(n *yaml.Node, path string) error {
		var name string
		if err := d.text(&name)(n, path); err != nil || name == "" {
			return err
		}
		*p = SecretFile(name)
		return nil
	}
}

// apart refuses a map that has both keys.
func (d *decoder) apart(n *yaml.Node, path, a, b string) error {
	n = resolve(n)
	if n.Kind == yaml.MappingNode && child(n, a) != nil && child(n, b) != nil {
		return d.refuse(child(n, b), join(path, b), "keep one of the two", "stands beside %s", a)
	}
	return nil
}

// child returns the key's node in a map; nil if it isn't there.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if isNull(n) {
		return "nothing"
	}
	return "text"
}

func quoted(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return strconv.Quote(n.Value)
	}
	return kindOf(n)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
