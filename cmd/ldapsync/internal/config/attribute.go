package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Attribute is one LDAP attribute that goes to a column, and what happens on the way.
type Attribute struct {
	Name    string   `yaml:"-"` // of the LDAP attribute
	Column  string   `yaml:"field"`
	Or      []string `yaml:"or,omitempty"` // attributes to try in turn where the first is empty
	Trim    bool     `yaml:"trim,omitempty"`
	Lower   bool     `yaml:"lower,omitempty"`
	Upper   bool     `yaml:"upper,omitempty"`
	Default *string  `yaml:"default,omitempty"` // where all of them are empty
	Bool    *Truth   `yaml:"bool,omitempty"`    // the column is a boolean, decided so
}

// Attributes are a mapping, in the order of the file.
type Attributes []Attribute

// For returns the LDAP attributes that may fill a column, in the order in which they are tried.
func (list Attributes) For(column string) []string {
	for _, a := range list {
		if a.Column == column {
			return append([]string{a.Name}, a.Or...)
		}
	}
	return nil
}

// MarshalYAML writes them as the file has them: a map from attribute to column, to options, or to a list of these.
func (list Attributes) MarshalYAML() (any, error) {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, a := range list {
		n, err := a.node()
		if err != nil {
			return nil, err
		}
		k := child(m, a.Name)
		if k == nil {
			m.Content = append(m.Content, text(a.Name), n)
			continue
		}
		for i := range m.Content {
			if m.Content[i] != k {
				continue
			}
			if before := m.Content[i+1]; before.Kind != yaml.SequenceNode {
				m.Content[i+1] = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{before}}
			}
			m.Content[i+1].Content = append(m.Content[i+1].Content, n)
			break
		}
	}
	return m, nil
}

func (a Attribute) node() (*yaml.Node, error) {
	if len(a.Or) == 0 && !a.Trim && !a.Lower && !a.Upper && a.Default == nil && a.Bool == nil {
		return text(a.Column), nil
	}
	n := new(yaml.Node)
	err := n.Encode(a)
	n.Style = yaml.FlowStyle
	return n, err
}

// nameSet is a set of attribute names, without case, in order.
type nameSet struct {
	list []string
	seen map[string]bool
}

func (s *nameSet) add(names ...string) {
	for _, n := range names {
		if folded := strings.ToLower(n); !s.seen[folded] {
			if s.seen == nil {
				s.seen = map[string]bool{}
			}
			s.seen[folded] = true
			s.list = append(s.list, n)
		}
	}
}

func (s *nameSet) addMapped(attributes Attributes) {
	for _, a := range attributes {
		s.add(a.Name)
		s.add(a.Or...)
	}
}
