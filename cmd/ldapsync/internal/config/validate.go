package config

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// validate refuses what can't work, whatever the directory and the database look like.
func (c *Config) validate() error {
	for i := range c.Sources {
		if err := c.validateSource(&c.Sources[i]); err != nil {
			return err
		}
	}
	for i := range c.Targets {
		if err := c.validateTarget(&c.Targets[i]); err != nil {
			return err
		}
	}
	for i := range c.Sources {
		if err := c.validateGrace(&c.Sources[i]); err != nil {
			return err
		}
	}
	if c.State == "" {
		return fault.New(fault.Usage, "set --state, LDAPSYNC_STATE_DIR or state:", "state: no directory, and no home to put it")
	}
	if c.NATS.CredsFile != "" && !c.NATS.URL.IsSet() {
		return c.refuse("nats.creds_file", "set NATS_URL or nats.url", "credentials, but no server")
	}
	return nil
}

func (c *Config) validateSource(s *Source) error {
	path := "sources." + s.Name
	if len(s.URIs) == 0 {
		return c.refuse(path+".uri", "such as ldaps://dc1.example.com (LDAP_SYNC_URI)", "no server is named")
	}
	if s.File() {
		if err := c.validateFile(path, s); err != nil {
			return err
		}
	} else {
		for _, uri := range s.URIs {
			if err := c.validateURI(path+".uri", uri, s.StartTLS); err != nil {
				return err
			}
		}
	}
	if len(s.Bases) == 0 {
		return c.refuse(path+".base", `such as "OU=Users,DC=example,DC=com" (LDAP_SYNC_BASE)`, "no base is named")
	}
	for _, base := range s.Bases {
		if _, err := ldap.ParseDN(base); err != nil {
			return c.refuse(path+".base", "such as OU=Users,DC=example,DC=com; several as a list", "%q isn't a DN", base)
		}
	}
	for _, f := range []struct{ path, filter string }{{path + ".users.filter", s.Users.Filter}, {path + ".groups.filter", s.Groups.Filter}} {
		if f.filter == "" {
			continue
		}
		if _, err := ldap.CompileFilter(f.filter); err != nil {
			return c.refuse(f.path, "such as (&(objectClass=person)(uid=*)); try it with ldapsearch", "not an LDAP filter: %s", filterError(err))
		}
	}
	if s.Retry.For <= 0 {
		return c.refuse(path+".retry.for", "such as 30s; services never give up anyway", "must be more than nothing")
	}
	if s.PageSize < 1 {
		return c.refuse(path+".page_size", "1000 is what most servers allow", "must be 1 or more, not %d", s.PageSize)
	}
	for _, names := range []struct {
		path string
		list []string
	}{{path + ".users.extra", s.Users.Extra}, {path + ".groups.extra", s.Groups.Extra}, {path + ".groups.members", s.Groups.Members}, {path + ".id", single(s.ID)}} {
		for _, name := range names.list {
			if !attributeName(name) {
				return c.refuse(names.path, "such as mail", "%q isn't the name of an LDAP attribute", name)
			}
		}
		if err := c.refusePasswords(names.path, names.list...); err != nil {
			return err
		}
	}
	if err := c.validateBind(path, s); err != nil {
		return err
	}
	return c.validateFlags(path+".flags", &s.Flags)
}

