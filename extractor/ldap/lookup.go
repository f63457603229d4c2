package ldap

import (
	"context"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// lookupChunk is how many ids one filter holds.
const lookupChunk = 100

// Lookup implements extractor.Session. Where the directory has no id attribute, ids are names (see Config.UsernameAttributes).
func (s *Session) Lookup(ctx context.Context, kind proto.Kind, ids []string) ([]extractor.Record, error) {
	v := &s.users
	if kind == proto.KindGroup {
		v = &s.groups
	}
	if v.filter == "" {
		return nil, nil
	}
	var found []extractor.Record
	seen := map[string]bool{}
	for chunk := range slices.Chunk(ids, lookupChunk) {
		filter, err := s.idFilter(v, chunk)
		if err != nil {
			return nil, err
		}
		for _, base := range s.cfg.Bases {
			q := query{base: base, scope: scopes[s.cfg.Scope], filter: filter, attributes: v.asked}
			records, err := s.read(ctx, v, q, "second look below "+base)
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				if !seen[r.DN] {
					seen[r.DN] = true
					found = append(found, r)
				}
			}
		}
	}
	return found, nil
}

// idFilter is the kind's filter, narrowed to these ids.
func (s *Session) idFilter(v *view, ids []string) (string, error) {
	attributes := s.idAttributes(v.names)
	if len(attributes) == 0 {
		return "", fault.New(fault.Usage, "configure an id attribute", "%s: the directory has no id attribute: a missing %s can't be looked up", s.conn.address.uri, v.kind)
	}
	var b strings.Builder
	b.WriteString("(&" + v.filter + "(|")
	for _, attribute := range attributes {
		for _, id := range ids {
			value, ok := idValue(attribute, id)
			if !ok {
				return "", fault.New(fault.Directory, "was the id attribute changed?", "%s: id %s isn't a GUID, as those of %s are", s.conn.address.uri, id, attribute)
			}
			b.WriteString("(" + attribute + "=" + value + ")")
		}
	}
	b.WriteString("))")
	return b.String(), nil
}

// idValue writes an id as a value in a filter.
func idValue(attribute, id string) (value string, ok bool) {
	if !ldapmatch.IsGUID(attribute) {
		return goldap.EscapeFilter(id), true
	}
	guid, ok := ldapmatch.ParseGUID(id)
	return escapeBytes(guid[:]), ok
}

// read runs one search without pages.
func (s *Session) read(ctx context.Context, v *view, q query, what string) ([]extractor.Record, error) {
	s.logCommand(ctx, q, 0)
	var (
		all []extractor.Record
		p   = newPicker(s, v, what)
		a   = s.begin(ctx, q)
	)
	for {
		c, err := s.next(ctx, a)
		if err != nil {
			return nil, requestFault(s.conn.address, what, err)
		}
		records, err := p.records(ctx, c)
		if err != nil {
			return nil, err
		}
		if all = append(all, records...); c.last {
			return all, nil
		}
	}
}

// GroupsOf implements extractor.Session.
func (s *Session) GroupsOf(ctx context.Context, user extractor.Record) ([]extractor.Record, error) {
	if s.groups.filter == "" {
		return nil, nil
	}
	if s.listing.Load() {
		return nil, s.listingFault("groups of " + user.DN)
	}
	clauses, err := s.membershipClauses(ctx, user)
	if err != nil {
		return nil, err
	}
	var found []extractor.Record
	if len(clauses) > 0 {
		filter := "(&" + s.groups.filter + "(|" + strings.Join(clauses, "") + "))"
		for _, base := range s.cfg.Bases {
			q := query{base: base, scope: scopes[s.cfg.Scope], filter: filter, attributes: s.groups.asked}
			for records, err := range s.batches(ctx, &s.groups, q, min(s.cfg.PageSize, groupPage), "groups of "+user.DN+" below "+base) {
				if err != nil {
					return nil, err
				}
				found = append(found, records...)
			}
		}
	}
	return s.addMemberOf(ctx, user, found)
}

// membershipClauses are the filters of groups that name user, one for each way to do it.
func (s *Session) membershipClauses(ctx context.Context, user extractor.Record) ([]string, error) {
	var clauses []string
	for _, name := range s.cfg.MemberAttributes {
		switch ldapmatch.FoldName(name) {
		case memberOf:
		case memberUID:
			if user.UID != "" {
				clauses = append(clauses, "("+name+"="+goldap.EscapeFilter(user.UID)+")")
			}
		default:
			clauses = append(clauses, "("+name+"="+goldap.EscapeFilter(user.DN)+")")
		}
	}
	if !s.server.activeDirectory || user.PrimaryGroup == "" {
		return clauses, nil
	}
	// primaryGroupToken is computed and can't be searched; the group's SID can, and is the user's own but for its last part.
	q := query{base: user.DN, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{"objectSid"}}
	entries, err := s.find(ctx, q, "objectSid of "+user.DN)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if sid, ok := siblingSID([]byte(first(e.named("objectSid"))), user.PrimaryGroup); ok {
			return append(clauses, "(objectSid="+escapeBytes(sid)+")"), nil
		}
	}
	return nil, fault.New(fault.Directory, "let the bind account read objectSid", "%s: the primary group of %s can't be found without its objectSid", s.conn.address.uri, user.DN)
}

// addMemberOf adds the groups that the user's own memberOf names now, where memberOf is asked for.
func (s *Session) addMemberOf(ctx context.Context, user extractor.Record, found []extractor.Record) ([]extractor.Record, error) {
	if !slices.ContainsFunc(s.cfg.MemberAttributes, func(name string) bool { return ldapmatch.FoldName(name) == memberOf }) {
		return found, nil
	}
	q := query{base: user.DN, scope: goldap.ScopeBaseObject, filter: anything, attributes: []string{memberOf}}
	users, err := s.read(ctx, &s.users, q, "memberOf of "+user.DN)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		for _, dn := range u.MemberOf {
			if s.outside(dn) || slices.ContainsFunc(found, func(r extractor.Record) bool { return strings.EqualFold(r.DN, dn) }) {
				continue
			}
			q := query{base: dn, scope: goldap.ScopeBaseObject, filter: s.groups.filter, attributes: s.groups.asked}
			records, err := s.read(ctx, &s.groups, q, "group "+dn)
			if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = append(found, records...)
		}
	}
	return found, nil
}

// outside tells whether dn lies below none of the bases.
func (s *Session) outside(dn string) bool {
	inner, err := goldap.ParseDN(dn)
	if err != nil {
		return true
	}
	return !slices.ContainsFunc(s.cfg.Bases, func(base string) bool {
		outer, err := goldap.ParseDN(base)
		if err != nil {
			return false
		}
		switch s.cfg.Scope {
		case ScopeBase:
			return outer.EqualFold(inner)
		case ScopeOne:
			return outer.AncestorOfFold(inner) && len(inner.RDNs) == len(outer.RDNs)+1
		}
		return outer.EqualFold(inner) || outer.AncestorOfFold(inner)
	})
}

// Group implements extractor.Session.
func (s *Session) Group(ctx context.Context, dn string) (extractor.Record, error) {
	q := query{base: dn, scope: goldap.ScopeBaseObject, filter: anything, attributes: s.groups.asked}
	records, err := s.read(ctx, &s.groups, q, "group "+dn)
	if goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) || err == nil && len(records) == 0 {
		return extractor.Record{}, proto.ErrNotFound
	}
	if err != nil {
		return extractor.Record{}, err
	}
	return records[0], nil
}
