package testenv

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// SambaServer is an Active Directory of its own: a Samba domain controller that offers LDAP and nothing else, with an empty domain but
// for what every domain has and the account of BindDN. As a domain controller does by default, it takes no password without
// encryption. It ends with the test.
//
// The ports of Active Directory can't be chosen, so each server has an address of its own in 127.0.0.0/8. To listen on these ports takes root.
type SambaServer struct {
	URI      string // ldap://127.x.y.z, offers StartTLS
	LDAPSURI string // ldaps://127.x.y.z

	BaseDN   string
	BindDN   string // a user without any rights beyond a user's
	Password string

	AdminDN       string // may do everything
	AdminPassword string

	CAFile string         // PEM; signs the server's certificate (its address, dc1.example.org)
	CA     *x509.CertPool // the same

	t       testing.TB
	dir     string
	address net.IP
	server  *server
}

const (
	sambaRealm         = "example.org"
	sambaAdminPassword = "Passw0rd-of-Admin"
)

// Samba starts a domain controller: a second or less, and some five seconds more for the first one of the process, whose domain is made.
func Samba(t testing.TB) *SambaServer {
	t.Helper()
	template, err := sambaTemplate()
	if err != nil {
		t.Fatalf("Samba: %v", err)
	}
	dir, err := serverDir("samba", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := removeAtEnd(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &SambaServer{
		BaseDN: "DC=example,DC=org",
		BindDN: "CN=sync,CN=Users,DC=example,DC=org", Password: "reading-Passw0rd",
		AdminDN: "CN=Administrator,CN=Users,DC=example,DC=org", AdminPassword: sambaAdminPassword,
		t: t, dir: dir,
	}
	if err := s.settle(template); err != nil {
		t.Fatalf("Samba: %v", err)
	}
	s.Start()
	t.Cleanup(s.Stop)
	s.Add(`dn: ` + s.BindDN + `
objectClass: user
sAMAccountName: sync
userAccountControl: 512
unicodePwd:: ` + UnicodePwd(s.Password) + `
`)
	return s
}

// settle gives the server its address, its certificates and its copy of the domain.
func (s *SambaServer) settle(template string) error {
	var err error
	if s.address, err = loopbackAddress(); err != nil {
		return err
	}
	s.URI, s.LDAPSURI = "ldap://"+s.address.String(), "ldaps://"+s.address.String()
	ca, err := newAuthority(s.dir)
	if err != nil {
		return err
	}
	s.CA, s.CAFile = ca.pool, ca.file
	if _, _, err := ca.server("server", []string{"dc1." + sambaRealm}, s.address); err != nil {
		return err
	}
	if err := os.CopyFS(s.domain(), os.DirFS(template)); err != nil {
		return err
	}
	return writeSambaConf(s.domain(), s.address.String(), "tls keyfile = "+filepath.Join(s.dir, "server.key"),
		"tls certfile = "+filepath.Join(s.dir, "server.pem"), "tls cafile = "+ca.file)
}

// domain is the directory of everything that Samba reads and writes.
func (s *SambaServer) domain() string { return filepath.Join(s.dir, "domain") }

// loopbackAddress picks one of four million addresses, and makes sure that the ports can be had there.
func loopbackAddress() (net.IP, error) {
	var failed error
	for range 5 {
		n := rand.Uint32N(1 << 22)
		ip := net.IPv4(127, byte(64+n>>16), byte(n>>8), byte(n))
		if failed = canListen(ip); failed == nil {
			return ip, nil
		}
	}
	return nil, failed
}

func canListen(ip net.IP) error {
	for _, port := range []int{389, 636, 3268, 3269} {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: ip, Port: port})
		if err != nil {
			return fmt.Errorf("%w; a domain controller listens on ports that only root may open, at addresses that only Linux has by itself: run the tests as root", err)
		}
		l.Close()
	}
	return nil
}

// Stop ends the server and cuts its connections. Start starts it again, with what it holds.
func (s *SambaServer) Stop() {
	if s.server != nil {
		s.server.stop()
		s.server = nil
	}
}

// Start starts a server that was stopped; Samba has started it already.
func (s *SambaServer) Start() {
	s.t.Helper()
	run, err := os.MkdirTemp(s.dir, "run")
	if err != nil {
		s.t.Fatal(err)
	}
	// SIGKILL: it takes two seconds to say goodbye, and its databases are journalled.
	s.server, err = startServer(run, "KILL", nil, "samba", "--model=single", "--foreground", "--no-process-group", "-s", sambaConf(s.domain()))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.awaitReady(30 * time.Second); err != nil {
		tail := s.server.tail()
		s.Stop()
		s.t.Fatalf("samba doesn't answer on %s: %v\n%s", s.LDAPSURI, err, tail)
	}
}

// awaitReady asks until the server answers. The certificate tells that it is ours.
func (s *SambaServer) awaitReady(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.run("ldapsearch", "", "-s", "base", "-b", "", "1.1")
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Add adds the entries of an LDIF.
func (s *SambaServer) Add(ldif string) { s.t.Helper(); s.client("ldapadd", ldif) }

// Modify applies the changes of an LDIF.
func (s *SambaServer) Modify(ldif string) { s.t.Helper(); s.client("ldapmodify", ldif) }

// Delete removes an entry.
func (s *SambaServer) Delete(dn string) { s.t.Helper(); s.client("ldapdelete", "", dn) }

// Rename gives an entry another RDN.
func (s *SambaServer) Rename(dn, rdn string) { s.t.Helper(); s.client("ldapmodrdn", "", "-r", dn, rdn) }

// Move puts an entry below another one, under a new RDN or its old one.
func (s *SambaServer) Move(dn, rdn, superior string) {
	s.t.Helper()
	s.client("ldapmodrdn", "", "-r", "-s", superior, dn, rdn)
}

// List returns the DNs of all entries below a base that match a filter.
func (s *SambaServer) List(base, filter string) []string {
	s.t.Helper()
	var dns []string
	for line := range strings.Lines(s.client("ldapsearch", "", "-LLL", "-o", "ldif-wrap=no", "-E", "pr=1000/noprompt", "-b", base, filter, "1.1")) {
		if dn, ok := strings.CutPrefix(line, "dn: "); ok {
			dns = append(dns, strings.TrimSpace(dn))
		}
	}
	return dns
}

// Text returns what Samba itself, reading its database and not over LDAP, says about an entry's attribute: "" if it isn't there.
func (s *SambaServer) Text(dn, attribute string) string {
	s.t.Helper()
	out, err := exec.Command("ldbsearch", "--configfile="+sambaConf(s.domain()), "-H", filepath.Join(s.domain(), "private", "sam.ldb"),
		"-b", dn, "-s", "base", attribute).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ldbsearch: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, attribute+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (s *SambaServer) client(name, ldif string, args ...string) string {
	s.t.Helper()
	out, err := s.run(name, ldif, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// run runs one of OpenLDAP's clients as the administrator.
func (s *SambaServer) run(name, ldif string, args ...string) (string, error) {
	cmd := exec.Command(name, append([]string{"-x", "-H", s.LDAPSURI, "-D", s.AdminDN, "-w", s.AdminPassword}, args...)...)
	cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+s.CAFile, "LDAPTLS_REQCERT=demand")
	cmd.Stdin = strings.NewReader(ldif)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return string(out), nil
}

// UnicodePwd is the value, in base64, that sets a password: quoted, in UTF-16, little-endian (MS-ADTS, 3.1.1.3.1.5.1).
// A domain wants seven characters of three kinds.
func UnicodePwd(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return base64.StdEncoding.EncodeToString(b)
}