func single(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// filterError is the message of the filter package without its prefix.
func filterError(err error) string {
	message := err.Error()
	if i := strings.Index(message, "ldap: "); i >= 0 {
		message = message[i+len("ldap: "):]
	}
	return strings.ToLower(message)
}

func (c *Config) validateURI(path, uri string, startTLS bool) error {
	const hint = "ldap://host:389, ldaps://host:636, ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi or ldif:///var/lib/dump.ldif"
	if len(uri) > 8 && strings.EqualFold(uri[:8], "ldapi://") {
		return c.validateSocket(path, uri, startTLS)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return c.refuse(path, hint, "%q isn't a URI", uri)
	}
	if u.User != nil {
		return c.refuse(path, "write it as bind: {dn, password_file} (LDAP_SYNC_BASE_USER, LDAP_SYNC_BASE_PASS)", "an LDAP URI carries no account")
	}
	switch u.Scheme {
	case "ldap", "ldaps":
		if u.Hostname() == "" {
			return c.refuse(path, hint, "%q names no host", uri)
		}
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return c.refuse(path, "write the base under base: and the filter under users.filter", "%q says more than a server", uri)
		}
	default:
		return c.refuse(path, hint, "%q is neither ldap, ldaps, ldapi nor ldif", uri)
	}
	if startTLS && u.Scheme != "ldap" {
		return c.refuse(strings.TrimSuffix(path, ".uri")+".starttls", "leave starttls out, or write ldap://", "%s doesn't go with StartTLS", uri)
	}
	return nil
}

// validateSocket validates an ldapi URI: the path of a socket stands in the place of the host, which isn't a URL to the standard library.
func (c *Config) validateSocket(path, uri string, startTLS bool) error {
	const hint = "percent-encode the socket's path: ldapi://%2Fvar%2Frun%2Fslapd%2Fldapi; ldapi:/// is OpenLDAP's own"
	socket, rest, _ := strings.Cut(uri[len("ldapi://"):], "/")
	if name, err := url.PathUnescape(socket); err != nil || rest != "" || name != "" && !strings.HasPrefix(name, "/") {
		return c.refuse(path, hint, "%q doesn't name a socket", uri)
	}
	if startTLS {
		return c.refuse(strings.TrimSuffix(path, ".uri")+".starttls", "leave starttls out", "%s doesn't go with StartTLS", uri)
	}
	return nil
}

func (c *Config) validateBind(path string, s *Source) error {
	if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
		return c.refuse(path+".tls", "cert_file and key_file belong together", "a client certificate needs its key, and the key its certificate")
	}
	b := &s.Bind
	switch {
	case b.SASL != "" && b.Password.IsSet():
		return c.refuse(path+".bind.sasl", "external takes the identity from the client certificate or the ldapi peer", "doesn't go with a password")
	case b.SASL != "":
		return nil
	case b.DN == "" && b.Password.IsSet():
		return c.refuse(path+".bind.password", "name the account as bind.dn (LDAP_SYNC_BASE_USER)", "a password, but no account")
	case b.DN != "" && (!b.Password.IsSet() || b.Password.value == "" && b.Password.file == ""):
		return c.refuse(path+".bind.dn", "set bind.password_file or LDAP_SYNC_BASE_PASS; leave the DN out to read anonymously",
			"an account without a password would be taken for an anonymous one (RFC 4513, 5.1.2)")
	}
	return nil
}

func (c *Config) validateFlags(path string, f *Flags) error {
	for _, flag := range []struct {
		name string
		rule *FlagRule
	}{{"active", f.Active}, {"staff", f.Staff}, {"superuser", f.Superuser}} {
		switch r := flag.rule; {
		case r == nil:
		case r.Attribute != "":
			if !attributeName(r.Attribute) {
				return c.refuse(path+"."+flag.name, "such as userAccountControl", "%q isn't the name of an LDAP attribute", r.Attribute)
			}
			if err := c.refusePasswords(path+"."+flag.name, r.Attribute); err != nil {
				return err
			}
		default:
			if dn, err := ldap.ParseDN(r.Group); err != nil || len(dn.RDNs) == 0 {
				return c.refuse(path+"."+flag.name, "such as CN=Admins,OU=Groups,DC=example,DC=com", "%q isn't the DN of a group", r.Group)
			}
		}
	}
	return nil
}

