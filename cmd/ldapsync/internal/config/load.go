package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"ldapsync/internal/fault"
)

// Options say where a configuration comes from.
type Options struct {
	// File named by --config; it must exist. Default: the first of the usual places that is there.
	File string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Flags beat everything: settings by their path, such as state or nats.url.
	Flags []Flag
}

// Flag is one setting from the command line.
type Flag struct{ Name, Path, Value string }

// The usual places, after --config and LDAPSYNC_CONFIG.
var places = [...]string{"ldapsync.yaml", "/etc/ldapsync/ldapsync.yaml"}

// Load reads the configuration from the file, the environment and the flags, and checks it. Every error is a Usage fault.
func Load(o Options) (*Config, error) {
	env, err := newEnvironment(o.Environ)
	if err != nil {
		return nil, err
	}
	c := &Config{where: map[string]string{}}
	if err := c.readFile(o.File, env); err != nil {
		return nil, err
	}
	if err := c.readEnvironment(env); err != nil {
		return nil, err
	}
	for _, f := range o.Flags {
		if err := c.overlay("--"+f.Name, f.Path, text(f.Value)); err != nil {
			return nil, err
		}
	}
	if err := c.nameCallbacks(); err != nil {
		return nil, err
	}
	c.complete(env)
	return c, c.validate()
}

func (c *Config) readFile(named string, env Environment) error {
	origin := "--config"
	if named == "" {
		named, _ = env.lookup("LDAPSYNC_CONFIG")
		origin = "LDAPSYNC_CONFIG"
	}
	if named != "" {
		b, err := os.ReadFile(named)
		if err != nil {
			return fault.New(fault.Usage, "name a file that is there and readable", "%s: %w", origin, err)
		}
		return c.parse(named, b)
	}
	for _, place := range places {
		b, err := os.ReadFile(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fault.New(fault.Usage, "make it readable for the user that runs ldapsync, or name another with --config", "configuration: %w", err)
		}
		return c.parse(place, b)
	}
	return nil
}

// yamlLine is the place in the errors of the YAML package.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parse reads a file's text into c.
func (c *Config) parse(file string, text []byte) error {
	c.File = file
	var document, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&document); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return notYAML(file, err)
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return notYAML(file, err)
		}
		return fault.New(fault.Usage, "keep one of them", "%s:%d: a second document begins here", file, second.Line)
	}
	d := decoder{origin: file, lines: true, where: c.where}
	return d.root(document.Content[0], c)
}

func notYAML(file string, err error) error {
	place, message := file, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if m[1] != "" {
			place += ":" + m[1]
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	return fault.New(fault.Usage, "check the indentation (spaces, no tabs) and quote values with special characters", "%s: not YAML: %s", place, message)
}

// overlay decodes one setting over what is there already.
func (c *Config) overlay(origin, path string, n *yaml.Node) error {
	d := decoder{origin: origin, above: path, where: c.where}
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		n = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(keys[i]), n}}
	}
	if err := d.root(n, c); err != nil {
		// The variable's or flag's name is all that its user knows: the path behind it is of no use to her.
		class, hint := fault.Of(err)
		return fault.New(class, hint, "%s", strings.Replace(err.Error(), origin+": "+path, origin, 1))
	}
	return nil
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// refuse returns a fault about a setting, with the place where it was set.
func (c *Config) refuse(path, hint, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	for at := path; ; {
		if origin, ok := c.where[at]; ok {
			// A variable names the setting by itself; a file doesn't.
			if !strings.Contains(origin, ":") {
				return fault.New(fault.Usage, hint, "%s: %s", origin, message)
			}
			return fault.New(fault.Usage, hint, "%s: %s: %s", origin, path, message)
		}
		i := strings.LastIndexByte(at, '.')
		if i < 0 {
			return fault.New(fault.Usage, hint, "%s: %s", path, message)
		}
		at = at[:i]
	}
}
