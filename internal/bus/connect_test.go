package bus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

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
	opened := make(chan error)
	go func() {
		b, err := Open(soon(t), Config{URL: o.url()}) // for ever
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
	b := open(t, Config{URL: strings.Replace(o.url(), "nats://", "nats://reader:x@", 1), RetryFor: time.Second})
	_, err := b.Log(soon(t), "corp")
	if class, hint := fault.Of(err); err == nil || class != fault.Stream || !strings.Contains(strings.ToLower(err.Error()), "permission") || !strings.Contains(hint, "rights") {
		t.Errorf("%v (%s)", err, hint)
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