func (c *Config) validateTarget(t *Target) error {
	path := "targets." + t.Name
	if len(t.Sources) == 0 && len(c.Sources) > 1 {
		return c.refuse(path+".source", "name it as source:, or several as sources:", "which of several sources feeds it isn't said")
	}
	seen := map[string]bool{}
	for _, name := range t.Sources {
		if c.Source(name) == nil {
			names := make([]string, len(c.Sources))
			for i := range c.Sources {
				names[i] = c.Sources[i].Name
			}
			return c.refuse(c.sourcesPath(path), nearestHint(name, names), "there is no source %q", name)
		}
		if seen[name] {
			return c.refuse(c.sourcesPath(path), "name each once", "source %q is named twice", name)
		}
		seen[name] = true
	}
	if t.Database.IsSet() && t.Database.file == "" {
		if _, err := ParseDatabase(t.Database.value); err != nil {
			_, hint := fault.Of(err)
			return c.refuse(path+".database", hint, "%s", err)
		}
	}
	var users, groups bool
	for _, name := range t.Sources {
		s := c.Source(name)
		users, groups = users || s.Users.Filter != "", groups || s.Groups.Filter != ""
	}
	if err := c.validateColumns(path+".users", t.Users.Attributes, users, t.Users.UsernameField, "LDAP_SYNC_USER_ATTRIBUTES", "uid"); err != nil {
		return err
	}
	if err := c.validateFlagColumns(path+".users.attributes", t); err != nil {
		return err
	}
	if err := c.validateRemoval(path+".removal", t); err != nil {
		return err
	}
	for column := range t.Users.Defaults {
		if t.Users.Attributes.For(column) != nil {
			return c.refuse(path+".users.defaults."+column, "write it as the attribute's default: {field: "+column+", default: …}", "an attribute goes to that column")
		}
	}
	return c.validateColumns(path+".groups", t.Groups.Attributes, groups, "name", "LDAP_SYNC_GROUP_ATTRIBUTES", "cn")
}

// validateFlagColumns keeps attributes away from the columns that flags go to.
func (c *Config) validateFlagColumns(path string, t *Target) error {
	columns := t.Users.Columns
	for _, a := range t.Users.Attributes {
		switch a.Column {
		case cmp.Or(columns.Active, "is_active"):
			return c.refuse(path+"."+a.Name, fmt.Sprintf("write flags: {active: {attribute: %s, equals: […]}} (or bit, not_bit) under the source", a.Name),
				"column %s belongs to the active flag, which the source derives", a.Column)
		case columns.StaffOrDefault():
			for _, name := range t.Sources {
				if c.Source(name).Flags.Staff != nil {
					return c.refuse(path+"."+a.Name, "keep one of the two", "column %s is taken by the staff flag of source %s", a.Column, name)
				}
			}
		case columns.SuperuserOrDefault():
			return c.refuse(path+"."+a.Name, "write flags: {superuser: …} under the source: it never takes the last superuser's right",
				"column %s belongs to the superuser flag, which the source derives", a.Column)
		}
	}
	return nil
}

func (c *Config) sourcesPath(path string) string {
	if _, ok := c.where[path+".source"]; ok {
		return path + ".source"
	}
	return path + ".sources"
}

// validateColumns wants the name's column mapped, where such entries are read at all, and no column twice.
func (c *Config) validateColumns(path string, attributes Attributes, wanted bool, name, variable, attribute string) error {
	path += ".attributes"
	first := map[string]string{}
	for _, a := range attributes {
		if other, twice := first[a.Column]; twice {
			return c.refuse(path+"."+a.Name, fmt.Sprintf("to try one after the other: %s: {field: %s, or: [%s]}", other, a.Column, a.Name),
				"column %s is taken by %s already", a.Column, other)
		}
		first[a.Column] = a.Name
		if strings.EqualFold(a.Column, "password") || a.Column == "id" {
			return c.refuse(path+"."+a.Name, "leave it out", "column %s is never written by sync", a.Column)
		}
		for _, or := range a.Or {
			if !attributeName(or) {
				return c.refuse(path+"."+a.Name+".or", "such as mail", "%q isn't the name of an LDAP attribute", or)
			}
		}
		if err := c.refusePasswords(path+"."+a.Name, append([]string{a.Name}, a.Or...)...); err != nil {
			return err
		}
	}
	if wanted && first[name] == "" {
		return c.refuse(path, fmt.Sprintf("such as {%s: %s} (%s)", attribute, name, variable), "no attribute goes to %s", name)
	}
	return nil
}
