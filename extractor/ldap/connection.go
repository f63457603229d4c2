package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// connection speaks LDAP to one server. One request is under way at a time; whoever has the next one waits until the answer to the one
// before is received. What breaks the protocol, a silence that lasts too long and an ended context close the socket, for what was in
// flight can't be told from what comes next.
type connection struct {
	address address
	wire    *wire
	conn    net.Conn // the wire, or TLS on it
	in      source

	mu      sync.Mutex
	id      int64   // of the last request
	pending *answer // asked for, and not received whole
	buf     []byte  // where messages are read to
	broken  error   // why nothing more is asked
}

// plain tells whether others may listen.
func (c *connection) plain() bool { return c.conn == net.Conn(c.wire) }

var errEnded = errors.New("the connection is closed")

// do has the connection for the time of one exchange, which ends with the context. An error is the end of the connection.
func (c *connection) do(ctx context.Context, exchange func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.broken != nil {
		return c.broken
	}
	stop := context.AfterFunc(ctx, func() { c.wire.Conn.Close() })
	err := exchange()
	if !stop() {
		err = ctx.Err() // even if the answer was there: the socket is closed
	}
	if err != nil {
		c.fail(err)
	}
	return cause(ctx, err)
}

// fail makes an end. The mutex is held.
func (c *connection) fail(err error) {
	c.broken = fmt.Errorf("%w after an error: %v", errEnded, err)
	c.wire.Conn.Close()
}

// spoiled ends the connection, since what came through it can't be read.
func (c *connection) spoiled(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(err)
	return err
}

// cause is why the context ended, or else err: what a closed socket says explains nothing.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ask sends a request that has a single answer, and returns its result.
func (c *connection) ask(ctx context.Context, request *ber.Packet, want byte) error {
	var r result
	err := c.do(ctx, func() (err error) {
		if err = c.settle(); err != nil {
			return err
		}
		if err = c.send(request); err != nil {
			return err
		}
		m, err := c.receive(c.id, 0)
		for err == nil && m.op == tagIntermediate {
			m, err = c.receive(c.id, 0)
		}
		if err != nil {
			return err
		}
		if m.op != want {
			return unreadablef("the answer has the tag 0x%02x instead of 0x%02x", m.op, want)
		}
		r, err = parseResult(m)
		return err
	})
	if err != nil {
		return err
	}
	return r.err()
}

// send writes a request with the next id. The mutex is held, as in all that follows.
func (c *connection) send(request *ber.Packet, controls ...goldap.Control) error {
	c.id++
	_, err := c.conn.Write(encodeMessage(c.id, request, controls...))
	return err
}

// receive reads the next message to c.buf[at:]. It must answer the request with this id.
func (c *connection) receive(id int64, at int) (m message, err error) {
	if c.buf, err = readMessage(c.in, c.buf[:at]); err != nil {
		return m, err
	}
	if m, err = parseMessage(c.buf[at:]); err != nil {
		return m, err
	}
	switch m.id {
	case id:
		return m, nil
	case 0:
		return m, notice(m)
	}
	return m, unreadablef("message %d came instead of an answer to %d", m.id, id)
}

// goodbye is how long it may take.
const goodbye = time.Second

// Close says goodbye and closes the socket, whatever state it is in.
func (c *connection) Close() error {
	if !c.mu.TryLock() {
		c.wire.Conn.Close() // ends what is under way
		return nil
	}
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil
	}
	c.broken = errEnded
	c.wire.silence = goodbye
	_ = c.send(unbindRequest())
	_ = c.conn.Close()
	return nil
}
