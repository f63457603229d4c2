package ldap

import (
	"context"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
)

// What the root DSE (RFC 4512, 5.1) says about a server.
type server struct {
	activeDirectory bool   // or AD LDS
	idAttribute     string // "" if it isn't known
	contexts        []string
	paging          bool // RFC 2696
	domainScope     bool // AD: no references to other domains
}

const (
	capabilityAD       = "1.2.840.113556.1.4.800"  // LDAP_CAP_ACTIVE_DIRECTORY_OID
	capabilityADLDS    = "1.2.840.113556.1.4.1851" // LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID
	controlDomainScope = "1.2.840.113556.1.4.1339" // LDAP_SERVER_DOMAIN_SCOPE_OID
)

const anything = "(objectClass=*)"

// readServer asks the root DSE. One that can't be read is that of a server with nothing to offer, unless the connection is at fault.
func (s *Session) readServer(ctx context.Context) error {
	entries, err := s.search(ctx, query{
		scope: goldap.ScopeBaseObject, filter: anything,
		attributes: []string{"objectClass", "namingContexts", "defaultNamingContext", "supportedControl", "supportedCapabilities", "vendorName"},
	})
	if goldap.IsErrorAnyOf(err, goldap.LDAPResultNoSuchObject, goldap.LDAPResultInsufficientAccessRights) {
		s.log.Warn("the root DSE can't be read: reading without pages")
		return nil
	}
	if err != nil {
		return requestFault(s.conn.address, "root DSE", err)
	}
	if len(entries) > 0 {
		s.server = describe(entries[0])
	}
	if !s.server.paging {
		s.log.Warn("the server doesn't offer paged results: reading all at once")
	}
	return nil
}

// describe takes a server from its root DSE.
func describe(root entry) server {
	has := func(attribute, value string) bool {
		return slices.ContainsFunc(root.named(attribute), func(v string) bool { return strings.EqualFold(v, value) })
	}
	v := server{
		activeDirectory: has("supportedCapabilities", capabilityAD) || has("supportedCapabilities", capabilityADLDS),
		paging:          has("supportedControl", goldap.ControlTypePaging),
		domainScope:     has("supportedControl", controlDomainScope),
	}
	v.contexts = append(v.contexts, root.named("defaultNamingContext")...)
	for _, context := range root.named("namingContexts") {
		if !slices.Contains(v.contexts, context) {
			v.contexts = append(v.contexts, context)
		}
	}
	vendor := strings.Join(root.named("vendorName"), " ")
	switch {
	case v.activeDirectory:
		v.idAttribute = "objectGUID"
	case has("objectClass", "OpenLDAProotDSE"):
		v.idAttribute = "entryUUID"
	case strings.Contains(vendor, "389 Project"), strings.Contains(vendor, "Red Hat"), strings.Contains(vendor, "Fedora"):
		v.idAttribute = "nsUniqueId"
	}
	return v
}

// chooseID decides which attribute gives the ids: the configured one, the one of the snapshots so far, the one that this kind of
// server is known for, or the first that the base has. "" if there is none.
func (s *Session) chooseID(ctx context.Context, pinned string) (string, error) {
	if s.cfg.IDAttribute == "" && pinned == extractor.Username {
		return "", nil // whatever the server may offer now: another id would make everybody somebody else
	}
	for _, known := range []string{s.cfg.IDAttribute, pinned, s.server.idAttribute} {
		if known != "" {
			return known, nil
		}
	}
	candidates := []string{"entryUUID", "nsUniqueId", "objectGUID"}
	entries, err := s.search(ctx, query{base: s.cfg.Bases[0], scope: goldap.ScopeBaseObject, filter: anything, attributes: candidates})
	if err != nil {
		return "", requestFault(s.conn.address, "base "+s.cfg.Bases[0], err)
	}
	for _, candidate := range candidates {
		if len(entries) > 0 && len(entries[0].named(candidate)) > 0 {
			return candidate, nil
		}
	}
	s.log.Warn("the directory gives entries no permanent id: a renamed user will be taken for another one")
	return "", nil
}

// checkBases reads each base.
func (s *Session) checkBases(ctx context.Context) error {
	for _, base := range s.cfg.Bases {
		_, err := s.search(ctx, query{base: base, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{noAttributes}})
		if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
			hint := "is it spelled right, and may the bind account see it?"
			if len(s.server.contexts) > 0 {
				hint += " the server holds: " + strings.Join(s.server.contexts, " · ")
			}
			return fault.New(fault.Directory, hint, "%s: base %s doesn't exist", s.conn.address.uri, base)
		}
		if err != nil {
			return requestFault(s.conn.address, "base "+base, err)
		}
	}
	return nil
}

// namingContext names what holds the bases, the same on every server of the directory.
func (s *Session) namingContext() string {
	var found []string
	for _, base := range s.cfg.Bases {
		if c := s.server.contextOf(base); c != "" && !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	slices.Sort(found)
	return strings.Join(found, "; ")
}

// contextOf returns the longest naming context that holds base, or the first one where none does.
func (v server) contextOf(base string) string {
	inner, err := goldap.ParseDN(base)
	if err != nil {
		return ""
	}
	best, length := "", 0
	for _, c := range v.contexts {
		outer, err := goldap.ParseDN(c)
		if err == nil && len(outer.RDNs) > length && (outer.EqualFold(inner) || outer.AncestorOfFold(inner)) {
			best, length = c, len(outer.RDNs)
		}
	}
	if best == "" && len(v.contexts) > 0 {
		return v.contexts[0]
	}
	return best
}
