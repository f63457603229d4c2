package ldap

import (
	"slices"
	"strings"

	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// view is what is read of the entries of one kind.
type view struct {
	kind   proto.Kind
	filter string
	asked  []string // what the server is asked for
	names  []string // stand for the id where there is none
	wanted []wanted // what is handed out

	slots []string // the attributes that are looked at, each once, as ldapmatch.MatchName has them
	// Their slots; none for those that aren't asked for.
	id, uid, memberOf, primaryGroup, groupToken int
	members, memberUIDs                         []int

	guid bool // ids are GUIDs
}

// wanted is one attribute to hand out.
type wanted struct {
	name string
	slot int
}

// none is the slot of what nobody looks at.
const none = -1

// slot returns the place of an attribute's values.
func (v *view) slot(name string) int {
	key := ldapmatch.MatchName(name)
	if i := slices.Index(v.slots, key); i >= 0 {
		return i
	}
	v.slots = append(v.slots, key)
	return len(v.slots) - 1
}

// Names of the attributes that tie users to groups, folded.
const (
	memberOf          = "memberof"
	memberUID         = "memberuid"
	primaryGroupID    = "primaryGroupID"
	primaryGroupToken = "primaryGroupToken"
)

func (s *Session) userView() view {
	var links []string
	v := view{kind: proto.KindUser, filter: s.cfg.UserFilter, names: s.cfg.UsernameAttributes, memberOf: none, primaryGroup: none, groupToken: none}
	v.uid = v.slot("uid")
	for _, name := range s.cfg.MemberAttributes {
		switch ldapmatch.FoldName(name) {
		case memberOf:
			links, v.memberOf = append(links, name), v.slot(memberOf)
		case memberUID:
			links = append(links, "uid")
		}
	}
	if s.server.activeDirectory {
		links, v.primaryGroup = append(links, primaryGroupID), v.slot(primaryGroupID)
	}
	return s.view(v, s.cfg.UserAttributes, links)
}

func (s *Session) groupView() view {
	var links []string
	v := view{kind: proto.KindGroup, filter: s.cfg.GroupFilter, names: s.cfg.GroupNameAttributes, uid: none, memberOf: none, primaryGroup: none, groupToken: none}
	for _, name := range s.cfg.MemberAttributes {
		switch ldapmatch.FoldName(name) {
		case memberOf:
			continue
		case memberUID:
			v.memberUIDs = append(v.memberUIDs, v.slot(name))
		default:
			v.members = append(v.members, v.slot(name))
		}
		links = append(links, name)
	}
	if s.server.activeDirectory {
		links, v.groupToken = append(links, primaryGroupToken), v.slot(primaryGroupToken)
	}
	return s.view(v, s.cfg.GroupAttributes, links)
}

// view adds what both kinds have.
func (s *Session) view(v view, attributes, links []string) view {
	for _, attribute := range attributes {
		v.wanted = append(v.wanted, wanted{attribute, v.slot(attribute)})
	}
	v.id = none
	if s.id != "" {
		v.id, v.guid = v.slot(s.id), ldapmatch.IsGUID(s.id)
	}
	for _, attribute := range slices.Concat(attributes, links, s.idAttributes(v.names)) {
		if !slices.ContainsFunc(v.asked, func(known string) bool { return strings.EqualFold(known, attribute) }) {
			v.asked = append(v.asked, attribute)
		}
	}
	return v
}

// idAttributes is what must be read to tell entries apart.
func (s *Session) idAttributes(names []string) []string {
	if s.id == "" {
		return names
	}
	return []string{s.id}
}
