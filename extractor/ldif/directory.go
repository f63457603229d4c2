package ldif

import (
	"bytes"
	"context"
	"strings"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// Directory is one source's directory in a file.
type Directory struct {
	cfg           Config
	path          string
	bases         []base
	users, groups ldapmatch.Filter // nil: not asked for
}

var (
	_ extractor.Directory = (*Directory)(nil)
	_ extractor.Session   = (*Session)(nil)
)

// New returns the directory that cfg describes, or the first thing in cfg that can't work, as a fault of class Usage. It opens no file.
func New(cfg Config) (*Directory, error) {
	cfg.UserFilter, cfg.GroupFilter = ldapmatch.NormalizeFilter(cfg.UserFilter), ldapmatch.NormalizeFilter(cfg.GroupFilter)
	if cfg.Logger == nil {
		cfg.Logger = DefaultConfig().Logger
	}
	d := &Directory{cfg: cfg}
	var err error
	if d.path, err = Path(cfg.URI); err != nil {
		return nil, err
	}
	if d.bases, err = parseBases(&cfg); err != nil {
		return nil, err
	}
	if d.users, err = compile("user filter", cfg.UserFilter); err != nil {
		return nil, err
	}
	if d.groups, err = compile("group filter", cfg.GroupFilter); err != nil {
		return nil, err
	}
	for _, names := range [][]string{cfg.UserAttributes, cfg.GroupAttributes, cfg.MemberAttributes, cfg.UsernameAttributes, cfg.GroupNameAttributes} {
		for _, name := range names {
			if !validName([]byte(name)) {
				return nil, fault.New(fault.Usage, "name each attribute that is wanted, such as givenName", "attribute %q: not a name of an LDAP attribute", name)
			}
		}
	}
	if cfg.IDAttribute != "" && !validName([]byte(cfg.IDAttribute)) {
		return nil, fault.New(fault.Usage, "such as entryUUID", "attribute %q: not a name of an LDAP attribute", cfg.IDAttribute)
	}
	return d, nil
}

const ruleInChain = "1.2.840.113556.1.4.1941"

func compile(what, filter string) (ldapmatch.Filter, error) {
	if filter == "" {
		return nil, nil
	}
	if strings.Contains(filter, ":"+ruleInChain+":") {
		return nil, fault.New(fault.Usage, "let the dump hold only those who are wanted, or filter by (memberOf=…)", "%s %s: memberships through nested groups can't be asked of a file", what, filter)
	}
	match, err := ldapmatch.ParseFilter(filter)
	if err != nil {
		return nil, fault.New(fault.Usage, `a filter looks like (&(objectClass=person)(uid=*)); the characters ( ) * \ in a value are written \28 \29 \2a \5c`, "%s %s: %w", what, filter, err)
	}
	return match, nil
}

// Open opens the file and reads it once, from the first line to the last: it must be LDIF throughout, end as a complete dump ends, and have
// entries below each base.
func (d *Directory) Open(ctx context.Context, pinned string) (extractor.Session, error) {
	c, err := openCapture(d.cfg.URI, d.path)
	if err != nil {
		return nil, err
	}
	s := &Session{cfg: &d.cfg, bases: d.bases, file: c, names: newNames(), indexes: map[proto.Kind]index{}}
	if err := s.prepare(ctx, pinned); err != nil {
		c.file.Close()
		return nil, err
	}
	s.users, s.groups = newView(proto.KindUser, &d.cfg, s.names, s.id), newView(proto.KindGroup, &d.cfg, s.names, s.id)
	s.users.filter, s.groups.filter = d.users, d.groups
	return s, nil
}

// idCandidates are the attributes that servers give ids by.
var idCandidates = []string{"entryUUID", "nsUniqueId", "objectGUID"}

// prepare reads the file once: which DN stands where, what has entries, and which attribute gives the ids.
func (s *Session) prepare(ctx context.Context, pinned string) error {
	candidates := idCandidates
	for _, name := range []string{s.cfg.IDAttribute, pinned} {
		if name != "" && name != extractor.Username {
			candidates = append([]string{name}, candidates...)
		}
	}
	slots := make([]int, len(candidates))
	for i, name := range candidates {
		slots[i] = s.names.of(name)
	}
	having := make([]int, len(candidates))
	held := make([]bool, len(s.bases))
	entries, top := 0, ""
	err := s.file.scan(ctx, s.names, func(r *record) error {
		if entries++; top == "" {
			top = string(r.dn)
		}
		key := s.key(r)
		for i, b := range s.bases {
			held[i] = held[i] || key.Below(b.key)
		}
		for i, slot := range slots {
			if r.has(slot) {
				having[i]++
			}
		}
		s.dns.add(string(key), r.offset)
		return nil
	})
	if err != nil {
		return err
	}
	if entries == 0 {
		return s.file.fault(&flaw{0, "holds no entry", hintDump})
	}
	for i, ok := range held {
		if !ok {
			return fault.Passing(fault.Directory, "is it spelled right? the first entry of the file is "+top, "%s: nothing lies below base %s", s.cfg.URI, s.bases[i].dn)
		}
	}
	s.warnOfUnknown()
	s.dns.sort()
	if err := s.noDouble(); err != nil {
		return err
	}
	return s.chooseID(pinned, candidates, having)
}

// warnOfUnknown names what a filter asks about and no entry of the file has: it may be that nobody has it, or that it wasn't dumped.
func (s *Session) warnOfUnknown() {
	for _, filter := range []string{s.cfg.UserFilter, s.cfg.GroupFilter} {
		if filter == "" {
			continue
		}
		attributes, _ := ldapmatch.Attributes(filter) // New has compiled it
		for _, name := range attributes {
			if !s.names.known(name) {
				s.cfg.Logger.Warn("no entry of the file has an attribute that the filter asks about: was the file made without it?", "uri", s.cfg.URI, "filter", filter, "attribute", name)
			}
		}
	}
}

func (r *record) has(slot int) bool {
	for _, v := range r.values {
		if v.slot == slot {
			return true
		}
	}
	return false
}

// noDouble refuses a file that holds an entry twice: it can't be told which of the two is right.
func (s *Session) noDouble() error {
	for i := 1; i < len(s.dns); i++ {
		a, b := s.dns[i-1], s.dns[i]
		if a.hash != b.hash {
			continue
		}
		first, err := s.file.at(a.offset, s.names)
		if err != nil {
			return err
		}
		key := s.key(first)
		second, err := s.file.at(b.offset, s.names)
		if err != nil {
			return err
		}
		if s.key(second) == key {
			return s.file.fault(&flaw{0, "holds " + string(bytes.ToValidUTF8(second.dn, nil)) + " twice", "are these two dumps in one file?"})
		}
	}
	return nil
}

// chooseID decides which attribute gives the ids: the configured one, the one of the snapshots so far, or that of the usual ones which most
// entries have. "" if there is none.
func (s *Session) chooseID(pinned string, candidates []string, having []int) error {
	if s.cfg.IDAttribute == "" && pinned == extractor.Username {
		return nil
	}
	named := s.cfg.IDAttribute
	if named == "" {
		named = pinned
	}
	best := 0
	for i, name := range candidates {
		if having[i] > best && (named == "" || strings.EqualFold(name, named)) {
			s.id, best = name, having[i]
		}
	}
	switch {
	case s.id == "" && named != "":
		return fault.Passing(fault.Directory, "dump it with the operational attributes: ldapsearch … '*' '+'", "%s: no entry has %s, which gives entries their id", s.cfg.URI, named)
	case s.id == "":
		s.cfg.Logger.Warn("the file gives entries no permanent id: a renamed user will be taken for another one", "uri", s.cfg.URI)
	}
	return nil
}

// key is the key of a record's DN; of what isn't a DN its bytes, which lie below no base.
func (s *Session) key(r *record) ldapmatch.Key {
	key, _, err := ldapmatch.ParseDN(string(r.dn))
	if err != nil {
		return ldapmatch.Key("\x02" + string(r.dn))
	}
	return key
}

// Close ends the session.
func (s *Session) Close() error {
	if err := s.file.file.Close(); err != nil {
		return s.file.fault(unwrapPath(err))
	}
	return nil
}
