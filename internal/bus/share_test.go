package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// sharing opens a bus as a service does that has no NATS server.
func sharing(t *testing.T, dir string) *Bus {
	t.Helper()
	return open(t, Config{StateDir: dir, RetryFor: 20 * time.Second, Share: true, Name: "the service"})
}

func invited(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, invitationFile))
	return !errors.Is(err, fs.ErrNotExist)
}

func readInvitation(t *testing.T, dir string) *invitation {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, invitationFile))
	if err != nil {
		t.Fatal(err)
	}
	i, err := parseInvitation(content)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// wantRefused asserts that a state directory that another process holds isn't joined.
func wantRefused(t *testing.T, dir string, cfg Config) {
	t.Helper()
	cfg.StateDir, cfg.LockWait = dir, -1
	b, err := Open(soon(t), cfg)
	if err == nil {
		_ = b.Close()
		t.Fatal("opened")
	}
	if class, _ := fault.Of(err); class != fault.Stream || fault.IsPermanent(err) || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("%v: %v", class, err)
	}
}

func TestCommandsReachTheStreamOfAService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	service := sharing(t, dir)
	l := openLog(t, service, "corp")
	last := publish(t, l, 0, upTo(3)...)
	if _, err := service.Announce(t.Context(), "extractor", "corp"); err != nil {
		t.Fatal(err)
	}
	requests, err := service.Requests(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}

	command := open(t, Config{StateDir: dir, LockWait: -1, RetryFor: 10 * time.Second})
	if command.embedded != nil || command.lock != nil || command.Alone() || service.Alone() {
		t.Error("the command didn't join the service")
	}
	seen := openLog(t, command, "corp")
	if seen.StreamID() != l.StreamID() || seen.MaxPayload() != l.MaxPayload() {
		t.Errorf("stream %s, at most %d bytes", seen.StreamID(), seen.MaxPayload())
	}
	wantNumbered(t, contents(t, seen), 3)
	if who, active, err := command.Active(t.Context(), "extractor", "corp"); err != nil || !active || who != "the service" {
		t.Errorf("active %t, %q, %v", active, who, err)
	}
	if err := command.Trigger(t.Context(), "corp", &proto.RunRequest{RequestedBy: "ada"}); err != nil {
		t.Fatal(err)
	}
	asked, ack, err := requests.Next(soon(t))
	if err != nil || len(asked) != 1 || asked[0].GetRequestedBy() != "ada" {
		t.Fatalf("%v, %v", asked, err)
	}
	if err := ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, seen, last, 4) // one writer at a time, whichever process it is in
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	if !invited(dir) {
		t.Error("the command took the invitation away")
	}
	wantNumbered(t, contents(t, l), 4)

	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	if invited(dir) {
		t.Error("the invitation stays")
	}
	alone := open(t, Config{StateDir: dir, LockWait: -1})
	if !alone.Alone() {
		t.Error("a command without a service has a server of its own")
	}
	wantNumbered(t, contents(t, openLog(t, alone, "corp")), 4)
	if err := service.Close(); err != nil || invited(dir) {
		t.Errorf("a second Close: %v", err)
	}
}

