package ldap

import (
	"errors"
	"fmt"
	"io"
	"slices"

	goldap "github.com/go-ldap/ldap/v3"
)

// maxMessage is the longest message that is read: a group of three million members fits.
const maxMessage = 256 << 20

// growth is how much memory a message gets before any of it was received.
const growth = 64 << 10

// source is what messages are read from.
type source interface {
	io.Reader
	io.ByteReader
}

// errClosed is what reading ends with when the server has closed the connection.
var errClosed = errors.New("the server closed it")

// readMessage reads one LDAPMessage (RFC 4511, 4.1.1), and appends what is within its outer sequence to buf. Memory grows as bytes arrive,
// whatever length the message claims.
func readMessage(in source, buf []byte) ([]byte, error) {
	tag, err := in.ReadByte()
	if errors.Is(err, io.EOF) {
		return buf, errClosed
	}
	if err != nil {
		return buf, err
	}
	if tag != tagSequence {
		return buf, unreadablef("a message begins with 0x%02x", tag)
	}
	n, err := readLength(in)
	if err != nil {
		return buf, cut(err)
	}
	if n > maxMessage {
		return buf, unreadablef("a message of %d bytes: at most %d are read", n, maxMessage)
	}
	for begin, left := len(buf), int(n); left > 0; {
		at := len(buf)
		step := min(left, max(growth, at-begin))
		buf = slices.Grow(buf, step)[:at+step]
		if _, err := io.ReadFull(in, buf[at:]); err != nil {
			return buf[:begin], cut(err)
		}
		left -= step
	}
	return buf, nil
}

// readLength reads an element's length (see element).
func readLength(in source) (uint32, error) {
	b, err := in.ReadByte()
	if err != nil || b < 0x80 {
		return uint32(b), err
	}
	octets := int(b & 0x7f)
	if err := lengthOctets(octets); err != nil {
		return 0, err
	}
	var n uint32
	for range octets {
		if b, err = in.ReadByte(); err != nil {
			return 0, err
		}
		n = n<<8 | uint32(b)
	}
	return n, nil
}

// cut names an end within a message.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w within a message", errClosed)
	}
	return err
}

// message is an LDAPMessage taken apart.
type message struct {
	id            int64
	op            byte
	content, rest []byte // of the operation, and what comes behind it
}

func parseMessage(body []byte) (m message, err error) {
	if m.id, body, err = takeInteger(body, tagInteger, "message id"); err != nil {
		return m, err
	}
	if m.op, m.content, m.rest, err = element(body); err != nil {
		return m, fmt.Errorf("operation: %w", err)
	}
	return m, ignore(m.rest, "controls")
}

// result is an LDAPResult (RFC 4511, 4.1.9) with the one control that matters.
type result struct {
	code                int64
	matched, diagnostic string
	paged               bool // it has the control of RFC 2696
	cookie              string
}

func parseResult(m message) (r result, err error) {
	in := string(m.content)
	if r.code, in, err = takeInteger(in, tagEnumerated, "result code"); err != nil {
		return r, err
	}
	if r.code < 0 || r.code > 0xffff {
		return r, unreadablef("result code: %d", r.code)
	}
	if r.matched, in, err = take(in, tagOctets, "matched DN"); err != nil {
		return r, err
	}
	if r.diagnostic, in, err = take(in, tagOctets, "diagnostic message"); err != nil {
		return r, err
	}
	if err := ignore(in, "result"); err != nil {
		return r, err
	}
	return r, r.parseControls(string(m.rest))
}

// parseControls looks for the control of paged results.
func (r *result) parseControls(rest string) error {
	if rest == "" || rest[0] != tagControls {
		return nil
	}
	all, _, err := take(rest, tagControls, "controls")
	for err == nil && all != "" {
		var one string
		if one, all, err = take(all, tagSequence, "control"); err == nil {
			err = r.parseControl(one)
		}
	}
	return err
}

func (r *result) parseControl(in string) error {
	kind, in, err := take(in, tagOctets, "control's type")
	if err != nil || kind != goldap.ControlTypePaging {
		return err
	}
	if in != "" && in[0] == tagBoolean {
		if _, in, err = take(in, tagBoolean, "criticality"); err != nil {
			return err
		}
	}
	if in, _, err = take(in, tagOctets, "paging control"); err != nil {
		return err
	}
	if in, _, err = take(in, tagSequence, "paging control"); err != nil {
		return err
	}
	if _, in, err = takeInteger(in, tagInteger, "paging control's size"); err != nil {
		return err
	}
	if r.paged {
		return unreadable("an answer has two paging controls")
	}
	r.paged = true
	r.cookie, _, err = take(in, tagOctets, "paging control's cookie")
	return err
}

// err is the result as an error of go-ldap, nil for success.
func (r result) err() error {
	if r.code == goldap.LDAPResultSuccess {
		return nil
	}
	return &goldap.Error{ResultCode: uint16(r.code), MatchedDN: r.matched, Err: errors.New(r.diagnostic)}
}

// notice explains a message that nobody asked for (RFC 4511, 4.4): a notice of disconnection, with its reason.
func notice(m message) error {
	if m.op != tagExtendedResponse {
		return unreadablef("a message without a request has the tag 0x%02x", m.op)
	}
	r, err := parseResult(m)
	if err != nil {
		return err
	}
	if r.code == goldap.LDAPResultSuccess {
		r.code = goldap.LDAPResultUnavailable
	}
	r.diagnostic = "the server ends the connection: " + r.diagnostic
	return r.err()
}
