package config

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"ldapsync/internal/fault"
)

// Environment is the process's environment, with the …_FILE form of each secret.
type Environment map[string]string

// variable is one environment variable that sets something.
type variable struct {
	name string
	of   owner
	path string // below the source, the target, or the root
	form form
}

type owner int

const (
	ofRoot owner = iota
	ofSource
	ofTarget
)

type form int

const (
	scalarForm form = iota
	listForm        // JSON, or separated by commas
	uriForm         // JSON, or separated by spaces
	dnForm          // JSON, or a single one: a DN has commas of its own
	jsonForm        // JSON
	wordForm        // JSON, or a word such as off
)

// variables are all of them; those of the original first, by their names in its documentation.
var variables = [...]variable{
	{"LDAP_SYNC_URI", ofSource, "uri", uriForm},
	{"LDAP_SYNC_BASE", ofSource, "base", dnForm},
	{"LDAP_SYNC_BASE_USER", ofSource, "bind.dn", scalarForm},
	{"LDAP_SYNC_BASE_PASS", ofSource, "bind.password", scalarForm},
	{"LDAP_SYNC_BASE_PASS_FILE", ofSource, "bind.password_file", scalarForm},
	{"LDAP_SYNC_USER_FILTER", ofSource, "users.filter", scalarForm},
	{"LDAP_SYNC_USER_ATTRIBUTES", ofTarget, "users.attributes", jsonForm},
	{"LDAP_SYNC_USER_CALLBACKS", ofTarget, "users.callbacks", listForm},
	{"LDAP_SYNC_USER_EXTRA_ATTRIBUTES", ofSource, "users.extra", listForm},
	{"LDAP_SYNC_REMOVED_USER_CALLBACKS", ofTarget, "removal.callbacks", listForm},
	{"LDAP_SYNC_USERNAME_FIELD", ofTarget, "users.username_field", scalarForm},
	{"LDAP_SYNC_GROUP_FILTER", ofSource, "groups.filter", scalarForm},
	{"LDAP_SYNC_GROUP_ATTRIBUTES", ofTarget, "groups.attributes", jsonForm},
	{"LDAP_SYNC_PAGE_SIZE", ofSource, "page_size", scalarForm},

	{"LDAP_SYNC_STARTTLS", ofSource, "starttls", scalarForm},
	{"LDAP_SYNC_CA_FILE", ofSource, "tls.ca_file", scalarForm},
	{"LDAP_SYNC_CLIENT_CERT", ofSource, "tls.cert_file", scalarForm},
	{"LDAP_SYNC_CLIENT_KEY", ofSource, "tls.key_file", scalarForm},
	{"LDAP_SYNC_TLS_INSECURE_SKIP_VERIFY", ofSource, "tls.insecure_skip_verify", scalarForm},
	{"LDAP_SYNC_SASL", ofSource, "bind.sasl", scalarForm},
	{"LDAP_SYNC_SCOPE", ofSource, "scope", scalarForm},
	{"LDAP_SYNC_ID_ATTRIBUTE", ofSource, "id", scalarForm},
	{"LDAP_SYNC_ENCODING", ofSource, "encoding", scalarForm},
	{"LDAP_SYNC_INTERVAL", ofSource, "interval", scalarForm},
	{"LDAP_SYNC_RETRY_FOR", ofSource, "retry.for", scalarForm},
	{"LDAP_SYNC_FULL_EVERY", ofSource, "history.full_every", scalarForm},
	{"LDAP_SYNC_HISTORY_KEEP", ofSource, "history.keep", scalarForm},
	{"LDAP_SYNC_LIMITS", ofSource, "limits", wordForm},
	{"LDAP_SYNC_FLAGS", ofSource, "flags", jsonForm},
	{"LDAP_SYNC_GROUP_EXTRA_ATTRIBUTES", ofSource, "groups.extra", listForm},
	{"LDAP_SYNC_GROUP_MEMBERS", ofSource, "groups.members", listForm},
	{"LDAP_SYNC_NESTED_GROUPS", ofSource, "groups.nested", scalarForm},

	{"LDAP_SYNC_USER_TABLE", ofTarget, "users.table", scalarForm},
	{"LDAP_SYNC_USER_DEFAULTS", ofTarget, "users.defaults", jsonForm},
	{"LDAP_SYNC_MEMBERSHIP", ofTarget, "groups.membership", scalarForm},
	{"LDAP_SYNC_GROUP_ON_REMOVED", ofTarget, "groups.on_removed", scalarForm},
	{"LDAP_SYNC_ADOPT_EXISTING", ofTarget, "adopt.existing", scalarForm},
	{"LDAP_SYNC_ADOPT_PRIVILEGED", ofTarget, "adopt.privileged", scalarForm},
	{"LDAP_SYNC_REMOVAL_SCOPE", ofTarget, "removal.scope", scalarForm},
	{"LDAP_SYNC_REMOVAL_EXCLUDE", ofTarget, "removal.exclude", listForm},
	{"LDAP_SYNC_REMOVAL_GRACE", ofTarget, "removal.grace", scalarForm},
	{"LDAP_SYNC_REMOVAL_MISSING", ofTarget, "removal.missing", scalarForm},
	{"LDAP_SYNC_DELETE_AFTER", ofTarget, "removal.delete.after", scalarForm},
	{"LDAP_SYNC_DELETE_REFERENCES", ofTarget, "removal.delete.references", jsonForm},
	{"LDAP_SYNC_VERIFY", ofTarget, "verify", scalarForm},
	{"LDAP_SYNC_OUTCOMES", ofTarget, "outcomes", scalarForm},
	{"LDAP_SYNC_OUTCOMES_ENCODING", ofTarget, "encoding", scalarForm},
	{"DATABASE_URL", ofTarget, "database", scalarForm},
	{"DATABASE_URL_FILE", ofTarget, "database_file", scalarForm},

	{"NATS_URL", ofRoot, "nats.url", scalarForm},
	{"NATS_URL_FILE", ofRoot, "nats.url_file", scalarForm},
	{"NATS_CREDS_FILE", ofRoot, "nats.creds_file", scalarForm},
	{"LDAPSYNC_STATE_DIR", ofRoot, "state", scalarForm},
}

