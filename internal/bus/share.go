package bus

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"ldapsync/internal/fault"
)

// invitationFile lies in the state directory while a service shares its embedded server, readable for its owner alone.
const invitationFile = "service.json"

// loopback is the only address on which a shared server listens.
const loopback = "127.0.0.1"

// invitation says how to reach the embedded server of the process that holds the lock. It is a secret: whoever has it may do everything
// with the stream. Token proves the command to the service, Certificate the service to the command: its key never leaves the process, so
// that nobody who gets the port after a service was killed can pass for it.
type invitation struct {
	PID         int    `json:"pid"` // as the lock file names it
	URL         string `json:"url"`
	Token       string `json:"token"`
	Certificate []byte `json:"certificate"` // DER, signed by itself for the address
}

// share makes the server listen for whoever can read the invitation that it returns, but for its URL. Without a loopback interface there
// is none, and the service goes on alone.
func (b *Bus) share(opts *server.Options) (*invitation, error) {
	probe, err := net.Listen("tcp4", net.JoinHostPort(loopback, "0"))
	if err != nil {
		b.logger.Warn("other commands can't reach the stream while this service runs", "error", err)
		return nil, nil
	}
	_ = probe.Close()
	certificate, err := selfSigned()
	if err != nil {
		return nil, fault.New(fault.Stream, "", "embedded NATS server: certificate: %w", err)
	}
	i := &invitation{PID: os.Getpid(), Token: rand.Text(), Certificate: certificate.Certificate[0]}
	opts.DontListen, opts.Host, opts.Port = false, loopback, server.RANDOM_PORT
	opts.Authorization = i.Token
	opts.TLS, opts.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	opts.TLSTimeout, opts.AuthTimeout = 10, 10 // seconds: a busy host takes its time
	return i, nil
}

// selfSigned makes a certificate for the loopback address. It ends with the process that has its key, hence the longest life that
// RFC 5280, 4.1.2.5 knows, whatever a host's clock says.
func selfSigned() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:  []net.IP{net.ParseIP(loopback)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

// invite puts the invitation into the state directory, all of it at once. The server must listen and the lock be held.
func (b *Bus) invite() error {
	b.invitation.URL = b.embedded.ClientURL()
	content, err := json.Marshal(b.invitation)
	if err != nil {
		return fault.New(fault.Stream, "", "state directory: %w", err)
	}
	path := filepath.Join(b.cfg.StateDir, invitationFile)
	part := path + ".new"
	if err = remove(part); err == nil { // a process that was killed may have left it
		err = writeNew(part, content)
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return fault.New(fault.Stream, "is the disk full?", "state directory: %w", err)
	}
	return nil
}

// writeNew makes a file that its owner alone may read.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// withdraw removes the invitation: this process's, or one that a killed process left behind. The lock must be held.
func withdraw(stateDir string) error {
	if err := remove(filepath.Join(stateDir, invitationFile)); err != nil {
		return fault.New(fault.Stream, "the state directory must be writable for the user that ldapsync runs as", "state directory: %w", err)
	}
	return nil
}

// remove removes a file that may not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
