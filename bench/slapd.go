package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Who reads the directory, without limits, and who changes it.
const (
	readerDN       = "cn=sync," + baseDN
	readerPassword = "reading"
	rootDN         = "cn=admin," + baseDN
	rootPassword   = "secret"
)

// slapd is an OpenLDAP server of its own: mdb, without fsync, as fast as it can be had.
type slapd struct {
	*server
	uri string
}

// startSlapd makes a directory of n users below dir and serves it.
func startSlapd(ctx context.Context, dir string, n int) (*slapd, error) {
	program, err := find("slapd")
	if err != nil {
		return nil, err
	}
	slapadd, err := find("slapadd")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "slapd.conf")
	text := strings.NewReplacer("BASE", baseDN, "ROOTDN", rootDN, "ROOTPW", rootPassword, "READER", readerDN, "DIR", dir).Replace(slapdConf)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	load := exec.CommandContext(ctx, slapadd, "-q", "-f", conf)
	if err := feed(load, func(w io.Writer) error { return writeDirectory(w, n) }); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &slapd{uri: fmt.Sprintf("ldap://127.0.0.1:%d", port)}
	// SIGKILL: slapd would write back everything first.
	if s.server, err = startServer(dir, nil, syscall.SIGKILL, program, "-d", "0", "-f", conf, "-h", s.uri); err != nil {
		return nil, err
	}
	return s, s.await(ctx, func() error {
		c, err := net.Dial("tcp4", strings.TrimPrefix(s.uri, "ldap://"))
		if err == nil {
			c.Close()
		}
		return err
	})
}

func (s *slapd) cpu() float64 {
	if s == nil {
		return 0
	}
	return s.server.cpu()
}

// change carries out the changes of a round.
func (s *slapd) change(ctx context.Context, n, round int) (changed int, err error) {
	cmd := exec.CommandContext(ctx, "ldapmodify", "-x", "-H", s.uri, "-D", rootDN, "-w", rootPassword)
	err = feed(cmd, func(w io.Writer) (err error) {
		changed, err = writeChanges(w, n, round)
		return err
	})
	return changed, err
}

// search is the floor of reading: OpenLDAP's own client asks for what ldapsync asks for, and writes it to /dev/null.
func (s *slapd) search(ctx context.Context, filter string, attributes ...string) *exec.Cmd {
	args := []string{"-LLL", "-x", "-H", s.uri, "-D", readerDN, "-w", readerPassword, "-b", baseDN, "-E", "pr=1000/noprompt", filter}
	return exec.CommandContext(ctx, "ldapsearch", append(args, attributes...)...)
}

// feed runs a command with a standard input that is written while it reads.
func feed(cmd *exec.Cmd, write func(io.Writer) error) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var output strings.Builder
	cmd.Stderr = &output
	if err := cmd.Start(); err != nil {
		return err
	}
	written := errors.Join(write(in), in.Close())
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, output.String())
	}
	return written
}

// find looks for a program also where only root looks.
func find(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/libexec/" + name} {
		if path, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s isn't installed: make servers", name)
}

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile DIR/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
loglevel none
threads 4

database mdb
suffix "BASE"
rootdn "ROOTDN"
rootpw ROOTPW
directory DIR/data
maxsize 17179869184
dbnosync
index objectClass,entryUUID,uid,cn,member eq
limits dn.exact="READER" size=unlimited time=unlimited size.pr=unlimited size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="READER" read by * none
`
