package ldif

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// Session is one pass over a file. All of its answers are about the bytes that the file had when it was opened.
type Session struct {
	cfg   *Config
	bases []base
	file  *capture
	names *names

	id            string // the attribute of the ids, "" for none
	users, groups view

	dns     index                // of all entries
	indexes map[proto.Kind]index // of ids, made by listing
	members index                // of the members of groups; nil before it is asked for
}

// Info implements extractor.Session.
func (s *Session) Info() extractor.Info {
	attributes := slices.Concat(s.users.asked, s.groups.asked)
	slices.Sort(attributes)
	return extractor.Info{
		Server: s.cfg.URI,
		Question: &proto.Question{
			Bases:       slices.Clone(s.cfg.Bases),
			UserFilter:  s.cfg.UserFilter,
			GroupFilter: s.cfg.GroupFilter,
			Scope:       s.cfg.Scope,
			Attributes:  slices.Compact(attributes),
			IdAttribute: s.id,
		},
	}
}

// Groups implements extractor.Session.
func (s *Session) Groups(ctx context.Context) iter.Seq2[[]extractor.Record, error] {
	return s.list(ctx, &s.groups)
}

// Users implements extractor.Session.
func (s *Session) Users(ctx context.Context) iter.Seq2[[]extractor.Record, error] {
	return s.list(ctx, &s.users)
}

const (
	batchEntries = 500
	batchBytes   = 1 << 20 // about: of the text of its entries
)

// list reads the file from its first line to its last.
func (s *Session) list(ctx context.Context, v *view) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		if v.filter == nil {
			return
		}
		var ids index
		var batch []extractor.Record
		size := 0
		err := s.each(ctx, v, func(r *record) error {
			out := v.record(r)
			for _, text := range s.idTexts(v, r, out) {
				ids.add(text, r.offset)
			}
			batch = append(batch, out)
			if size += r.size(); len(batch) >= batchEntries || size >= batchBytes {
				if !yield(batch, nil) {
					return errStopped
				}
				batch, size = nil, 0
			}
			return nil
		})
		switch {
		case errors.Is(err, errStopped):
			return
		case err != nil:
			yield(nil, err)
			return
		}
		ids.sort()
		s.indexes[v.kind] = ids
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// errStopped ends a scan whose caller has had enough.
var errStopped = errors.New("stopped")

// each calls do for every record that matches a view, below the bases.
func (s *Session) each(ctx context.Context, v *view, do func(*record) error) error {
	return s.file.scan(ctx, s.names, func(r *record) error {
		if !s.matches(v, r) {
			return nil
		}
		if err := r.whole(v); err != nil {
			return s.file.fault(err)
		}
		return do(r)
	})
}

func (s *Session) matches(v *view, r *record) bool {
	key := s.key(r)
	return slices.ContainsFunc(s.bases, func(b base) bool { return b.contains(key, s.cfg.Scope) }) &&
		v.filter(asked{r, s.names}) == ldapmatch.True
}

func (r *record) size() int {
	n := len(r.dn)
	for _, v := range r.values {
		n += len(v.text)
	}
	return n
}

// idTexts are the texts by which Lookup finds an entry: its id, or its names where ids are names.
func (s *Session) idTexts(v *view, r *record, out extractor.Record) []string {
	if s.id != "" {
		return []string{ldapmatch.FoldValue(out.ID)}
	}
	var texts []string
	for _, slot := range v.names {
		for _, name := range r.of(slot) {
			texts = append(texts, ldapmatch.FoldValue(name))
		}
	}
	return texts
}

