package ldap

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"

	"ldapsync/internal/fault"
)

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
	c := newConnection(a, w, encrypted)
	if err := d.bind(ctx, c); err != nil {
		c.Close()
		return nil, bindFault(a, d.cfg, err)
	}
	return c, nil
}

// encrypt returns the connection to speak LDAP on.
func (d *Directory) encrypt(ctx context.Context, a address, w *wire) (net.Conn, error) {
	switch {
	case a.scheme == "ldap" && d.cfg.StartTLS:
		if err := startTLS(ctx, a, w); err != nil {
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

// startTLS asks for TLS (RFC 4511, 4.14). Not a byte beyond the answer is read: nothing of what the server says in plain text after it can be
// taken for an answer within TLS.
func startTLS(ctx context.Context, a address, w *wire) error {
	c := &connection{address: a, wire: w, conn: w, in: unbuffered{w}}
	return c.ask(ctx, startTLSRequest(), tagExtendedResponse)
}

// bind says who reads.
func (d *Directory) bind(ctx context.Context, c *connection) error {
	var request *ber.Packet
	switch {
	case d.cfg.SASLExternal:
		request = externalBind()
	case d.cfg.BindDN == "":
		return nil
	default:
		password, err := d.password()
		if err != nil {
			return err
		}
		if c.plain() && !c.address.loopback() {
			d.cfg.Logger.Warn("the bind password crosses the network in plain text: use ldaps:// or StartTLS", "server", c.address.uri)
		}
		request = simpleBind(d.cfg.BindDN, password)
	}
	return c.ask(ctx, request, tagBindResponse)
}

func (d *Directory) password() (string, error) {
	password, err := d.cfg.Password()
	if err != nil {
		return "", fault.New(fault.Usage, "is the file there, and may this user read it?", "password of %s: %w", d.cfg.BindDN, err)
	}
	if password == "" {
		// A server takes it for an anonymous bind and answers success (RFC 4513, 5.1.2).
		return "", fault.New(fault.Usage, "set the password, or remove the bind DN to read anonymously", "the password of %s is empty", d.cfg.BindDN)
	}
	return password, nil
}

const readBuffer = 64 << 10

func newConnection(a address, w *wire, encrypted net.Conn) *connection {
	return &connection{address: a, wire: w, conn: encrypted, in: bufio.NewReaderSize(encrypted, readBuffer)}
}
