package config

import (
	"cmp"
	"time"
)

// Config is the whole configuration, with defaults filled in.
type Config struct {
	File    string   `yaml:"-"` // the file it was read from; "" if there was none
	State   string   `yaml:"state"`
	NATS    NATS     `yaml:"nats,omitempty"`
	Sources []Source `yaml:"sources"` // in the order of the file
	Targets []Target `yaml:"targets"` // likewise

	where map[string]string // path of a setting → file:line, variable or flag it comes from
}

// NATS says which server carries the events.
type NATS struct {
	// URL of the server, or several separated by commas. May hold a password. Default: none, an embedded server in State.
	URL Secret `yaml:"url,omitempty"`
	// CredsFile holds the credentials of a NATS account. Default: none.
	CredsFile string `yaml:"creds_file,omitempty"`
}

// Source is one view of a directory.
type Source struct {
	Name string `yaml:"-"`
	// URIs of the servers: ldap, ldaps or ldapi; the first that answers serves a whole pass. Or one LDIF file: ldif:///path.
	URIs []string `yaml:"uri"`
	// StartTLS encrypts ldap:// before the bind; a server that refuses is an error. Default: false.
	StartTLS bool `yaml:"starttls,omitempty"`
	TLS      TLS  `yaml:"tls,omitempty"`
	Bind     Bind `yaml:"bind,omitempty"`
	// Bases are the roots of the search.
	Bases []string `yaml:"base"`
	// Scope below each base: sub, one or base. Default: sub.
	Scope  string       `yaml:"scope"`
	Users  SourceUsers  `yaml:"users,omitempty"`
	Groups SourceGroups `yaml:"groups,omitempty"`
	// Flags say how active, staff and superuser follow from the directory. Without a rule, sync leaves a flag alone.
	Flags Flags `yaml:"flags,omitempty"`
	// ID is the attribute that survives a rename. Default: what the server has (entryUUID, objectGUID, nsUniqueId).
	ID string `yaml:"id,omitempty"`
	// PageSize of the paged searches, in entries. Smaller if the server's own limit is. Default: 1000.
	PageSize int `yaml:"page_size"`
	// Encoding of the events: protobuf or json. Default: protobuf.
	Encoding string `yaml:"encoding"`
	// Interval between the passes of a service. 0: only on request. Default: 15m.
	Interval time.Duration `yaml:"interval"`
	Retry    Retry         `yaml:"retry"`
	// Limits on what may be taken away before a person has looked.
	Limits  Limits  `yaml:"limits"`
	History History `yaml:"history"`
}

// TLS is how the directory's certificate is checked and which one is shown to it.
type TLS struct {
	// CAFile holds the authorities to trust, PEM. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// CertFile and KeyFile are the client certificate, PEM. Default: none.
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
	// InsecureSkipVerify switches the check off: anybody on the way can then read the password. Default: false.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify,omitempty"`
}

// Bind says as whom to read.
type Bind struct {
	// DN of the account. Default: none, anonymous.
	DN       string `yaml:"dn,omitempty"`
	Password Secret `yaml:"password,omitempty"`
	// SASL mechanism instead of a password: external, by the client certificate or the ldapi peer. Default: none.
	SASL string `yaml:"sasl,omitempty"`
}

// SourceUsers says who the users are.
type SourceUsers struct {
	// Filter that selects them. Default: none, users aren't read.
	Filter string `yaml:"filter,omitempty"`
	// Extra attributes to publish that no target maps. Default: none.
	Extra []string `yaml:"extra,omitempty"`
}

// SourceGroups says which the groups are, and where members stand.
type SourceGroups struct {
	// Filter that selects them. Default: none, groups aren't read.
	Filter string `yaml:"filter,omitempty"`
	// Extra attributes to publish that no target maps. Default: none.
	Extra []string `yaml:"extra,omitempty"`
	// Members are the attributes that tell who belongs. Default: member, uniqueMember, memberUid.
	Members []string `yaml:"members,omitempty"`
	// Nested counts the members of member groups too. Default: false.
	Nested bool `yaml:"nested,omitempty"`
}

// Flags are the rules for the three flags; nil: no rule.
type Flags struct {
	Active    *FlagRule `yaml:"active,omitempty"`
	Staff     *FlagRule `yaml:"staff,omitempty"`
	Superuser *FlagRule `yaml:"superuser,omitempty"`
}

// FlagRule is membership in a group, or a look at an attribute.
type FlagRule struct {
	Group     string `yaml:"group,omitempty"`
	Attribute string `yaml:"attribute,omitempty"`
	Truth     `yaml:",inline"`
}

// Truth is when an attribute counts as true. Exactly one field is set.
type Truth struct {
	Equals []string `yaml:"equals,omitempty"`  // one of these, without case
	Bit    uint64   `yaml:"bit,omitempty"`     // a number with this bit (2 is bit 2, not the second) set
	NotBit uint64   `yaml:"not_bit,omitempty"` // a number with this bit clear
}

// Retry says how long to go on trying.
type Retry struct {
	// For is how long run tries to reach a server, in all. Default: 30s. Services never give up.
	For time.Duration `yaml:"for"`
}

