package bus

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"

	"github.com/nats-io/nats.go"
)

// join connects to the service that holds the state directory, as its invitation says. It returns false where there is none, or the
// process that wrote it isn't the one that holds the lock: a process that was killed leaves its invitation behind. pid is what the lock
// file says of the holder.
func (b *Bus) join(pid int) (bool, error) {
	content, err := readPrivate(b.cfg.StateDir, invitationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	i, err := parseInvitation(content)
	if err != nil {
		return false, err
	}
	if i.PID != pid {
		return false, nil
	}
	certificate, err := x509.ParseCertificate(i.Certificate)
	if err != nil {
		return false, errInvitation
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate)
	nc, err := nats.Connect(i.URL, append(b.connectOptions(), nats.Token(i.Token), nats.Secure(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}))...)
	if err != nil {
		return false, fmt.Errorf("process %d: %w", pid, plain{err})
	}
	b.nc, b.joined = nc, true
	return true, nil
}

// errInvitation doesn't show what the file says: it holds a secret.
var errInvitation = errors.New(invitationFile + ": not what a service writes")

func parseInvitation(content []byte) (*invitation, error) {
	i := new(invitation)
	if err := json.Unmarshal(content, i); err != nil {
		return nil, errInvitation
	}
	u, err := url.Parse(i.URL)
	if err != nil || u.User != nil || net.ParseIP(u.Hostname()) == nil || !net.ParseIP(u.Hostname()).IsLoopback() || i.Token == "" {
		return nil, errInvitation
	}
	return i, nil
}
