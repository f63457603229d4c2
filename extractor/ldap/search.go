package ldap

import (
	"context"
	"iter"
	"slices"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
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

// begin sends q.
func (s *Session) begin(ctx context.Context, q query, controls ...goldap.Control) *answer {
	if s.server.domainScope {
		controls = append(controls, goldap.NewControlString(controlDomainScope, false, ""))
	}
	return s.conn.begin(ctx, q, controls...)
}

// next returns the next chunk of an answer. A result that isn't success is an error.
func (s *Session) next(ctx context.Context, a *answer) (chunk, error) {
	c, err := a.next(ctx)
	if err == nil && c.last {
		err = c.result.err()
		if a.references > 0 {
			s.log.Debug("references to other servers are skipped", "references", a.references)
		}
	}
	return c, err
}

// search runs q once, without pages, and returns all that it finds.
func (s *Session) search(ctx context.Context, q query) ([]entry, error) {
	var (
		all []entry
		d   decoder
	)
	a := s.begin(ctx, q)
	for {
		c, err := s.next(ctx, a)
		if err != nil {
			return nil, err
		}
		for _, at := range c.entries {
			e, err := d.entry(c.text[at.from:at.to])
			if err != nil {
				return nil, s.conn.spoiled(err)
			}
			e.attributes = slices.Clone(e.attributes)
			all = append(all, e)
		}
		if c.last {
			return all, nil
		}
	}
}

// find is search with its log line, and its error explained.
func (s *Session) find(ctx context.Context, q query, what string) ([]entry, error) {
	s.logCommand(ctx, q, 0)
	entries, err := s.search(ctx, q)
	if err != nil {
		return nil, requestFault(s.conn.address, what, err)
	}
	return entries, nil
}

// batches lists what q finds, page by page (RFC 2696) where the server can, in batches that needn't be pages. The sequence ends with an error
// or complete. The request for the next page is sent before what the page holds is handed over.
func (s *Session) batches(ctx context.Context, v *view, q query, size int, what string) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		if !s.server.paging {
			size = 0
		}
		s.logCommand(ctx, q, size)
		p := newPicker(s, v, what)
		a := s.page(ctx, q, size, "")
		defer func() {
			if a != nil {
				a.drop()
			}
		}()
		for a != nil {
			c, err := s.next(ctx, a)
			if err != nil {
				yield(nil, requestFault(s.conn.address, what, err))
				return
			}
			if c.last {
				if a, err = s.following(ctx, q, size, c.result, what); err != nil {
					yield(nil, err)
					return
				}
			}
			records, err := p.records(ctx, c)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(records) > 0 && !yield(records, nil) {
				return
			}
		}
	}
}

// page asks for one page; size 0 is without pages.
func (s *Session) page(ctx context.Context, q query, size int, cookie string) *answer {
	if size == 0 {
		return s.begin(ctx, q)
	}
	return s.begin(ctx, q, pagingControl(size, cookie))
}

// following asks for the page after the one with this result; nil if there is none.
func (s *Session) following(ctx context.Context, q query, size int, r result, what string) (*answer, error) {
	switch {
	case size == 0:
		return nil, nil
	case !r.paged:
		// It must be there (RFC 2696, 3); without it a cut listing looks like the last page.
		return nil, fault.Passing(fault.Directory, "does a proxy stand before the server? it must pass on the control 1.2.840.113556.1.4.319",
			"%s: %s: a page came without its paging control", s.conn.address.uri, what)
	case r.cookie == "":
		return nil, nil
	}
	return s.page(ctx, q, size, r.cookie), nil
}
