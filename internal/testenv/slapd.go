package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SlapdServer is an OpenLDAP server of its own: schema core, cosine, nis and inetOrgPerson, overlays memberof and refint, and
// below BaseDN the empty ou=people and ou=groups. It ends with the test.
type SlapdServer struct {
	URI      string // ldap://127.0.0.1:port, offers StartTLS
	LDAPSURI string // ldaps://localhost:port
	LDAPIURI string // SASL EXTERNAL makes whoever runs the test to BindDN

	BaseDN   string
	BindDN   string // reads everything, without limits; isn't root
	Password string

	RootDN       string // no limit and no rule applies to it
	RootPassword string

	CAFile         string         // PEM; signs the server's certificate (localhost, 127.0.0.1)
	CA             *x509.CertPool // the same
	ClientCertFile string         // SASL EXTERNAL makes its bearer to BindDN
	ClientKeyFile  string
	ClientCert     tls.Certificate // the same

	t          testing.TB
	dir        string
	directives []string
	settled    bool // the ports are chosen
	server     *server
}

// Slapd starts a server. directives are lines of slapd.conf for its database, such as "sizelimit 5".
func Slapd(t testing.TB, directives ...string) *SlapdServer {
	t.Helper()
	dir, err := serverDir("slapd", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := removeAtEnd(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &SlapdServer{
		BaseDN: "dc=example,dc=org",
		BindDN: "cn=sync,dc=example,dc=org", Password: "reading",
		RootDN: "cn=admin,dc=example,dc=org", RootPassword: "secret",
		t: t, dir: dir, directives: directives,
	}
	if err := s.makeCertificates(); err != nil {
		t.Fatal(err)
	}
	s.configure()
	s.Start()
	t.Cleanup(s.Stop)
	s.Add(`dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=sync,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: reading

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups
`)
	return s
}

// Add adds the entries of an LDIF.
func (s *SlapdServer) Add(ldif string) { s.t.Helper(); s.client(ldif, "ldapadd") }

// Modify applies the changes of an LDIF.
func (s *SlapdServer) Modify(ldif string) { s.t.Helper(); s.client(ldif, "ldapmodify") }

// Delete removes an entry.
func (s *SlapdServer) Delete(dn string) { s.t.Helper(); s.client("", "ldapdelete", dn) }

// Rename gives an entry another RDN.
func (s *SlapdServer) Rename(dn, rdn string) { s.t.Helper(); s.client("", "ldapmodrdn", "-r", dn, rdn) }

// Move puts an entry below another one, under a new RDN or its old one.
func (s *SlapdServer) Move(dn, rdn, superior string) {
	s.t.Helper()
	s.client("", "ldapmodrdn", "-r", "-s", superior, dn, rdn)
}

// Stop ends the server and cuts its connections. Start starts it again, with what it holds.
func (s *SlapdServer) Stop() {
	if s.server != nil {
		s.server.stop()
		s.server = nil
	}
}

// Start starts a server that was stopped; Slapd has started it already. The first time it chooses the ports, which then stay.
func (s *SlapdServer) Start() {
	s.t.Helper()
	var err error
	for range 5 { // somebody may take a free port before slapd does
		if !s.settled {
			if err = s.choosePorts(); err != nil {
				continue
			}
		}
		if err = s.launch(); err == nil {
			s.settled = true
			return
		}
	}
	s.t.Fatalf("slapd: %v", err)
}

func (s *SlapdServer) choosePorts() error {
	plain, err := freePort()
	if err != nil {
		return err
	}
	encrypted, err := freePort()
	if err != nil {
		return err
	}
	s.URI = fmt.Sprintf("ldap://127.0.0.1:%d", plain)
	s.LDAPSURI = fmt.Sprintf("ldaps://localhost:%d", encrypted)
	s.LDAPIURI = "ldapi://" + url.PathEscape(s.socket())
	return nil
}

func (s *SlapdServer) socket() string { return filepath.Join(s.dir, "ldapi") }

// launch starts the process and waits until it answers.
func (s *SlapdServer) launch() error {
	program, err := slapdProgram()
	if err != nil {
		return err
	}
	run, err := os.MkdirTemp(s.dir, "run")
	if err != nil {
		return err
	}
	// The socket comes last: once it is there, slapd has got the ports as well.
	listen := strings.Join([]string{s.URI, strings.Replace(s.LDAPSURI, "localhost", "127.0.0.1", 1), s.LDAPIURI}, " ")
	server, err := startServer(run, "TERM", nil, program, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", listen)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", s.socket()); err == nil {
			c.Close()
			s.server = server
			return nil
		}
	}
	tail := server.tail()
	server.stop()
	return fmt.Errorf("doesn't answer on %s: %s", s.URI, tail)
}

// slapdProgram finds slapd, which lies where only root looks.
func slapdProgram() (string, error) {
	for _, name := range []string{"slapd", "/usr/sbin/slapd", "/usr/local/sbin/slapd", "/usr/libexec/slapd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("slapd isn't installed: " + installHint)
}

func (s *SlapdServer) client(ldif, name string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(name, append([]string{"-x", "-H", s.LDAPIURI, "-D", s.RootDN, "-w", s.RootPassword}, args...)...)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (s *SlapdServer) configure() {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	conf := strings.NewReplacer("DIRECTIVES", strings.Join(s.directives, "\n"), "DIR", s.dir, "BASE", s.BaseDN, "SYNC", s.BindDN,
		"ROOTDN", s.RootDN, "ROOTPW", s.RootPassword).Replace(slapdConf)
	if err := os.WriteFile(filepath.Join(s.dir, "slapd.conf"), []byte(conf), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile DIR/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
threads 4
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
TLSVerifyClient try
authz-regexp "^gidNumber=[0-9]+\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth$" "SYNC"
authz-regexp "^cn=ldapsync-client$" "SYNC"

database mdb
suffix "BASE"
rootdn "ROOTDN"
rootpw ROOTPW
directory DIR/data
maxsize 1073741824
dbnosync
index objectClass,entryUUID,uid,cn,member,uniqueMember,memberUid eq
limits dn.exact="SYNC" size=unlimited time=unlimited size.pr=unlimited size.prtotal=unlimited
DIRECTIVES
access to attrs=userPassword by anonymous auth by * none
access to * by * read

overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
memberof-refint TRUE

overlay refint
refint_attributes member uniqueMember
refint_nothing "BASE"
`
