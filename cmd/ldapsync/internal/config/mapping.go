package config

import "go.yaml.in/yaml/v3"

// attributes decodes a map from LDAP attribute to column, to a map of options, or to a list of these.
func (d *decoder) attributes(p *Attributes) field {
	return func(n *yaml.Node, path string) error {
		var list Attributes
		err := d.each(n, path, func(name string, k, v *yaml.Node, sub string) error {
			if !attributeName(name) {
				return d.refuse(k, sub, "such as sAMAccountName", "not the name of an LDAP attribute")
			}
			items := []*yaml.Node{v}
			if v.Kind == yaml.SequenceNode {
				items = v.Content
			}
			for _, item := range items {
				a, err := d.attribute(name, resolve(item), sub)
				if err != nil {
					return err
				}
				list = append(list, a)
			}
			return nil
		})
		if err == nil && !isNull(n) {
			*p = list
		}
		return err
	}
}

func (d *decoder) attribute(name string, n *yaml.Node, path string) (Attribute, error) {
	a := Attribute{Name: name}
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		a.Column = n.Value
		return a, nil
	}
	if n.Kind != yaml.MappingNode {
		return a, d.refuse(n, path, "a column, or {field: column, lower: true, …}", "must be a column's name or a map, not %s", kindOf(n))
	}
	err := d.object(n, path, fields{
		"field": d.text(&a.Column),
		"or":    d.texts(&a.Or),
		"trim":  d.flag(&a.Trim),
		"lower": d.flag(&a.Lower),
		"upper": d.flag(&a.Upper),
		"default": func(n *yaml.Node, path string) error {
			if isNull(n) {
				return nil
			}
			a.Default = new(string)
			return d.text(a.Default)(n, path)
		},
		"bool": func(n *yaml.Node, path string) error {
			a.Bool = new(Truth)
			if err := d.object(n, path, d.truth(a.Bool)); err != nil {
				return err
			}
			return d.one(n, path, a.Bool.rules(), "{equals: […]}, {bit: n} or {not_bit: n}")
		},
	})
	switch {
	case err != nil:
		return a, err
	case a.Column == "":
		return a, d.refuse(n, path, "field: the column that the attribute goes to", "names no field")
	case a.Lower && a.Upper:
		return a, d.refuse(n, path, "keep one of the two", "both lower and upper")
	case a.Bool != nil && (a.Lower || a.Upper || a.Trim):
		return a, d.refuse(n, path, "bool compares without case and without surrounding space anyway", "bool doesn't go with lower, upper or trim")
	}
	return a, nil
}

func (d *decoder) truth(t *Truth) fields {
	return fields{"equals": d.texts(&t.Equals), "bit": d.bit(&t.Bit), "not_bit": d.bit(&t.NotBit)}
}

// rules counts the rules that are set.
func (t *Truth) rules() int {
	n := 0
	for _, set := range []bool{len(t.Equals) > 0, t.Bit != 0, t.NotBit != 0} {
		if set {
			n++
		}
	}
	return n
}

func (d *decoder) one(n *yaml.Node, path string, count int, forms string) error {
	if count == 1 {
		return nil
	}
	return d.refuse(n, path, "write "+forms, "must have exactly one rule, not %d", count)
}

// rule decodes the rule of a flag: the DN of a group, or a map.
func (d *decoder) rule(p **FlagRule) field {
	return func(n *yaml.Node, path string) error {
		if isNull(n) {
			return nil
		}
		r := new(FlagRule)
		*p = r
		if n.Kind == yaml.ScalarNode {
			r.Group = n.Value
			return nil
		}
		known := d.truth(&r.Truth)
		known["group"], known["attribute"] = d.text(&r.Group), d.text(&r.Attribute)
		if err := d.object(n, path, known); err != nil {
			return err
		}
		const forms = "the DN of a group, or {attribute: a, equals: […]}, {attribute: a, bit: n} or {attribute: a, not_bit: n}"
		switch {
		case r.Group != "" && (r.Attribute != "" || r.rules() > 0), r.Group == "" && r.Attribute == "":
			return d.refuse(n, path, "write "+forms, "must be one group or one attribute")
		case r.Attribute != "":
			return d.one(n, path, r.rules(), forms)
		}
		return nil
	}
}

// values decodes a map from column to text, number or boolean, all of them as text: the column's type decides.
func (d *decoder) values(p *map[string]string) field {
	return func(n *yaml.Node, path string) error {
		values := map[string]string{}
		err := d.each(n, path, func(column string, _, v *yaml.Node, sub string) error {
			if v.Kind != yaml.ScalarNode || isNull(v) {
				return d.refuse(v, sub, "", "must be text, a number or a boolean, not %s", kindOf(v))
			}
			values[column] = v.Value
			return nil
		})
		if err == nil && !isNull(n) {
			*p = values
		}
		return err
	}
}

// attributeName tells whether s looks like an attribute description (RFC 4512, 2.5): a name or an OID, with options.
func attributeName(s string) bool {
	for _, r := range s {
		if r != '-' && r != ';' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != ""
}
