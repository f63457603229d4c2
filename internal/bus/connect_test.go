package bus

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"ldapsync/internal/fault"
)

func TestPasswordIsNeverShown(t *testing.T) {
	for _, url := range []string{
		"nats://ada:s3cret@127.0.0.1:1", "nats://ada:s3cret@127.0.0.1:1,nats://ada:s3cret@127.0.0.1:2", "ada:s3cret@127.0.0.1:1",
		"nats://s3cret@127.0.0.1:1", "nats://ada:%zzs3cret@127.0.0.1", "http://ada:s3cret@127.0.0.1", "nats://ada:x/s3cret@127.0.0.1:1",
		"nats://ada:s3cret\x7f@127.0.0.1", "nats://ada:1#s3cret@127.0.0.1", "nats://ada:s3cret@",
	} {
		_, err := Open(t.Context(), Config{URL: url, RetryFor: time.Millisecond})
		if err == nil {
			t.Fatalf("%s: opened", url)
		}
		class, hint := fault.Of(err)
		if strings.Contains(err.Error()+hint, "s3cret") {
			t.Errorf("%q shows the password", err)
		}
		if class != fault.Stream && class != fault.Usage || hint == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("class %v: %v (%s)", class, err, hint)
		}
	}
}

func TestWrongPasswordFailsAtOnce(t *testing.T) {
	o := newOutside(t, func(opts *server.Options) { opts.Username, opts.Password = "ada", "right" })
	url := strings.Replace(o.url(), "nats://", "nats://ada:wrong@", 1)
	_, err := Open(soon(t), Config{URL: url})
	if class, hint := fault.Of(err); !fault.IsPermanent(err) || class != fault.Stream || !strings.Contains(hint, "password") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v (%s)", err, hint)
	}
	open(t, Config{URL: strings.Replace(url, "wrong", "right", 1), RetryFor: time.Second})
}

func TestServerThatIsNotThereIsWaitedFor(t *testing.T) {
	o := newOutside(t, nil)
	o.stop()
	began := time.Now()
	_, err := Open(t.Context(), Config{URL: o.url(), RetryFor: 300 * time.Millisecond})
	if class, hint := fault.Of(err); err == nil || fault.IsPermanent(err) || class != fault.Stream || hint == "" {
		t.Errorf("%v (%s)", err, hint)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("gave up after %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Config{URL: o.url()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	opened, url := make(chan error), o.url()
	go func() {
		b, err := Open(soon(t), Config{URL: url}) // for ever
		if err == nil {
			err = b.Close()
		}
		opened <- err
	}()
	o.start()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestServerWithoutJetStream(t *testing.T) {
	o := newOutside(t, func(opts *server.Options) { opts.JetStream = false })
	_, err := Open(soon(t), Config{URL: o.url(), RetryFor: 300 * time.Millisecond})
	if _, hint := fault.Of(err); err == nil || !strings.Contains(hint, "-js") {
		t.Errorf("%v (%s)", err, hint)
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	o := newOutside(t, func(opts *server.Options) {
		opts.Users = []*server.User{{Username: "reader", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"$JS.API.INFO"}}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
		}}}
	})
	b := open(t, Config{URL: strings.Replace(o.url(), "nats://", "nats://reader:x@", 1)}) // for ever
	_, err := b.Log(soon(t), "corp")
	if class, hint := fault.Of(err); !fault.IsPermanent(err) || class != fault.Stream || !strings.Contains(strings.ToLower(err.Error()), "permission") || !strings.Contains(hint, "rights") {
		t.Errorf("%v (%s)", err, hint)
	}
}

func TestMissingRightToPublish(t *testing.T) {
	o := newOutside(t, func(opts *server.Options) {
		opts.Users = []*server.User{{Username: "admin", Password: "x"}, {Username: "reader", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"ldapsync.events.>"}},
		}}}
	})
	b := open(t, Config{URL: strings.Replace(o.url(), "nats://", "nats://reader:x@", 1)})
	l := openLog(t, b, "corp")
	l.Begin(0)
	_, err := l.Publish(soon(t), numbered(1))
	if err == nil {
		_, err = l.Flush(soon(t))
	}
	if class, hint := fault.Of(err); !fault.IsPermanent(err) || class != fault.Stream || !strings.Contains(err.Error(), "ldapsync.events.corp.user.upserted") {
		t.Errorf("%v (%s)", err, hint)
	}
}

func TestCredentialsFile(t *testing.T) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	claims := jwt.NewUserClaims(public)
	token, err := claims.Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	b := &Bus{cfg: Config{Credentials: func() ([]byte, error) { asked++; return bytes.Clone(creds), nil }}}
	if got, err := b.userJWT(); err != nil || got != token {
		t.Errorf("%q, %v", got, err)
	}
	signature, err := b.sign([]byte("nonce"))
	if err != nil {
		t.Fatal(err)
	}
	if err := user.Verify([]byte("nonce"), signature); err != nil || asked != 2 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	b.cfg.Credentials = func() ([]byte, error) { return []byte("s3cret, but no credentials"), nil }
	if _, err := b.userJWT(); !errors.Is(err, errCredentials) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

func TestConfigurationWithoutAServer(t *testing.T) {
	for _, cfg := range []Config{{}, {URL: "nats://localhost", Listen: "127.0.0.1:0"}, {StateDir: t.TempDir(), Listen: "4222"}, {StateDir: t.TempDir(), Replicas: 9}} {
		if _, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		} else if class, hint := fault.Of(err); class != fault.Usage || hint == "" {
			t.Errorf("%v (%s)", err, hint)
		}
	}
}