// TestCommandThatWaitsJoinsOnceItIsInvited: the service may still be recovering its store.
func TestCommandThatWaitsJoinsOnceItIsInvited(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	held, err := acquire(t.Context(), dir, -1, func(int) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()
	asked := make(chan struct{})
	opened := make(chan error)
	go func() {
		b := &Bus{cfg: Config{StateDir: dir}.withDefaults(), logger: slog.New(slog.DiscardHandler), epoch: newSignal(), denial: newSignal()}
		once := sync.OnceFunc(func() { close(asked) })
		l, err := acquire(soon(t), dir, time.Minute, func(pid int) bool {
			joined, err := b.join(pid)
			once()
			return joined && err == nil
		})
		if err == nil && (l != nil || b.nc.Status() != nats.CONNECTED) {
			err = errors.New("it didn't join")
		}
		opened <- errors.Join(err, b.Close())
	}()
	<-asked
	sharing(t, elsewhere)
	if err := os.Rename(filepath.Join(elsewhere, invitationFile), filepath.Join(dir, invitationFile)); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestInvitationIsTheOnlyWayIn: from this host alone, with the token, over TLS.
func TestInvitationIsTheOnlyWayIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	service := sharing(t, dir)
	if addr, ok := service.embedded.Addr().(*net.TCPAddr); !ok || !addr.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("it listens on %v", service.embedded.Addr())
	}
	info, err := os.Lstat(filepath.Join(dir, invitationFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	i := readInvitation(t, dir)
	if i.PID != os.Getpid() || len(i.Token) < 26 { // 130 bits
		t.Errorf("process %d, %d characters", i.PID, len(i.Token))
	}
	anyone := nats.Secure(&tls.Config{InsecureSkipVerify: true})
	for name, opts := range map[string][]nats.Option{
		"no token": {anyone}, "another token": {anyone, nats.Token("x" + i.Token)},
	} {
		if nc, err := nats.Connect(i.URL, opts...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
			nc.Close()
		}
	}
	plaintext, err := net.Dial("tcp", service.embedded.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plaintext.Close()
	fmt.Fprintf(plaintext, "CONNECT {\"auth_token\":%q,\"verbose\":true}\r\nPING\r\n", i.Token)
	_ = plaintext.SetDeadline(time.Now().Add(20 * time.Second))
	if answer, _ := io.ReadAll(plaintext); strings.Contains(string(answer), "+OK") || strings.Contains(string(answer), "PONG") {
		t.Errorf("without TLS: %s", answer)
	}
	if nc, err := nats.Connect(i.URL, nats.Token(i.Token)); err == nil { // the system's authorities don't know it
		t.Error("the certificate isn't checked")
		nc.Close()
	}
}

// TestServicesNeverJoin: a second one would be a second extractor; it takes over when the first one ends.
func TestServicesNeverJoin(t *testing.T) {
	dir := t.TempDir()
	first := sharing(t, dir)
	wantRefused(t, dir, Config{Share: true})
	second := make(chan error)
	go func() {
		b, err := Open(soon(t), Config{StateDir: dir, Share: true})
		if err == nil {
			if b.joined || !invited(dir) {
				err = errors.New("it joined, or doesn't share")
			}
			err = errors.Join(err, b.Close())
		}
		second <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// TestProcessThatSharesNothingIsWaitedFor: a run keeps its server to itself, even if a service was killed before it.
func TestProcessThatSharesNothingIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, invitationFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := embedded(t, dir)
	if invited(dir) || b.embedded.Addr() != nil {
		t.Errorf("it listens on %v", b.embedded.Addr())
	}
	wantRefused(t, dir, Config{})
}

// TestInvitationThatOthersMayChangeIsRefused: who writes it leads commands to a server of his own.
func TestInvitationThatOthersMayChangeIsRefused(t *testing.T) {
	dir := t.TempDir()
	sharing(t, dir)
	path := filepath.Join(dir, invitationFile)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]func() error{
		"a group may read it": func() error { return os.Chmod(path, 0o640) },
		"everybody may write": func() error { return os.Chmod(path, 0o602) },
		"it isn't an address": func() error {
			return os.WriteFile(path, []byte(`{"pid":1,"url":"nats://x.example:1","token":"t"}`), 0o600)
		},
		"it is another host's": func() error {
			return os.WriteFile(path, []byte(`{"pid":1,"url":"nats://192.0.2.1:1","token":"t"}`), 0o600)
		},
		"it isn't one at all": func() error { return os.WriteFile(path, content[:len(content)/2], 0o600) },
		"it is a directory":   func() error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"it is a symbolic link": func() error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
	}
	if os.Geteuid() == 0 {
		cases["it is somebody else's"] = func() error { return os.Chown(path, 4711, -1) }
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, content, 0o600), spoil()); err != nil {
				t.Fatal(err)
			}
			var log records
			wantRefused(t, dir, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if !strings.Contains(log.String(), "can't be joined") || strings.Contains(log.String(), "token") {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	if b := open(t, Config{StateDir: dir, LockWait: -1}); !b.joined {
		t.Error("the right one isn't taken")
	}
}

// TestServiceThatEndsMeanwhile: the command gives up after its time, and says why.
func TestServiceThatEndsMeanwhile(t *testing.T) {
	dir := t.TempDir()
	service := sharing(t, dir)
	openLog(t, service, "corp")
	command := open(t, Config{StateDir: dir, RetryFor: 300 * time.Millisecond})
	lost := command.current(&command.epoch)
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost.Done():
	case <-soon(t).Done():
		t.Fatal("the connection isn't lost")
	}
	_, err := command.OpenLog(soon(t), "corp")
	if class, hint := fault.Of(err); err == nil || fault.IsPermanent(err) || class != fault.Stream || !strings.Contains(hint, "has ended") {
		t.Errorf("%v (%s)", err, hint)
	}
}

// TestTokenIsNeverShown: neither by the service nor by a command, whatever happens and however much they log.
func TestTokenIsNeverShown(t *testing.T) {
	dir := t.TempDir()
	var log records
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	service := open(t, Config{StateDir: dir, Share: true, Logger: logger})
	token := readInvitation(t, dir).Token
	command := open(t, Config{StateDir: dir, Logger: logger, RetryFor: 100 * time.Millisecond})
	_, err := command.OpenLog(t.Context(), "corp")
	shown := fmt.Sprint(err)
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = command.OpenLog(t.Context(), "corp")
	shown += fmt.Sprint(err)
	if log.String() == "" || strings.Contains(log.String()+shown, token) {
		t.Errorf("%s\n%s", log.String(), shown)
	}
}

// records is a log that is written and read at the same time.
type records struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
