package ldap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// errSilent is what a request ends with when the server said nothing for too long.
var errSilent = errors.New("the server stopped answering")

// wire is the socket. It is read only while an answer is awaited, and no read or write waits longer than the silence that is borne.
type wire struct {
	net.Conn
	silence time.Duration
}

func (w *wire) Read(p []byte) (int, error) {
	_ = w.SetReadDeadline(time.Now().Add(w.silence))
	n, err := w.Conn.Read(p)
	return n, w.explain(err)
}

func (w *wire) Write(p []byte) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(w.silence))
	n, err := w.Conn.Write(p)
	return n, w.explain(err)
}

func (w *wire) explain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: nothing for %s", errSilent, w.silence)
	}
	return err
}

// unbuffered reads a source's bytes one at a time, so that nothing beyond a message is taken.
type unbuffered struct{ net.Conn }

func (u unbuffered) ReadByte() (byte, error) {
	var b [1]byte
	_, err := u.Read(b[:])
	return b[0], err
}
