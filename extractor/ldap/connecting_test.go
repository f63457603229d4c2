package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestInfoTellsTheQuestion(t *testing.T) {
	c := newCompany(t)
	cfg := c.config()
	cfg.Bases = []string{"ou=people," + c.BaseDN, "OU=Groups," + c.BaseDN}
	got := open(t, cfg).Info()
	q := got.Question
	if got.Server != c.URI || q.GetIdAttribute() != "entryUUID" || q.GetNamingContext() != c.BaseDN || q.GetScope() != "sub" ||
		strings.Join(q.GetAttributes(), " ") != "cn entryuuid givenname mail member memberuid sn uid uniquemember" {
		t.Errorf("%+v", got)
	}
}

func TestPinnedIDAttributeStays(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	for _, tt := range []struct{ configured, pinned, want, id string }{
		{"", "uid", "uid", "ada"}, {"mail", "uid", "mail", "ada@example.org"},
	} {
		cfg := c.config()
		cfg.IDAttribute = tt.configured
		d, err := ldap.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Open(t.Context(), tt.pinned)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := users(t, s); s.Info().Question.GetIdAttribute() != tt.want || got[0].ID != tt.id {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

func TestWaysToConnect(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	trusted := &tls.Config{RootCAs: c.CA, MinVersion: tls.VersionTLS12}
	withClient := trusted.Clone()
	withClient.Certificates = []tls.Certificate{c.ClientCert}
	for name, change := range map[string]func(*ldap.Config){
		"plain":     func(*ldap.Config) {},
		"starttls":  func(cfg *ldap.Config) { cfg.StartTLS, cfg.TLS = true, trusted },
		"ldaps":     func(cfg *ldap.Config) { cfg.URIs, cfg.TLS = []string{c.LDAPSURI}, trusted },
		"ldapi":     func(cfg *ldap.Config) { cfg.URIs = []string{c.LDAPIURI} },
		"anonymous": func(cfg *ldap.Config) { cfg.BindDN = "" },
		"external":  func(cfg *ldap.Config) { cfg.URIs, cfg.BindDN, cfg.SASLExternal = []string{c.LDAPIURI}, "", true },
		"external, tls": func(cfg *ldap.Config) {
			cfg.URIs, cfg.TLS, cfg.BindDN, cfg.SASLExternal = []string{c.LDAPSURI}, withClient, "", true
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := c.config()
			change(&cfg)
			if got := users(t, open(t, cfg)); len(got) != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRefusedConnections(t *testing.T) {
	c := newCompany(t)
	for name, tt := range map[string]struct {
		change func(*ldap.Config)
		words  []string
	}{
		"wrong password": {func(cfg *ldap.Config) { cfg.Password = func() (string, error) { return "wrong", nil } }, []string{"cn=sync", "wrong password"}},
		"unknown CA": {func(cfg *ldap.Config) {
			cfg.URIs, cfg.TLS = []string{c.LDAPSURI}, &tls.Config{RootCAs: x509.NewCertPool()}
		}, []string{"unknown CA"}},
		"unknown CA, later": {func(cfg *ldap.Config) { cfg.StartTLS = true }, []string{"unknown CA"}},
		"another name": {func(cfg *ldap.Config) {
			cfg.StartTLS, cfg.TLS = true, &tls.Config{RootCAs: c.CA, ServerName: "dc1.example.org"}
		}, []string{"isn't for dc1.example.org"}},
		"no such base":   {func(cfg *ldap.Config) { cfg.Bases = []string{c.BaseDN[:len(c.BaseDN)-1] + "x"} }, []string{"dc=orx doesn't exist", "the server holds: dc=example,dc=org"}},
		"below the base": {func(cfg *ldap.Config) { cfg.Bases = []string{"ou=nowhere," + c.BaseDN} }, []string{"ou=nowhere", "the server holds: dc=example,dc=org"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := c.config()
			cfg.RetryFor = time.Minute
			tt.change(&cfg)
			before := time.Now()
			_, err := tryOpen(t, cfg)
			wantFault(t, err, fault.Directory, true, tt.words...)
			if time.Since(before) > 10*time.Second {
				t.Error("it was retried")
			}
		})
	}
}

func TestTLSOnThePlainPort(t *testing.T) {
	c := newCompany(t)
	cfg := c.config()
	cfg.URIs, cfg.RetryFor = []string{strings.Replace(c.URI, "ldap:", "ldaps:", 1)}, 10*time.Millisecond
	_, err := tryOpen(t, cfg) // slapd closes the connection without a word
	wantFault(t, err, fault.Directory, false, "TLS", "on this port")
}

func TestServerWantsConfidentiality(t *testing.T) {
	c := newCompany(t, "security simple_bind=64")
	_, err := tryOpen(t, c.config())
	wantFault(t, err, fault.Directory, true, "confidentiality", "StartTLS")
}

func TestEmptyPasswordIsRefused(t *testing.T) {
	c := newCompany(t)
	cfg := c.config()
	cfg.Password = func() (string, error) { return "", nil }
	_, err := tryOpen(t, cfg)
	wantFault(t, err, fault.Usage, true, "password of cn=sync", "is empty")
}

func TestFailover(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	cfg := c.config()
	cfg.URIs = []string{"ldap://127.0.0.1:1", "ldap://no-such-host.invalid", c.URI}
	cfg.RetryFor = time.Minute // a resolver may take its time to say no
	s := open(t, cfg)
	if got := s.Info().Server; got != c.URI || len(users(t, s)) != 1 {
		t.Errorf("%s answers", got)
	}

	cfg.URIs, cfg.RetryFor = cfg.URIs[:2], 500*time.Millisecond
	_, err := tryOpen(t, cfg)
	wantFault(t, err, fault.Directory, false, "none of the servers answers", "ldap://127.0.0.1:1", "connection refused", "ldap://no-such-host.invalid")
}

func TestOpenWaitsForTheServer(t *testing.T) {
	c := newCompany(t)
	c.Stop()
	cfg := c.config()
	cfg.RetryFor = 0
	refused := make(chan struct{}, 100)
	cfg.Logger = slog.New(notify{slog.DiscardHandler, refused})
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error)
	go func() {
		s, err := d.Open(t.Context(), "")
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	<-refused
	c.Start()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// notify tells of each warning.
type notify struct {
	slog.Handler
	c chan struct{}
}

func (n notify) Enabled(context.Context, slog.Level) bool { return true }
func (n notify) WithAttrs([]slog.Attr) slog.Handler       { return n }
func (n notify) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		n.c <- struct{}{}
	}
	return nil
}

// TestDebugLogIsPasteable runs the logged commands in a shell.
func TestDebugLogIsPasteable(t *testing.T) {
	c := newCompany(t)
	c.hire("ada", "o'brien")
	for name, change := range map[string]func(*ldap.Config){
		"simple, StartTLS": func(cfg *ldap.Config) { cfg.StartTLS, cfg.TLS = true, &tls.Config{RootCAs: c.CA} },
		"external":         func(cfg *ldap.Config) { cfg.URIs, cfg.BindDN, cfg.SASLExternal = []string{c.LDAPIURI}, "", true },
		"anonymous":        func(cfg *ldap.Config) { cfg.BindDN, cfg.PageSize = "", 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := c.config()
			change(&cfg)
			cfg.UserFilter = "(&(objectClass=inetOrgPerson)(uid=o'b*))"
			var commands []string
			cfg.Logger = slog.New(record{slog.DiscardHandler, &commands})
			s := open(t, cfg)
			ids := []string{users(t, s)[0].ID}
			if _, err := s.Lookup(t.Context(), proto.KindUser, ids); err != nil {
				t.Fatal(err)
			}
			if len(commands) != 2 {
				t.Fatalf("%q", commands)
			}
			for _, command := range commands {
				if strings.Contains(command, c.Password) {
					t.Errorf("the password is in %s", command)
				}
				sh := exec.Command("sh", "-c", strings.Replace(command, " -W", " -w "+c.Password, 1))
				sh.Env = append(os.Environ(), "LDAPTLS_CACERT="+c.CAFile)
				out, err := sh.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "mail: o'brien@example.org") || strings.Contains(string(out), "ada") {
					t.Errorf("%s\n%v: %s", command, err, out)
				}
			}
		})
	}
}

// record keeps the commands that are logged.
type record struct {
	slog.Handler
	commands *[]string
}

func (r record) Enabled(context.Context, slog.Level) bool { return true }
func (r record) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r record) Handle(_ context.Context, e slog.Record) error {
	e.Attrs(func(a slog.Attr) bool {
		if a.Key == "command" {
			*r.commands = append(*r.commands, a.Value.String())
		}
		return true
	})
	return nil
}

func TestClosedSession(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	s := open(t, c.config())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, err := collect(s.Users(t.Context())); err == nil {
		t.Errorf("%d users and no error", len(got))
	}
	if _, err := s.Lookup(t.Context(), proto.KindUser, []string{"x"}); err == nil {
		t.Error("lookup without an error")
	}
	if _, err := s.Group(t.Context(), c.group("x")); err == nil || errors.Is(err, proto.ErrNotFound) {
		t.Errorf("group: %v", err)
	}
}
