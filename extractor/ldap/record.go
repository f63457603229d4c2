package ldap

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// view is what is read of the entries of one kind.
type view struct {
	kind   proto.Kind
	filter string
	asked  []string // what the server is asked for
	wanted []wanted // what is handed out
	names  []string // stand for the id where there is none
}

// wanted is one attribute to hand out.
type wanted struct{ name, key string }

// Names of the attributes that tie users to groups, folded.
const (
	memberOf          = "memberof"
	memberUID         = "memberuid"
	primaryGroupID    = "primaryGroupID"
	primaryGroupToken = "primaryGroupToken"
)

func (s *Session) userView() view {
	links := []string{}
	for _, name := range s.cfg.MemberAttributes {
		switch fold(name) {
		case memberOf:
			links = append(links, name)
		case memberUID:
			links = append(links, "uid")
		}
	}
	if s.server.activeDirectory {
		links = append(links, primaryGroupID)
	}
	return s.view(proto.KindUser, s.cfg.UserFilter, s.cfg.UserAttributes, links, s.cfg.UsernameAttributes)
}

func (s *Session) groupView() view {
	links := slices.DeleteFunc(slices.Clone(s.cfg.MemberAttributes), func(name string) bool { return fold(name) == memberOf })
	if s.server.activeDirectory {
		links = append(links, primaryGroupToken)
	}
	return s.view(proto.KindGroup, s.cfg.GroupFilter, s.cfg.GroupAttributes, links, s.cfg.GroupNameAttributes)
}

func (s *Session) view(kind proto.Kind, filter string, attributes, links, names []string) view {
	v := view{kind: kind, filter: filter, names: names}
	for _, attribute := range attributes {
		v.wanted = append(v.wanted, wanted{attribute, match(attribute)})
	}
	for _, attribute := range slices.Concat(attributes, links, s.idAttributes(names)) {
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

// records turns a page's entries into records.
func (s *Session) records(ctx context.Context, v *view, entries []*goldap.Entry) ([]extractor.Record, error) {
	records := make([]extractor.Record, 0, len(entries))
	for _, e := range entries {
		all, err := s.gather(ctx, e)
		if err != nil {
			return nil, err
		}
		records = append(records, s.record(v, e.DN, all))
	}
	return records, nil
}

// record picks from an entry's attributes what the view wants.
func (s *Session) record(v *view, dn string, all []values) extractor.Record {
	r := extractor.Record{DN: dn}
	if !utf8.ValidString(dn) || strings.ContainsRune(dn, 0) {
		r.DN = strings.ReplaceAll(strings.ToValidUTF8(dn, "\uFFFD"), "\x00", "\uFFFD")
		r.Skip = "its DN isn't text"
	}
	for _, w := range v.wanted {
		if raw := find(all, w.key); len(raw) > 0 {
			r.Attributes = append(r.Attributes, extractor.Attribute{Name: w.name, Values: texts(nil, raw)})
		}
	}
	if s.id != "" {
		id, problem := idText(s.id, find(all, match(s.id)))
		r.ID = id
		if r.Skip == "" {
			r.Skip = problem
		}
	}
	if v.kind == proto.KindUser {
		s.linkUser(&r, all)
	} else {
		s.linkGroup(&r, all)
	}
	return r
}

func (s *Session) linkUser(r *extractor.Record, all []values) {
	r.UID = first(find(all, "uid"))
	for _, name := range s.cfg.MemberAttributes {
		if fold(name) == memberOf {
			r.MemberOf = texts(r.MemberOf, find(all, memberOf))
		}
	}
	if s.server.activeDirectory {
		r.PrimaryGroup = first(find(all, fold(primaryGroupID)))
	}
}

func (s *Session) linkGroup(r *extractor.Record, all []values) {
	for _, name := range s.cfg.MemberAttributes {
		switch raw := find(all, match(name)); fold(name) {
		case memberOf:
		case memberUID:
			r.MemberUIDs = texts(r.MemberUIDs, raw)
		default:
			r.Members = texts(r.Members, raw)
		}
	}
	for i, member := range r.Members {
		r.Members[i] = withoutUniqueID(member)
	}
	if s.server.activeDirectory {
		r.GroupToken = first(find(all, fold(primaryGroupToken)))
	}
}

// uniqueID is the optional tail of a value of uniqueMember (RFC 4517, 3.3.21): cn=ada,dc=example#'0101'B
var uniqueID = regexp.MustCompile(`#'[01]*'B$`)

func withoutUniqueID(member string) string {
	if strings.HasSuffix(member, "'B") {
		return uniqueID.ReplaceAllString(member, "")
	}
	return member
}

func find(all []values, key string) [][]byte {
	for _, v := range all {
		if v.key == key {
			return v.raw
		}
	}
	return nil
}

func first(raw [][]byte) string {
	if len(raw) == 0 {
		return ""
	}
	return string(raw[0])
}

func texts(to []string, raw [][]byte) []string {
	to = slices.Grow(to, len(raw))
	for _, v := range raw {
		to = append(to, string(v))
	}
	return to
}
