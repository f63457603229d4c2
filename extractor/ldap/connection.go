package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// errSilent is what a request ends with when the server said nothing for too long.
var errSilent = errors.New("the server stopped answering")

// connection is go-ldap's connection on a socket of ours, so that a request can be ended: by the context, or by the server's
// silence. Either closes the socket, for what was in flight can't be told from what comes next.
type connection struct {
	*goldap.Conn
	mu      sync.Mutex // one request at a time
	wire    *wire
	address address
}

// dial connects, encrypts and binds, all within the configured time.
func (d *Directory) dial(ctx context.Context, a address) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeouts.Connect)
	defer cancel()
	socket, err := (&net.Dialer{}).DialContext(ctx, a.network, a.target)
	if err != nil {
		return nil, connectFault(a, err)
	}
	w := &wire{Conn: socket, silence: d.cfg.Timeouts.Answer}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	encrypted, err := d.encrypt(ctx, a, w)
	if err != nil {
		socket.Close()
		return nil, err
	}
	c := &connection{wire: w, address: a, Conn: goldap.NewConn(encrypted, encrypted != net.Conn(w))}
	c.Start()
	if err := c.do(ctx, func() error { return d.bind(c) }); err != nil {
		c.Close()
		return nil, bindFault(a, d.cfg, err)
	}
	return c, nil
}

// encrypt returns the connection to speak LDAP on.
func (d *Directory) encrypt(ctx context.Context, a address, w *wire) (net.Conn, error) {
	switch {
	case a.scheme == "ldap" && d.cfg.StartTLS:
		if err := startTLS(w); err != nil {
			return nil, startTLSFault(a, cause(ctx, err))
		}
	case a.scheme != "ldaps":
		return w, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.cfg.TLS != nil {
		config = d.cfg.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = a.host
	}
	if config.InsecureSkipVerify {
		d.cfg.Logger.Warn("the directory's certificate is NOT verified: anyone on the way can read the password and answer in its place", "server", a.uri)
	}
	encrypted := tls.Client(w, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, tlsFault(a, config.ServerName, err)
	}
	return encrypted, nil
}

// startTLS asks for TLS (RFC 4511, 4.14) before go-ldap has the socket: the handshake's error stays readable then, and nothing of what
// the server says in plain text after its answer can be taken for an answer within TLS.
func startTLS(socket net.Conn) error {
	request := ber.NewSequence("LDAP Request")
	request.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(1), "MessageID"))
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationExtendedRequest, nil, "Start TLS")
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", "Start TLS"))
	request.AppendChild(op)
	if _, err := socket.Write(request.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(socket)
	if err != nil {
		return err
	}
	if err := goldap.GetLDAPError(answer); err != nil {
		return err
	}
	if answer.Children[1].Tag != goldap.ApplicationExtendedResponse {
		return errors.New("the answer to StartTLS is something else")
	}
	return nil
}

// bind says who reads.
func (d *Directory) bind(c *connection) error {
	switch {
	case d.cfg.SASLExternal:
		return c.ExternalBind()
	case d.cfg.BindDN == "":
		return nil
	}
	password, err := d.cfg.Password()
	if err != nil {
		return fault.New(fault.Usage, "is the file there, and may this user read it?", "password of %s: %w", d.cfg.BindDN, err)
	}
	if password == "" {
		// A server takes it for an anonymous bind and answers success (RFC 4513, 5.1.2).
		return fault.New(fault.Usage, "set the password, or remove the bind DN to read anonymously", "the password of %s is empty", d.cfg.BindDN)
	}
	if _, encrypted := c.TLSConnectionState(); !encrypted && !c.address.loopback() {
		d.cfg.Logger.Warn("the bind password crosses the network in plain text: use ldaps:// or StartTLS", "server", c.address.uri)
	}
	return c.Bind(d.cfg.BindDN, password)
}

// do runs one request, and ends it when the context does or the server falls silent.
func (c *connection) do(ctx context.Context, request func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	c.wire.await()
	stop := context.AfterFunc(ctx, func() { c.wire.Conn.Close() })
	err := request()
	silent := c.wire.settle()
	stop()
	if silent && err != nil {
		err = fmt.Errorf("%w: nothing for %s", errSilent, c.wire.silence)
	}
	return cause(ctx, err) // even if the answer was there: the socket may be closed already
}

// cause is why the context ended, or else err: what a closed socket says explains nothing.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Close says goodbye and closes the socket, whatever state it is in.
func (c *connection) Close() error {
	_ = c.wire.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.Conn.Unbind()
	c.wire.Conn.Close()
	return c.Conn.Close()
}

// wire is the socket; while an answer is awaited, it closes itself if nothing arrives for too long.
type wire struct {
	net.Conn
	silence time.Duration

	mu       sync.Mutex
	timer    *time.Timer
	awaiting bool
	silent   bool
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.mu.Lock()
		if w.awaiting && !w.silent {
			w.timer.Reset(w.silence)
		}
		w.mu.Unlock()
	}
	return n, err
}

// await starts to listen to the silence.
func (w *wire) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaiting = true
	if w.timer == nil {
		w.timer = time.AfterFunc(w.silence, w.expire)
		return
	}
	w.timer.Reset(w.silence)
}

// settle stops listening, and tells whether it was silent for too long.
func (w *wire) settle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaiting = false
	w.timer.Stop()
	return w.silent
}

func (w *wire) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaiting {
		w.silent = true
		w.Conn.Close()
	}
}
