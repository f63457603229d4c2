package bus

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TestKilledServiceLeavesNothingThatIsBelieved: the lock decides who holds the directory, and the certificate who wrote the invitation.
func TestKilledServiceLeavesNothingThatIsBelieved(t *testing.T) {
	dir := t.TempDir()
	pid := killService(t, dir)
	left, err := os.ReadFile(filepath.Join(dir, invitationFile))
	if err != nil {
		t.Fatalf("a killed service takes its invitation away: %v", err)
	}
	b := embedded(t, dir) // at once: the lock is free
	if b.joined || invited(dir) {
		t.Error("the invitation of a killed service stays")
	}
	// Another process holds the lock now, and the file is there all the same.
	i, err := parseInvitation(left)
	if err != nil {
		t.Fatal(err)
	}
	if i.PID != pid {
		t.Errorf("it names process %d, not %d", i.PID, pid)
	}
	restore := func() {
		content, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, invitationFile), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	wantRefused(t, dir, Config{})
	// It even has the pid of the killed one, as in a container, where both are process 1.
	i.PID = os.Getpid()
	restore()
	wantRefused(t, dir, Config{})
	// And somebody else listens where the killed one did, who doesn't have its key.
	certificate, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	for name, encrypted := range map[string]*tls.Config{"in the clear": nil, "with a certificate of his own": {Certificates: []tls.Certificate{certificate}}} {
		impostor := newOutside(t, func(opts *server.Options) { opts.TLSConfig, opts.TLS = encrypted, encrypted != nil })
		i.URL = impostor.url()
		restore()
		t.Log("an impostor", name)
		wantRefused(t, dir, Config{})
	}
}

// serveUntilTold shares the server in dir until its input ends.
func serveUntilTold(dir string) error {
	b, err := Open(context.Background(), Config{StateDir: dir, Share: true})
	if err != nil {
		return err
	}
	fmt.Println("shared")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return b.Close()
}

// killService runs a service on dir, joins it, kills it, and returns its pid.
func killService(t *testing.T, dir string) int {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	service := exec.CommandContext(t.Context(), program)
	service.Env = append(os.Environ(), "BUS_TEST_SERVICE="+dir)
	service.Stderr = os.Stderr
	input, err := service.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() {
		t.Fatal("the service doesn't start")
	}
	command := open(t, Config{StateDir: dir, LockWait: -1, RetryFor: 10 * time.Second})
	openLog(t, command, "corp")
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	if err := service.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = service.Wait()
	return service.Process.Pid
}