// Lookup implements extractor.Session. The answer is the listing's own, from the same bytes.
func (s *Session) Lookup(ctx context.Context, kind proto.Kind, ids []string) ([]extractor.Record, error) {
	v := s.view(kind)
	if v.filter == nil {
		return nil, nil
	}
	if s.id == "" && len(v.names) == 0 {
		return nil, fault.New(fault.Usage, "configure an id attribute", "%s: the file has no id attribute: a missing %s can't be looked up", s.cfg.URI, kind)
	}
	if _, listed := s.indexes[kind]; !listed {
		for _, err := range s.list(ctx, v) {
			if err != nil {
				return nil, err
			}
		}
	}
	var found []extractor.Record
	seen := map[int64]bool{}
	for _, id := range ids {
		want := ldapmatch.FoldValue(id)
		for _, offset := range s.indexes[kind].find(want) {
			if seen[offset] {
				continue
			}
			r, err := s.file.at(offset, s.names)
			if err != nil {
				return nil, err
			}
			out := v.record(r)
			if slices.Contains(s.idTexts(v, r, out), want) {
				seen[offset] = true
				found = append(found, out)
			}
		}
	}
	return found, s.file.unchanged()
}

func (s *Session) view(kind proto.Kind) *view {
	if kind == proto.KindGroup {
		return &s.groups
	}
	return &s.users
}

// Group implements extractor.Session.
func (s *Session) Group(_ context.Context, dn string) (extractor.Record, error) {
	r, err := s.entry(dn)
	if err == nil {
		err = s.file.unchanged()
	}
	if err == nil && r == nil {
		err = proto.ErrNotFound
	}
	if err != nil {
		return extractor.Record{}, err
	}
	if err := r.whole(&s.groups); err != nil {
		return extractor.Record{}, s.file.fault(err)
	}
	return s.groups.record(r), nil
}

// entry returns the record with a DN, nil if there is none.
func (s *Session) entry(dn string) (*record, error) {
	key, _, err := ldapmatch.ParseDN(dn)
	if err != nil {
		return nil, nil // no entry can have it
	}
	for _, offset := range s.dns.find(string(key)) {
		r, err := s.file.at(offset, s.names)
		if err != nil {
			return nil, err
		}
		if s.key(r) == key {
			return r, nil
		}
	}
	return nil, nil
}

// GroupsOf implements extractor.Session. The first call reads the file once more, for an index of 16 bytes a membership.
func (s *Session) GroupsOf(ctx context.Context, user extractor.Record) ([]extractor.Record, error) {
	if s.groups.filter == nil {
		return nil, nil
	}
	if s.members == nil {
		if err := s.indexMembers(ctx); err != nil {
			return nil, err
		}
	}
	tokens := tokens([]string{user.DN}, optional(user.UID), user.PrimaryGroup)
	var found []extractor.Record
	seen := map[int64]bool{}
	take := func(r *record) {
		if !seen[r.offset] {
			seen[r.offset] = true
			found = append(found, s.groups.record(r))
		}
	}
	for _, token := range tokens {
		for _, offset := range s.members.find(token) {
			r, err := s.file.at(offset, s.names)
			if err != nil {
				return nil, err
			}
			if slices.Contains(tokensOf(s.groups.record(r)), token) {
				take(r)
			}
		}
	}
	for _, dn := range user.MemberOf {
		r, err := s.entry(dn)
		if err != nil {
			return nil, err
		}
		if r != nil && s.matches(&s.groups, r) {
			take(r)
		}
	}
	return found, s.file.unchanged()
}

func (s *Session) indexMembers(ctx context.Context) error {
	members := index{}
	err := s.each(ctx, &s.groups, func(r *record) error {
		for _, token := range tokensOf(s.groups.record(r)) {
			members.add(token, r.offset)
		}
		return nil
	})
	if err != nil {
		return err
	}
	members.sort()
	s.members = members
	return nil
}

// tokensOf are the texts by which a group names its members.
func tokensOf(group extractor.Record) []string {
	return tokens(group.Members, group.MemberUIDs, group.GroupToken)
}

func tokens(dns, uids []string, primary string) []string {
	var all []string
	for _, dn := range dns {
		if key, _, err := ldapmatch.ParseDN(dn); err == nil {
			all = append(all, "dn:"+string(key))
		}
	}
	for _, uid := range uids {
		all = append(all, "uid:"+strings.ToLower(uid))
	}
	if primary != "" {
		all = append(all, "primary:"+primary)
	}
	return all
}

func optional(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}
