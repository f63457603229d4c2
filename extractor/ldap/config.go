package ldap

import (
	"crypto/tls"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// The scopes of a search.
const (
	ScopeSub  = "sub"  // a base and everything below it
	ScopeOne  = "one"  // what is directly below a base
	ScopeBase = "base" // the bases themselves
)

// Config says where the directory is and what is asked of it. Begin with DefaultConfig: New refuses what is missing.
type Config struct {
	// URIs of the servers (ldap, ldaps, ldapi), tried in this order; all of them must serve the same directory. Required.
	URIs []string
	// StartTLS encrypts ldap:// connections before anything else is said (RFC 4511, 4.14). ldaps:// and ldapi:// don't need it. Default: false.
	StartTLS bool
	// TLS holds the CA, the client certificate and the verification. ServerName is taken from the URI where it is empty. Default: the system's CAs.
	TLS *tls.Config

	// BindDN is who reads. Default: nobody (anonymous).
	BindDN string
	// Password is called at each connection, so that a changed password file is noticed. Required with BindDN.
	Password func() (string, error)
	// SASLExternal takes the identity from the TLS client certificate, or from the socket of ldapi (RFC 4513, 5.2.3). Default: false.
	SASLExternal bool

	// Bases are the DNs to search; none may lie within another. Required.
	Bases []string
	// Scope of the searches. Default: ScopeSub.
	Scope string
	// UserFilter selects users. Default: "", users are not asked for.
	UserFilter string
	// GroupFilter selects groups. Default: "", groups are not asked for.
	GroupFilter string
	// UserAttributes are read from users and handed out under these spellings. Options (;binary, ;lang-fr) are part of the name.
	UserAttributes []string
	// GroupAttributes are read from groups, likewise.
	GroupAttributes []string
	// MemberAttributes tie groups to users: of groups those that hold DNs, and memberUid, which holds login names; of users memberOf.
	// Default: member, uniqueMember, memberUid.
	MemberAttributes []string
	// IDAttribute gives entries their id. Default: "", the pinned one or the best that the server has.
	IDAttribute string
	// UsernameAttributes and GroupNameAttributes are what Lookup searches in a directory without an id attribute, where ids are
	// names. Default: none, Lookup fails there.
	UsernameAttributes, GroupNameAttributes []string

	// PageSize is how many entries are asked for at once (RFC 2696). Active Directory refuses more than 1000. Default: 1000.
	PageSize int
	// Timeouts of the connection.
	Timeouts Timeouts
	// RetryFor is how long Open goes on when no server answers; 0 is for ever. Default: 30 s.
	RetryFor time.Duration
	// Logger gets warnings, and at debug level each search as an ldapsearch command. Default: discards.
	Logger *slog.Logger
}

// Timeouts of a connection. Each must be positive.
type Timeouts struct {
	// Connect covers connecting, TLS and the bind, for each server. Default: 10 s.
	Connect time.Duration
	// Answer is the longest silence while an answer is awaited: to be raised for slow, unindexed filters. Default: 2 min.
	Answer time.Duration
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Scope:            ScopeSub,
		MemberAttributes: []string{"member", "uniqueMember", "memberUid"},
		PageSize:         1000,
		Timeouts:         Timeouts{Connect: 10 * time.Second, Answer: 2 * time.Minute},
		RetryFor:         30 * time.Second,
		Logger:           slog.New(slog.DiscardHandler),
	}
}

// validate reports the first thing that can't work, whatever the server says.
func (c *Config) validate() error {
	if err := c.validateConnection(); err != nil {
		return err
	}
	if err := c.validateBases(); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{{"user filter", c.UserFilter}, {"group filter", c.GroupFilter}} {
		if f.text == "" {
			continue
		}
		if _, err := goldap.CompileFilter(f.text); err != nil {
			return fault.New(fault.Usage, "a filter looks like (&(objectClass=person)(uid=*)); the characters ( ) * \\ in a value are written \\28 \\29 \\2a \\5c",
				"%s %s: %s", f.name, f.text, filterReason(err))
		}
	}
	return c.validateAttributes()
}

func (c *Config) validateConnection() error {
	if len(c.URIs) == 0 {
		return fault.New(fault.Usage, "name at least one server, such as ldaps://dc1.example.com", "no directory server is configured")
	}
	if c.BindDN != "" && c.SASLExternal {
		return fault.New(fault.Usage, "remove one of them", "both a bind DN and SASL EXTERNAL are configured")
	}
	if c.BindDN != "" && c.Password == nil {
		return fault.New(fault.Usage, "set the password, or remove the bind DN to read anonymously", "bind DN %s has no password", c.BindDN)
	}
	if c.PageSize < 1 || c.PageSize > math.MaxInt32 {
		return fault.New(fault.Usage, "1000 suits most servers; Active Directory refuses more", "page size %d: must be at least 1", c.PageSize)
	}
	if c.Timeouts.Connect <= 0 || c.Timeouts.Answer <= 0 {
		return fault.New(fault.Usage, "try 10s to connect and 2m for an answer", "time-outs %s and %s: must be positive", c.Timeouts.Connect, c.Timeouts.Answer)
	}
	if c.RetryFor < 0 {
		return fault.New(fault.Usage, "0 means for ever", "retry for %s: must not be negative", c.RetryFor)
	}
	return nil
}

func (c *Config) validateBases() error {
	if len(c.Bases) == 0 {
		return fault.New(fault.Usage, "name the DN to search below, such as dc=example,dc=com", "no base is configured")
	}
	if _, ok := scopes[c.Scope]; !ok {
		return fault.New(fault.Usage, "one of: sub, one, base", "scope %q is unknown", c.Scope)
	}
	parsed := make([]*goldap.DN, len(c.Bases))
	for i, base := range c.Bases {
		dn, err := goldap.ParseDN(base)
		if err != nil {
			return fault.New(fault.Usage, "a DN looks like ou=people,dc=example,dc=com", "base %s: not a DN", base)
		}
		parsed[i] = dn
	}
	for i, outer := range parsed {
		for j, inner := range parsed {
			same := i < j && outer.EqualFold(inner)
			if same || i != j && c.Scope == ScopeSub && outer.AncestorOfFold(inner) {
				return fault.New(fault.Usage, "keep the outer one, or narrow it", "base %s lies within base %s: its entries would be listed twice", c.Bases[j], c.Bases[i])
			}
		}
	}
	return nil
}

// description is an attribute description as RFC 4512 (2.5) has it.
var description = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`)

func (c *Config) validateAttributes() error {
	all := [][]string{c.UserAttributes, c.GroupAttributes, c.MemberAttributes, optional(c.IDAttribute), c.UsernameAttributes, c.GroupNameAttributes}
	for _, names := range all {
		for _, name := range names {
			if !description.MatchString(name) {
				return fault.New(fault.Usage, "name each attribute that is wanted, such as givenName", "attribute %q: not a name of an LDAP attribute", name)
			}
		}
	}
	return nil
}

func optional(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

var scopes = map[string]int{ScopeSub: goldap.ScopeWholeSubtree, ScopeOne: goldap.ScopeSingleLevel, ScopeBase: goldap.ScopeBaseObject}

// filterReason is what the compiler of filters says, without its preamble.
func filterReason(err error) string {
	text := oneLine(err.Error())
	if _, reason, ok := strings.Cut(text, "ldap: "); ok {
		return reason
	}
	return text
}
