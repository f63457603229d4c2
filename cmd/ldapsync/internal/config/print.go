package config

import (
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print returns the configuration in effect as YAML, without secrets. Settings that are switched off aren't shown.
func (c *Config) Print() (string, error) {
	sources, err := ordered(len(c.Sources), func(i int) (string, any) { return c.Sources[i].Name, &c.Sources[i] })
	if err != nil {
		return "", err
	}
	targets, err := ordered(len(c.Targets), func(i int) (string, any) { return c.Targets[i].Name, newTargetView(&c.Targets[i]) })
	if err != nil {
		return "", err
	}
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err = enc.Encode(struct {
		State   string     `yaml:"state"`
		NATS    natsView   `yaml:"nats,omitempty"`
		Sources *yaml.Node `yaml:"sources"`
		Targets *yaml.Node `yaml:"targets"`
	}{c.State, natsView{shownURLs(c.NATS.URL), c.NATS.CredsFile}, sources, targets})
	return b.String(), err
}

type natsView struct {
	URL       string `yaml:"url,omitempty"`
	CredsFile string `yaml:"creds_file,omitempty"`
}

// targetView shows a database's host and name, and attributes as they are written.
type targetView struct {
	Sources  []string     `yaml:"sources"`
	Database string       `yaml:"database,omitempty"`
	Users    TargetUsers  `yaml:"users"`
	Groups   TargetGroups `yaml:"groups"`
	Adopt    Adopt        `yaml:"adopt"`
	Removal  Removal      `yaml:"removal"`
	Verify   string       `yaml:"verify"`
	Outcomes bool         `yaml:"outcomes,omitempty"`
	Encoding string       `yaml:"encoding,omitempty"`
}

func newTargetView(t *Target) *targetView {
	shown, _ := t.Database.MarshalYAML()
	v := &targetView{Sources: t.Sources, Users: t.Users, Groups: t.Groups, Adopt: t.Adopt, Removal: t.Removal, Verify: t.Verify.String(),
		Outcomes: t.Outcomes, Encoding: t.Encoding}
	v.Database, _ = shown.(string)
	if db, err := ParseDatabase(t.Database.value); err == nil && t.Database.file == "" {
		v.Database = db.Shown
	}
	return v
}

// shownURLs takes the accounts out of the URLs of NATS servers.
func shownURLs(s Secret) string {
	if !s.IsSet() || s.file != "" {
		shown, _ := s.MarshalYAML()
		text, _ := shown.(string)
		return text
	}
	urls := strings.Split(s.value, ",")
	for i, text := range urls {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil {
			return hidden
		}
		if u.User != nil {
			u.User = url.User("xxxxx")
		}
		urls[i] = strings.Replace(u.String(), "xxxxx@", hidden+"@", 1)
	}
	return strings.Join(urls, ",")
}

// ordered builds a map in the order given.
func ordered(n int, item func(i int) (name string, value any)) (*yaml.Node, error) {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for i := range n {
		name, value := item(i)
		var v yaml.Node
		if err := v.Encode(value); err != nil {
			return m, err
		}
		m.Content = append(m.Content, text(name), &v)
	}
	return m, nil
}
