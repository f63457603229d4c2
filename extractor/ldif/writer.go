package ldif

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
)

// Attribute is one attribute of an entry to be written, with its values as bytes.
type Attribute struct {
	Name   string
	Values [][]byte
}

// Writer writes entries as LDIF (RFC 2849): text that might be misread as base64, lines folded at 76 bytes, an empty line behind each
// entry. One Write of the underlying writer an entry.
type Writer struct {
	w       io.Writer
	buf     []byte
	entries int
	err     error // the first; nothing is written after it
}

// NewWriter returns a writer that writes to w, beginning with the version line. The caller buffers, flushes and closes w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, buf: []byte("version: 1\n\n")} }

// Entry writes one entry. Attributes without values are left out; the names must be attribute descriptions (RFC 4512, 2.5).
func (w *Writer) Entry(dn string, attributes []Attribute) error {
	if w.err != nil {
		return w.err
	}
	before := len(w.buf)
	w.line("dn", []byte(dn))
	for _, a := range attributes {
		if !validName([]byte(a.Name)) {
			w.buf = w.buf[:before]
			return fmt.Errorf("%s: attribute %q: not a name of an LDAP attribute", dn, a.Name)
		}
		for _, v := range a.Values {
			w.line(a.Name, v)
		}
	}
	w.buf = append(w.buf, '\n')
	w.entries++
	return w.flush()
}

// Close writes the last line: a comment that says how many entries there are, as ldapsearch writes it, by which a reader notices that the
// file was cut between two entries. It doesn't close the underlying writer.
func (w *Writer) Close() error {
	if w.err == nil {
		w.buf = append(strconv.AppendInt(append(w.buf, trailer...), int64(w.entries), 10), '\n')
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if w.err == nil {
		_, w.err = w.w.Write(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// width is the length of a line at which it is folded, in bytes: what ldapsearch takes.
const width = 76

// line appends "name: value", folded; the value in base64 unless it is a safe string.
func (w *Writer) line(name string, value []byte) {
	start := len(w.buf)
	w.buf = append(append(w.buf, name...), ':')
	switch {
	case len(value) == 0:
	case safe(value):
		w.buf = append(append(w.buf, ' '), value...)
	default:
		w.buf = base64.StdEncoding.AppendEncode(append(w.buf, ": "...), value)
	}
	w.fold(start)
	w.buf = append(w.buf, '\n')
}

// fold breaks what stands in the buffer from start on into lines. All of it is ASCII.
func (w *Writer) fold(start int) {
	long := len(w.buf) - start - width
	if long <= 0 {
		return
	}
	breaks := (long + width - 2) / (width - 1)
	from := len(w.buf)
	w.buf = append(w.buf, make([]byte, 2*breaks)...)
	to := len(w.buf)
	for i := breaks; i > 0; i-- { // from behind, so that nothing is moved twice
		at := start + width + (i-1)*(width-1)
		to -= copy(w.buf[to-(from-at):to], w.buf[at:from])
		from = at
		w.buf[to-1], w.buf[to-2] = ' ', '\n'
		to -= 2
	}
}

// safe tells whether a value is a SAFE-STRING that doesn't end with a space, which editors take away.
func safe(value []byte) bool {
	for i, c := range value {
		if c == 0 || c == '\n' || c == '\r' || c >= 0x80 || i == 0 && (c == ' ' || c == ':' || c == '<') {
			return false
		}
	}
	return value[len(value)-1] != ' '
}
