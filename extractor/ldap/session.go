package ldap

import (
	"context"
	"iter"
	"log/slog"
	"slices"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// Session is a connection to one server for one pass. Its requests go one after another. While a listing runs, Lookup and Group may be
// called, but no second listing and not GroupsOf: OpenLDAP keeps one paged search per connection, and ends the first with an error.
type Session struct {
	cfg    Config
	conn   *connection
	log    *slog.Logger
	server server

	id            string // the attribute of the ids, "" for none
	users, groups view
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
		names = append(names, fold(name))
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
		for _, base := range s.cfg.Bases {
			q := query{base: base, scope: scopes[s.cfg.Scope], filter: v.filter, attributes: v.asked}
			for entries, err := range s.pages(ctx, q, size, what+" below "+base) {
				if err != nil {
					yield(nil, err)
					return
				}
				records, err := s.records(ctx, v, entries)
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(records, nil) {
					return
				}
			}
		}
	}
}

// Close ends the session.
func (s *Session) Close() error { return s.conn.Close() }
