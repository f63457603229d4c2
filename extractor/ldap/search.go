package ldap

import (
	"context"
	"iter"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// query is one search.
type query struct {
	base       string
	scope      int
	filter     string
	attributes []string
}

// noAttributes asks for entries without attributes (RFC 4511, 4.5.1.8): an empty list would mean all of them.
const noAttributes = "1.1"

// search runs q once, without pages, with a request of its own. The error is go-ldap's.
func (s *Session) search(ctx context.Context, q query, controls ...goldap.Control) (*goldap.SearchResult, error) {
	if s.server.domainScope {
		controls = append(controls, goldap.NewControlString(controlDomainScope, false, ""))
	}
	attributes := q.attributes
	if len(attributes) == 0 {
		attributes = []string{noAttributes}
	}
	request := goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, 0, 0, false, q.filter, attributes, controls)
	var result *goldap.SearchResult
	err := s.conn.do(ctx, func() (err error) {
		result, err = s.conn.Search(request)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n := len(result.Referrals); n > 0 {
		s.log.Debug("references to other servers are skipped", "base", q.base, "references", n)
	}
	return result, nil
}

// find is search with its log line, and its error explained.
func (s *Session) find(ctx context.Context, q query, what string) ([]*goldap.Entry, error) {
	s.logCommand(ctx, q, 0)
	result, err := s.search(ctx, q)
	if err != nil {
		return nil, requestFault(s.conn.address, what, err)
	}
	return result.Entries, nil
}

// pages lists what q finds, page by page (RFC 2696) where the server can. The sequence ends with an error or complete.
func (s *Session) pages(ctx context.Context, q query, size int, what string) iter.Seq2[[]*goldap.Entry, error] {
	if !s.server.paging {
		return func(yield func([]*goldap.Entry, error) bool) {
			if entries, err := s.find(ctx, q, what); err != nil {
				yield(nil, err)
			} else if len(entries) > 0 {
				yield(entries, nil)
			}
		}
	}
	return func(yield func([]*goldap.Entry, error) bool) {
		s.logCommand(ctx, q, size)
		var cookie []byte
		for {
			entries, next, err := s.page(ctx, q, size, cookie, what)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(entries) > 0 && !yield(entries, nil) {
				return
			}
			if len(next) == 0 {
				return
			}
			cookie = next
		}
	}
}

// page reads one page and the cookie of the next, empty for the last.
func (s *Session) page(ctx context.Context, q query, size int, cookie []byte, what string) (entries []*goldap.Entry, next []byte, err error) {
	control := goldap.NewControlPaging(uint32(size))
	control.SetCookie(cookie)
	result, err := s.search(ctx, q, control)
	if err != nil {
		return nil, nil, requestFault(s.conn.address, what, err)
	}
	answer, ok := goldap.FindControl(result.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
	if !ok {
		// It must be there (RFC 2696, 3); without it a cut listing looks like the last page.
		return nil, nil, fault.Passing(fault.Directory, "does a proxy stand before the server? it must pass on the control 1.2.840.113556.1.4.319",
			"%s: %s: a page came without its paging control", s.conn.address.uri, what)
	}
	return result.Entries, answer.Cookie, nil
}
