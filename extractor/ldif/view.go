package ldif

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ldapsync/extractor"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// view is what is read of the entries of one kind.
type view struct {
	kind   proto.Kind
	text   string // the filter
	filter ldapmatch.Filter
	wanted []wanted
	asked  []string // the folded names of what is looked at

	// Slots; none for what isn't asked for.
	id, uid, memberOf, primaryGroup, groupToken, sid int
	members, memberUIDs                              []int
	names                                            []int // stand for the id where there is none

	guid   bool
	idName string
}

// wanted is one attribute to hand out.
type wanted struct {
	name string
	slot int
}

// Names of the attributes that tie users to groups, folded.
const (
	memberOf          = "memberof"
	memberUID         = "memberuid"
	primaryGroupID    = "primarygroupid"
	primaryGroupToken = "primarygrouptoken"
)

// newView makes the view of one kind. Active Directory's primary group is always asked for: elsewhere nobody has one.
func newView(kind proto.Kind, cfg *Config, n *names, id string) view {
	v := view{kind: kind, id: none, uid: none, memberOf: none, primaryGroup: none, groupToken: none, sid: none}
	attributes, nameAttributes := cfg.UserAttributes, cfg.UsernameAttributes
	v.text = cfg.UserFilter
	var links []string
	if kind == proto.KindGroup {
		attributes, nameAttributes, v.text = cfg.GroupAttributes, cfg.GroupNameAttributes, cfg.GroupFilter
		v.groupToken, v.sid = n.of(primaryGroupToken), n.of("objectsid")
		links = append(links, primaryGroupToken)
	} else {
		v.uid, v.primaryGroup = n.of("uid"), n.of(primaryGroupID)
		links = append(links, primaryGroupID)
	}
	for _, name := range cfg.MemberAttributes {
		switch folded := ldapmatch.FoldName(name); {
		case folded == memberOf && kind == proto.KindUser:
			v.memberOf = n.of(name)
			links = append(links, name)
		case folded == memberUID && kind == proto.KindUser:
			links = append(links, "uid")
		case folded == memberOf, kind == proto.KindUser:
		case folded == memberUID:
			v.memberUIDs = append(v.memberUIDs, n.of(name))
			links = append(links, name)
		default:
			v.members = append(v.members, n.of(name))
			links = append(links, name)
		}
	}
	for _, name := range attributes {
		v.wanted = append(v.wanted, wanted{name, n.of(name)})
	}
	for _, name := range nameAttributes {
		v.names = append(v.names, n.of(name))
	}
	if id != "" {
		v.id, v.guid, v.idName = n.of(id), ldapmatch.IsGUID(id), id
		nameAttributes = []string{id}
	}
	for _, name := range slices.Concat(attributes, links, nameAttributes) {
		v.asked = append(v.asked, ldapmatch.FoldName(name))
	}
	return v
}

// looksAt tells whether a slot's values matter.
func (v *view) looksAt(slot int) bool {
	return slot == v.id || slot == v.memberOf || slices.Contains(v.members, slot) || slices.Contains(v.memberUIDs, slot) ||
		slices.ContainsFunc(v.wanted, func(w wanted) bool { return w.slot == slot })
}

// of returns the values of a slot, as strings of their own.
func (r *record) of(slot int) []string {
	var all []string
	for _, v := range r.values {
		if v.slot == slot {
			all = append(all, string(v.text))
		}
	}
	return all
}

func (r *record) first(slot int) string {
	for _, v := range r.values {
		if v.slot == slot {
			return string(v.text)
		}
	}
	return ""
}

// whole is a flaw if one of the values that the view looks at is a part of those that the entry has.
func (r *record) whole(v *view) error {
	for _, at := range r.values {
		if at.slot >= partial && v.looksAt(at.slot-partial) {
			return &flaw{r.line, "the entry has a part of an attribute's values (;range=)",
				"Active Directory gives 1,500 values at a time: dump with a program that fetches the rest"}
		}
	}
	return nil
}

// record makes what the extractor wants of an entry.
func (v *view) record(r *record) extractor.Record {
	out := extractor.Record{DN: string(r.dn)}
	if !utf8.Valid(r.dn) || strings.ContainsRune(out.DN, 0) {
		out.DN = strings.ReplaceAll(strings.ToValidUTF8(out.DN, "\uFFFD"), "\x00", "\uFFFD")
		out.Skip = "its DN isn't text"
	}
	for _, w := range v.wanted {
		if values := r.of(w.slot); len(values) > 0 {
			out.Attributes = append(out.Attributes, extractor.Attribute{Name: w.name, Values: values})
		}
	}
	if v.id != none {
		id, problem := v.idOf(r)
		out.ID = id
		if out.Skip == "" {
			out.Skip = problem
		}
	}
	if v.kind == proto.KindUser {
		out.UID, out.PrimaryGroup = r.first(v.uid), r.first(v.primaryGroup)
		if v.memberOf != none {
			out.MemberOf = r.of(v.memberOf)
		}
		return out
	}
	if out.GroupToken = r.first(v.groupToken); out.GroupToken == "" {
		out.GroupToken = relativeID(r.first(v.sid))
	}
	for _, slot := range v.members {
		out.Members = append(out.Members, r.of(slot)...)
	}
	out.Members = ldapmatch.WithoutUniqueIDs(out.Members)
	for _, slot := range v.memberUIDs {
		out.MemberUIDs = append(out.MemberUIDs, r.of(slot)...)
	}
	return out
}

// idOf returns the id of an entry, or why it has none. Samba's ldbsearch writes GUIDs as text.
func (v *view) idOf(r *record) (id, problem string) {
	raw := r.of(v.id)
	if v.guid && len(raw) == 1 && len(raw[0]) == 36 {
		if guid, ok := ldapmatch.ParseGUID(raw[0]); ok {
			return ldapmatch.GUIDText(guid), ""
		}
	}
	return ldapmatch.ID(v.idName, v.guid, raw)
}

// relativeID is the last part of a group's SID (MS-DTYP, 2.4.2), binary or as text: what primaryGroupID refers to. Dumps of Active
// Directory have it where they lack primaryGroupToken, which is computed.
func relativeID(sid string) string {
	switch {
	case strings.HasPrefix(sid, "S-"):
		return sid[strings.LastIndexByte(sid, '-')+1:]
	case len(sid) >= 12 && len(sid) == 8+4*int(sid[1]):
		return strconv.FormatUint(uint64(binary.LittleEndian.Uint32([]byte(sid[len(sid)-4:]))), 10)
	}
	return ""
}

// asked is a record as a filter sees it.
type asked struct {
	*record
	names *names
}

// DN implements ldapmatch.Entry.
func (a asked) DN() string { return string(a.dn) }

// Values implements ldapmatch.Entry.
func (a asked) Values(name string) []string {
	if s, ok := a.names.spelt[name]; ok {
		return a.of(s.slot)
	}
	return a.of(a.names.of(name))
}

// InChain implements ldapmatch.Entry; New refuses filters that need it.
func (a asked) InChain(string, string) ldapmatch.Truth { return ldapmatch.Undefined }
