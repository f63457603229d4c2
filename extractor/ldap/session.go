package ldap

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/internal/ldapmatch"
	"ldapsync/proto"
)

// Session is a connection to one server for one pass. Its requests go one after another. While a listing runs, Lookup and Group may be
// called, but no second listing and not GroupsOf, which end with an error: OpenLDAP keeps one paged search per connection.
type Session struct {
	cfg    Config
	conn   *connection
	log    *slog.Logger
	server server

	id            string // the attribute of the ids, "" for none
	users, groups view

	listing atomic.Bool
}

// prepare asks the server all that must be known before the first entry.
func (s *Session) prepare(ctx context.Context, pinned string) error {
	if err := s.readServer(ctx); err != nil {
		return err
	}
	if err := s.checkBases(ctx); err != nil {
		return err
	}
	id, err := s.chooseID(ctx, pinned)
	if err != nil {
		return err
	}
	s.id = id
	s.users, s.groups = s.userView(), s.groupView()
	return nil
}

// Info implements extractor.Session.
func (s *Session) Info() extractor.Info {
	var names []string
	for _, name := range slices.Concat(s.users.asked, s.groups.asked) {
		names = append(names, ldapmatch.FoldName(name))
	}
	slices.Sort(names)
	return extractor.Info{
		Server: s.conn.address.uri,
		Question: &proto.Question{
			Bases:         slices.Clone(s.cfg.Bases),
			UserFilter:    s.cfg.UserFilter,
			GroupFilter:   s.cfg.GroupFilter,
			Scope:         s.cfg.Scope,
			Attributes:    slices.Compact(names),
			NamingContext: s.namingContext(),
			IdAttribute:   s.id,
		},
	}
}

// groupPage bounds the groups of one page: each of them may hold 100,000 members.
const groupPage = 200

// Groups implements extractor.Session.
func (s *Session) Groups(ctx context.Context) iter.Seq2[[]extractor.Record, error] {
	return s.list(ctx, &s.groups, min(s.cfg.PageSize, groupPage), "groups")
}

// Users implements extractor.Session.
func (s *Session) Users(ctx context.Context) iter.Seq2[[]extractor.Record, error] {
	return s.list(ctx, &s.users, s.cfg.PageSize, "users")
}

func (s *Session) list(ctx context.Context, v *view, size int, what string) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		if v.filter == "" {
			return
		}
		if !s.listing.CompareAndSwap(false, true) {
			yield(nil, s.listingFault(what))
			return
		}
		defer s.listing.Store(false)
		ahead(s.bases(ctx, v, size, what))(yield)
	}
}

// bases reads one base after another.
func (s *Session) bases(ctx context.Context, v *view, size int, what string) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		for _, base := range s.cfg.Bases {
			q := query{base: base, scope: scopes[s.cfg.Scope], filter: v.filter, attributes: v.asked}
			for records, err := range s.batches(ctx, v, q, size, what+" below "+base) {
				if !yield(records, err) || err != nil {
					return
				}
			}
		}
	}
}

func (s *Session) listingFault(what string) error {
	return fault.New(fault.Failed, "this is a mistake in the program: report it", "%s: %s: another listing is under way", s.conn.address.uri, what)
}

// Close ends the session.
func (s *Session) Close() error { return s.conn.Close() }
