package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// sambaTemplate makes a domain that is never started, for servers to copy. All copies have the same domain SID, and entries that
// came with the domain the same objectGUID.
var sambaTemplate = sync.OnceValues(func() (string, error) {
	for _, program := range []string{"samba", "samba-tool", "ldbsearch"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%w; %s", err, installHint)
		}
	}
	// Asked first: root's rights are what is missing most often, and what samba-tool says of it doesn't help.
	if _, err := loopbackAddress(); err != nil {
		return "", err
	}
	dir, err := serverDir("samba-template", nil)
	if err != nil {
		return "", err
	}
	if err := removeAtEnd(dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	domain := filepath.Join(dir, "domain")
	if err := writeSambaConf(domain, "127.0.0.1"); err != nil {
		return "", err
	}
	return domain, run(nil, dir, "samba-tool", "domain", "provision", "--configfile="+sambaConf(domain), "--server-role=dc",
		"--realm="+strings.ToUpper(sambaRealm), "--domain=EXAMPLE", "--dns-backend=NONE", "--host-name=dc1", "--host-ip=127.0.0.1",
		"--adminpass="+sambaAdminPassword)
})

func sambaConf(domain string) string { return filepath.Join(domain, "smb.conf") }

// writeSambaConf writes a domain's smb.conf, and makes the directories that it names. lines are more of the section global.
func writeSambaConf(domain, address string, lines ...string) error {
	conf := strings.NewReplacer("DIR", domain, "ADDRESS", address, "MORE", strings.Join(lines, "\n")).Replace(sambaSettings)
	for _, name := range []string{"private", "state", "cache", "lock", "run", "binddns", "ncalrpc"} {
		if err := os.MkdirAll(filepath.Join(domain, name), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(sambaConf(domain), []byte(conf), 0o600)
}

// Nothing of Samba's own directories is touched. nosync: what a test's server loses with the power is nobody's loss.
const sambaSettings = `[global]
netbios name = DC1
realm = EXAMPLE.ORG
workgroup = EXAMPLE
server role = active directory domain controller
server services = ldap
interfaces = ADDRESS/8
bind interfaces only = yes
private dir = DIR/private
state directory = DIR/state
cache directory = DIR/cache
lock directory = DIR/lock
pid directory = DIR/run
binddns dir = DIR/binddns
ncalrpc dir = DIR/ncalrpc
log file = DIR/log
ldb:nosync = true
MORE

[sysvol]
path = DIR/state/sysvol
read only = no

[netlogon]
path = DIR/state/sysvol/example.org/scripts
read only = no
`
