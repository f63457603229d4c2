package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// installHint ends the message of every test that misses a server.
const installHint = "install the test servers with: make servers (or scripts/install-test-servers)"

// process holds what lives as long as the test binary.
var process struct {
	mu    sync.Mutex
	stops []func()
}

// Main runs the tests of a package, stops every server that they started, and exits. Call it from TestMain:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// Without it the servers end too, but a moment after the test binary.
func Main(m *testing.M) {
	code := m.Run()
	stopAll()
	os.Exit(code)
}

// atExit has stop called at the end of Main, the last one first.
func atExit(stop func()) {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.stops = append(process.stops, stop)
}

func stopAll() {
	process.mu.Lock()
	stops := process.stops
	process.stops = nil
	process.mu.Unlock()
	for _, stop := range slices.Backward(stops) {
		stop()
	}
}

// server is a running daemon with the shell that guards it.
type server struct {
	guard *exec.Cmd
	hold  *os.File // the guard ends the daemon when the last writer of this pipe is gone
	log   string   // the file that holds the daemon's output
}

// guardScript runs a daemon until its own standard input ends, then stops the daemon and removes its directory. A daemon that ended
// earlier may have left its process id to somebody else: only a child of the guard is signalled.
// Arguments: directory, log file, signal, then the daemon's command line.
const guardScript = `
dir=$1 log=$2 signal=$3
shift 3
"$@" >"$log" 2>&1 </dev/null &
daemon=$!
cat >/dev/null
if grep -q "^PPid:[[:space:]]*$$\$" "/proc/$daemon/status" 2>/dev/null; then
	kill -s "$signal" "$daemon"
fi
wait "$daemon" 2>/dev/null
rm -rf "$dir"
`

// startServer runs a daemon that stays in the foreground. It is sent signal ("QUIT", "TERM") and dir is removed when stop is called or
// when this process ends. as is the user it runs as; nil: the caller.
func startServer(dir, signal string, as *syscall.Credential, argv ...string) (*server, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	s := &server{hold: write, log: filepath.Join(dir, "log")}
	s.guard = exec.Command("/bin/sh", append([]string{"-c", guardScript, "guard", dir, s.log, signal}, argv...)...)
	s.guard.Stdin = read
	s.guard.Dir = dir
	// A session of its own: an interrupt from the terminal ends the tests, and then, by the pipe, the daemon.
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: as}
	if err := s.guard.Start(); err != nil {
		write.Close()
		return nil, err
	}
	return s, nil
}

// removeAtEnd removes dir when this process ends, however it ends.
func removeAtEnd(dir string) error {
	s, err := startServer(dir, "TERM", nil, "true")
	if err == nil {
		atExit(s.stop)
	}
	return err
}

// stop ends the daemon and waits until it is gone.
func (s *server) stop() {
	s.hold.Close()
	_ = s.guard.Wait()
}

// tail returns the end of the daemon's output, for a failing test's message.
func (s *server) tail() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// serverDir makes a directory for a daemon, owned by the user it runs as. It lies in /tmp: paths of Unix sockets are short
// (108 bytes), and another user may have to reach it.
func serverDir(name string, as *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("/tmp", "ldapsync-"+name+"-")
	if err != nil || as == nil {
		return dir, err
	}
	if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// run runs a command to its end; the error holds what it printed.
func run(as *syscall.Credential, dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// credential turns the strings of os/user into what exec wants.
func credential(uid, gid string) (*syscall.Credential, error) {
	u, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return nil, err
	}
	g, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(u), Gid: uint32(g)}, nil
}
