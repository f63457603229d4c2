package ldif

import (
	"log/slog"
	"net/url"
	"strings"

	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
)

// The scopes of a search.
const (
	ScopeSub  = "sub"  // a base and everything below it
	ScopeOne  = "one"  // what is directly below a base
	ScopeBase = "base" // the bases themselves
)

// Config says where the file is and what is asked of it. Begin with DefaultConfig: New refuses what is missing.
type Config struct {
	// URI of the file: ldif:///absolute/path, or ldif:relative/path, with percent-encoding. Required.
	URI string

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
	// IDAttribute gives entries their id. Default: "", the pinned one, or that of entryUUID, nsUniqueId and objectGUID which most entries have.
	IDAttribute string
	// UsernameAttributes and GroupNameAttributes are what Lookup looks at in a file without an id attribute, where ids are names. Default: none.
	UsernameAttributes, GroupNameAttributes []string

	// Logger gets warnings. Default: discards.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Scope:            ScopeSub,
		MemberAttributes: []string{"member", "uniqueMember", "memberUid"},
		Logger:           slog.New(slog.DiscardHandler),
	}
}

// IsURI tells whether a URI names an LDIF file.
func IsURI(uri string) bool {
	return len(uri) >= len(scheme) && strings.EqualFold(uri[:len(scheme)], scheme)
}

const scheme = "ldif:"

// Path returns the path of the file that a URI names.
func Path(uri string) (string, error) {
	refuse := func(reason string) (string, error) {
		return "", fault.New(fault.Usage, "write it as ldif:///var/lib/ldap/dump.ldif, or as ldif:dump.ldif below the working directory", "uri %s: %s", uri, reason)
	}
	if !IsURI(uri) {
		return refuse("isn't that of an LDIF file")
	}
	rest := uri[len(scheme):]
	if host, ok := strings.CutPrefix(rest, "//"); ok {
		if rest = host; !strings.HasPrefix(rest, "/") {
			return refuse("names a host, where a file has none")
		}
	}
	path, err := url.PathUnescape(rest)
	switch {
	case err != nil:
		return refuse("isn't percent-encoded")
	case path == "" || strings.HasSuffix(path, "/") || strings.ContainsRune(path, 0):
		return refuse("names no file")
	}
	return path, nil
}

// base is a base, as a key.
type base struct {
	dn  string
	key ldapmatch.Key
}

// contains tells whether a DN is within a base's scope.
func (b base) contains(k ldapmatch.Key, scope string) bool {
	switch scope {
	case ScopeBase:
		return k == b.key
	case ScopeOne:
		return k.Below(b.key) && k.Depth() == b.key.Depth()+1
	}
	return k.Below(b.key)
}

func parseBases(c *Config) ([]base, error) {
	if len(c.Bases) == 0 {
		return nil, fault.New(fault.Usage, "name the DN to search below, such as dc=example,dc=com", "no base is configured")
	}
	if c.Scope != ScopeSub && c.Scope != ScopeOne && c.Scope != ScopeBase {
		return nil, fault.New(fault.Usage, "one of: sub, one, base", "scope %q is unknown", c.Scope)
	}
	var bases []base
	for _, dn := range c.Bases {
		key, _, err := ldapmatch.ParseDN(dn)
		if err != nil {
			return nil, fault.New(fault.Usage, "a DN looks like ou=people,dc=example,dc=com", "base %s: not a DN", dn)
		}
		for _, other := range bases {
			if key == other.key || c.Scope == ScopeSub && (key.Below(other.key) || other.key.Below(key)) {
				return nil, fault.New(fault.Usage, "keep the outer one, or narrow it", "bases %s and %s: entries of both would be listed twice", other.dn, dn)
			}
		}
		bases = append(bases, base{dn, key})
	}
	return bases, nil
}