// foreign matches what Kubernetes sets by itself for a service called ldap-sync.
var foreign = regexp.MustCompile(`^LDAP_SYNC_(SERVICE_|PORT$|PORT_)`)

// newEnvironment refuses variables that look like ours and aren't.
func newEnvironment(environ []string) (Environment, error) {
	env := Environment{}
	var known []string
	names := map[string]bool{}
	for _, v := range variables {
		names[v.name] = true
		if strings.HasPrefix(v.name, "LDAP_SYNC_") {
			known = append(known, v.name)
		}
	}
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
		if strings.HasPrefix(name, "LDAP_SYNC_") && !names[name] && !foreign.MatchString(name) {
			return nil, fault.New(fault.Usage, nearestHint(name, known), "%s: unknown variable", name)
		}
	}
	return env, nil
}

// lookup returns a variable; an empty one counts as absent.
func (e Environment) lookup(name string) (string, bool) {
	v := e[name]
	return v, v != ""
}

// readEnvironment lays the environment over the file.
func (c *Config) readEnvironment(env Environment) error {
	for _, v := range variables {
		value, ok := env.lookup(v.name)
		if !ok {
			continue
		}
		if _, both := env.lookup(v.name + "_FILE"); both && known(v.name+"_FILE") {
			return fault.New(fault.Usage, "unset one of the two", "%s: stands beside %s_FILE", v.name, v.name)
		}
		path, err := c.pathOf(v)
		if err != nil {
			return err
		}
		n, err := v.node(value)
		if err != nil {
			return err
		}
		if err := c.overlay(v.name, path, n); err != nil {
			return err
		}
	}
	return nil
}

func known(name string) bool {
	for _, v := range variables {
		if v.name == name {
			return true
		}
	}
	return false
}

// pathOf names the one source or target that a variable is about: the only one, else default.
func (c *Config) pathOf(v variable) (string, error) {
	name, several := "default", false
	var kind string
	switch v.of {
	case ofRoot:
		return v.path, nil
	case ofSource:
		kind, several = "sources", len(c.Sources) > 1
		if len(c.Sources) == 1 {
			name = c.Sources[0].Name
		}
	case ofTarget:
		kind, several = "targets", len(c.Targets) > 1
		if len(c.Targets) == 1 {
			name = c.Targets[0].Name
		}
	}
	if several {
		return "", fault.New(fault.Usage, "unset it and write the setting under "+kind+" in "+c.File, "%s: which of several %s it is for isn't clear", v.name, kind)
	}
	return kind + "." + name + "." + v.path, nil
}

// node turns the text of a variable into what the file would hold.
func (v variable) node(value string) (*yaml.Node, error) {
	trimmed := strings.TrimSpace(value)
	isJSON := strings.HasPrefix(trimmed, "[") || v.form == jsonForm || v.form == wordForm && strings.HasPrefix(trimmed, "{")
	switch {
	case v.form == scalarForm, v.form == wordForm && !isJSON:
		return text(value), nil
	case isJSON:
		n, err := fromJSON(trimmed)
		if err != nil {
			return nil, fault.New(fault.Usage, v.example(), "%s: not JSON: %w", v.name, err)
		}
		return n, nil
	case v.form == dnForm:
		return text(trimmed), nil
	}
	split := strings.Fields
	if v.form == listForm {
		split = func(s string) []string { return strings.Split(s, ",") }
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range split(trimmed) {
		if item = strings.TrimSpace(item); item != "" {
			list.Content = append(list.Content, text(item))
		}
	}
	return list, nil
}

func (v variable) example() string {
	switch v.path {
	case "users.attributes":
		return `such as {"uid": "username", "mail": "email"}, with double quotes and without a last comma`
	case "groups.attributes":
		return `such as {"cn": "name"}, with double quotes and without a last comma`
	case "limits":
		return `off, or such as {"users": {"count": 20, "percent": 10}, "attributes": "off"}`
	case "removal.delete.references":
		return `such as {"shop_order.customer_id": "set_null"}`
	case "flags":
		return `such as {"staff": "cn=admins,ou=groups,dc=example,dc=com"}`
	}
	return "with double quotes and without a last comma"
}

// fromJSON turns JSON into nodes, keeping the order of keys and those that stand there twice.
func fromJSON(s string) (*yaml.Node, error) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	n, err := jsonNode(dec)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it ends too early")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return n, nil
}

func jsonNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if t == '[' {
			n.Kind = yaml.SequenceNode
		}
		for dec.More() {
			item, err := jsonNode(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		_, err := dec.Token() // the closing one
		return n, err
	case string:
		return text(t), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(t.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case bool:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}
		if t {
			n.Value = "true"
		}
		return n, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
}
