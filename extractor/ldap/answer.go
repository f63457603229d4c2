package ldap

import (
	"context"

	goldap "github.com/go-ldap/ldap/v3"
)

// answer is what the server says to one search: entries, and a result at the end.
type answer struct {
	c          *connection
	id         int64
	whole      bool    // all of it is received
	err        error   // or why it never will be
	unwanted   bool    // nobody will take what is left
	ready      []chunk // received, and not taken
	references int     // how many were skipped
}

// chunk is a part of an answer: entries in one text, each at its place, or the result.
type chunk struct {
	text    string
	entries []span
	last    bool
	result  result // of the last one
}

// span is the content of one SearchResultEntry in a chunk's text.
type span struct{ from, to int }

// chunkSize is when a chunk is handed over. A page of 1,000 users fits.
const chunkSize = 512 << 10

// maxBuffer is how large a buffer may be that is kept.
const maxBuffer = 4 * chunkSize

// begin sends a search. What fails, fails at the answer's next.
func (c *connection) begin(ctx context.Context, q query, controls ...goldap.Control) *answer {
	a := &answer{c: c}
	request, err := searchRequest(q)
	if err != nil {
		a.err = err
		return a
	}
	a.err = c.do(ctx, func() error {
		if err := c.settle(); err != nil {
			return err
		}
		if err := c.send(request, controls...); err != nil {
			return err
		}
		a.id = c.id
		c.pending = a
		return nil
	})
	return a
}

// settle receives what is left of the answer under way, so that another request can be sent. It is kept for whoever wants it.
func (c *connection) settle() error {
	a := c.pending
	for a != nil && !a.whole {
		next, err := c.chunk(a)
		if err != nil {
			return err
		}
		if !a.unwanted {
			a.ready = append(a.ready, next)
		}
	}
	c.pending = nil
	return nil
}

// next returns the next chunk; the last one has the result. It isn't called after that.
func (a *answer) next(ctx context.Context) (next chunk, err error) {
	if a.err != nil {
		return next, a.err
	}
	a.err = a.c.do(ctx, func() error {
		if len(a.ready) > 0 {
			next, a.ready = a.ready[0], a.ready[1:]
			return nil
		}
		next, err = a.c.chunk(a)
		return err
	})
	return next, a.err
}

// drop tells that nobody will take what is left of a.
func (a *answer) drop() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	a.unwanted, a.ready = true, nil
}

// chunk receives messages until they are a chunk.
func (c *connection) chunk(a *answer) (chunk, error) {
	var next chunk
	at := 0
	for at < chunkSize && !next.last {
		m, err := c.receive(a.id, at)
		if err != nil {
			return chunk{}, err
		}
		switch m.op {
		case tagEntry:
			end := len(c.buf) - len(m.rest)
			next.entries = append(next.entries, span{end - len(m.content), end})
			at = len(c.buf)
		case tagDone:
			if next.result, err = parseResult(m); err != nil {
				return chunk{}, err
			}
			next.last = true
		case tagReference:
			a.references++
		case tagIntermediate:
		default:
			return chunk{}, unreadablef("a search is answered with the tag 0x%02x", m.op)
		}
	}
	if !a.unwanted {
		next.text = string(c.buf[:at])
	}
	if cap(c.buf) > maxBuffer {
		c.buf = nil
	}
	if next.last {
		a.whole = true
		c.pending = nil
	}
	return next, nil
}