// History says how much of a source's past is kept.
type History struct {
	// FullEvery is how often a snapshot carries every entry. Default: 24h.
	FullEvery time.Duration `yaml:"full_every"`
	// Keep is how long snapshots stay. Default: 30d.
	Keep time.Duration `yaml:"keep"`
}

// Target is one Django database.
type Target struct {
	Name string `yaml:"-"`
	// Sources that feed it, in order of precedence: a run applies them one after the other, and whose entry first makes an account keeps it. Default: the
	// only one.
	Sources []string `yaml:"sources"`
	// Database is the URL of the database; it holds a password, as a rule. See ParseDatabase.
	Database Secret       `yaml:"database,omitempty"`
	Users    TargetUsers  `yaml:"users,omitempty"`
	Groups   TargetGroups `yaml:"groups,omitempty"`
	Adopt    Adopt        `yaml:"adopt"`
	Removal  Removal      `yaml:"removal"`
	// Verify is how often the service compares the database with the stream, row by row, and warns of what differs. 0: never. Default: 24h.
	Verify time.Duration `yaml:"verify"`
	// Outcomes tells to publish what is done to the database, on ldapsync.outcomes.<target>. Default: false.
	Outcomes bool `yaml:"outcomes,omitempty"`
	// Encoding of the outcomes: protobuf or json. Default: protobuf.
	Encoding string `yaml:"encoding,omitempty"`
}

// TargetUsers maps users onto the users' table.
type TargetUsers struct {
	// Table of the users. Default: auth_user, or the one django_admin_log refers to.
	Table string `yaml:"table,omitempty"`
	// UsernameField is the unique column that names a user. Default: username.
	UsernameField string `yaml:"username_field"`
	// Attributes to write, in the order of the file.
	Attributes Attributes `yaml:"attributes,omitempty"`
	// Defaults for columns that no attribute fills, as text. Default: none.
	Defaults map[string]string `yaml:"defaults,omitempty"`
	// Columns of the flags. Default: is_active, is_staff, is_superuser, where the table has them.
	Columns FlagColumns `yaml:"columns,omitempty"`

	callbacks []string // by old name; each becomes a rule of the source
}

// FlagColumns are the columns that the flags are written to.
type FlagColumns struct {
	Active    string `yaml:"active,omitempty"`
	Staff     string `yaml:"staff,omitempty"`
	Superuser string `yaml:"superuser,omitempty"`
}

// StaffOrDefault is the column of the staff flag.
func (f FlagColumns) StaffOrDefault() string { return cmp.Or(f.Staff, "is_staff") }

// SuperuserOrDefault is the column of the superuser flag.
func (f FlagColumns) SuperuserOrDefault() string { return cmp.Or(f.Superuser, "is_superuser") }

// TargetGroups maps groups onto auth_group.
type TargetGroups struct {
	// Attributes to write; one of them the name.
	Attributes Attributes `yaml:"attributes,omitempty"`
	// Membership of users in groups is kept too. Default: true.
	Membership bool `yaml:"membership"`
	// OnRemoved says what becomes of the row of a group that is gone: keep, or delete (only rows that sync created). Default: keep.
	OnRemoved string `yaml:"on_removed"`
}

// Adopt says which existing accounts sync may take over.
type Adopt struct {
	// Existing accounts whose username equals a new entry's. Default: true.
	Existing bool `yaml:"existing"`
	// Privileged accounts (staff and superusers) too. Default: false.
	Privileged bool `yaml:"privileged"`
}

// Source returns the source of that name; nil if there is none.
func (c *Config) Source(name string) *Source {
	for i := range c.Sources {
		if c.Sources[i].Name == name {
			return &c.Sources[i]
		}
	}
	return nil
}

// Target returns the target of that name; nil if there is none.
func (c *Config) Target(name string) *Target {
	for i := range c.Targets {
		if c.Targets[i].Name == name {
			return &c.Targets[i]
		}
	}
	return nil
}

// TargetsOf returns the targets that a source feeds.
func (c *Config) TargetsOf(source string) []*Target {
	var of []*Target
	for i := range c.Targets {
		for _, s := range c.Targets[i].Sources {
			if s == source {
				of = append(of, &c.Targets[i])
			}
		}
	}
	return of
}

// UserAttributes returns the attributes of users that a source has to read: those that its targets map, its extra ones and those
// of its flags, each once, in the spelling that comes first.
func (c *Config) UserAttributes(source string) []string {
	var names nameSet
	for _, t := range c.TargetsOf(source) {
		names.addMapped(t.Users.Attributes)
	}
	if s := c.Source(source); s != nil {
		names.add(s.Users.Extra...)
		for _, rule := range []*FlagRule{s.Flags.Active, s.Flags.Staff, s.Flags.Superuser} {
			if rule != nil && rule.Attribute != "" {
				names.add(rule.Attribute)
			}
		}
	}
	return names.list
}

// GroupAttributes returns the attributes of groups that a source has to read, members apart.
func (c *Config) GroupAttributes(source string) []string {
	var names nameSet
	for _, t := range c.TargetsOf(source) {
		names.addMapped(t.Groups.Attributes)
	}
	if s := c.Source(source); s != nil {
		names.add(s.Groups.Extra...)
	}
	return names.list
}
