package ldap_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// TestIncompleteListingIsAnError is rule 1's first half: whatever cuts a listing ends it with an error.
func TestIncompleteListingIsAnError(t *testing.T) {
	const size, admin, timeLimit, busy, other = 4, 11, 3, 51, 80
	fail := func(code int) func(*fakeConn, request) { return func(c *fakeConn, r request) { c.done(r, code) } }
	for name, tt := range map[string]struct {
		second    func(c *fakeConn, r request) // what the second page brings
		permanent bool
		words     string
	}{
		"cut between pages":        {func(c *fakeConn, r request) { c.Close() }, false, "connection was lost"},
		"cut within a page":        {func(c *fakeConn, r request) { c.user(r, "u3"); c.Close() }, false, "connection was lost"},
		"cut within a message":     {func(c *fakeConn, r request) { _, _ = c.Write([]byte{0x30, 0x50, 2, 1}); c.Close() }, false, "connection was lost"},
		"garbage":                  {func(c *fakeConn, r request) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() }, false, "can't be read"},
		"page without its control": {func(c *fakeConn, r request) { c.user(r, "u3"); c.done(r, 0) }, false, "without its paging control"},
		"size limit":               {func(c *fakeConn, r request) { c.user(r, "u3"); c.done(r, size) }, true, "size limit exceeded (4)"},
		"size limit with control": {func(c *fakeConn, r request) {
			c.user(r, "u3")
			c.result(r, goldap.ApplicationSearchResultDone, size, "", goldap.NewControlPaging(0))
		}, true, "size limit exceeded (4)"},
		"time limit":   {fail(timeLimit), false, "time limit exceeded (3)"},
		"admin limit":  {fail(admin), true, "limits"},
		"busy":         {fail(busy), false, "busy (51)"},
		"other":        {fail(other), false, "other (80)"},
		"unknown code": {fail(999), false, "unknown result (999)"},
		"referral":     {fail(goldap.LDAPResultReferral), true, "another server"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.search = func(c *fakeConn, r request) {
				if r.cookie == "" {
					c.user(r, "u1")
					c.user(r, "u2")
					c.page(r, "next")
					return
				}
				tt.second(c, r)
			}
			got, err := collect(open(t, f.config()).Users(t.Context()))
			wantFault(t, err, fault.Directory, tt.permanent, tt.words)
			if len(got) != 2 {
				t.Errorf("%d users before the error", len(got))
			}
		})
	}
}

func TestFirstPageWithoutControlIsAnError(t *testing.T) {
	f := newFake(t)
	f.search = func(c *fakeConn, r request) { c.user(r, "u1"); c.done(r, 0) }
	_, err := collect(open(t, f.config()).Users(t.Context()))
	wantFault(t, err, fault.Directory, false, "paging control")
}

func TestEmptyPageIsNotTheLast(t *testing.T) {
	f := newFake(t)
	f.search = func(c *fakeConn, r request) {
		switch r.cookie {
		case "":
			c.page(r, "2")
		case "2":
			c.user(r, "u1")
			c.page(r, "")
		}
	}
	if got := users(t, open(t, f.config())); len(got) != 1 || got[0].ID != "id-u1" {
		t.Errorf("%+v", got)
	}
}

func TestServerWithoutPagingIsReadAtOnce(t *testing.T) {
	f := newFake(t)
	f.root["supportedControl"] = nil
	f.search = func(c *fakeConn, r request) {
		if len(r.controls) > 0 {
			t.Errorf("controls %v", r.controls)
		}
		c.user(r, "u1")
		c.done(r, 0)
	}
	if got := users(t, open(t, f.config())); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestReferencesAreSkipped(t *testing.T) {
	elsewhere, f := newFake(t), newFake(t)
	f.search = func(c *fakeConn, r request) {
		c.reference(r, elsewhere.uri+"/dc=example,dc=org")
		c.user(r, "u1")
		c.reference(r, elsewhere.uri+"/dc=example,dc=org")
		c.page(r, "")
	}
	if got := users(t, open(t, f.config())); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if elsewhere.connections > 0 {
		t.Error("a reference was followed")
	}
}

func TestRefusedStartTLSIsNeverPlainText(t *testing.T) {
	for name, tt := range map[string]struct {
		extended  func(c *fakeConn, r request)
		permanent bool
		words     string
	}{
		"unsupported": {func(c *fakeConn, r request) { c.result(r, goldap.ApplicationExtendedResponse, 2, "unsupported") }, true, "refuses StartTLS: protocol error (2): unsupported"},
		"unavailable": {func(c *fakeConn, r request) { c.result(r, goldap.ApplicationExtendedResponse, 52, "") }, true, "refuses StartTLS"},
		"closed":      {func(c *fakeConn, r request) { c.Close() }, false, "StartTLS"},
		"no TLS": {func(c *fakeConn, r request) {
			c.result(r, goldap.ApplicationExtendedResponse, 0, "")
			c.result(r, goldap.ApplicationExtendedResponse, 0, "")
		}, true, "doesn't speak TLS"},
		"stalled": {stall, false, "in time"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.extended = tt.extended
			cfg := f.config()
			cfg.StartTLS = true
			if !tt.permanent {
				cfg.RetryFor = 100 * time.Millisecond
			}
			_, err := tryOpen(t, cfg)
			wantFault(t, err, fault.Directory, tt.permanent, tt.words)
			if n := len(f.requests(goldap.ApplicationBindRequest)); n > 0 {
				t.Error("the password was sent without TLS")
			}
		})
	}
}

func TestCancelledContextEndsAStalledSearch(t *testing.T) {
	f := newFake(t)
	reached := make(chan struct{})
	f.search = func(c *fakeConn, r request) { c.user(r, "u1"); close(reached); stall(c, r) }
	s := open(t, f.config())
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	got, err := collect(s.Users(ctx))
	if !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := collect(s.Users(t.Context())); err == nil {
		t.Error("the connection is used again")
	}
	_ = s.Close() // and doesn't hang
}

func TestCancelledContextBeforeASearch(t *testing.T) {
	f := newFake(t)
	s := open(t, f.config())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := collect(s.Users(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSilentServer(t *testing.T) {
	f := newFake(t)
	f.search = func(c *fakeConn, r request) { c.user(r, "u1"); stall(c, r) }
	cfg := f.config()
	cfg.Timeouts.Answer = 50 * time.Millisecond
	_, err := collect(open(t, cfg).Users(t.Context()))
	wantFault(t, err, fault.Directory, false, "stopped answering", "50ms")
}

func TestSlowServerIsNotSilent(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.search = func(c *fakeConn, r request) {
		for i := range 10 {
			time.Sleep(120 * time.Millisecond) // slower in all than the limit, which counts silence alone
			c.user(r, fmt.Sprint("u", i))
		}
		c.page(r, "")
	}
	cfg := f.config()
	cfg.Timeouts.Answer = time.Second
	s := open(t, cfg)
	time.Sleep(1100 * time.Millisecond) // nothing is awaited: silence is right
	if got := users(t, s); len(got) != 10 {
		t.Errorf("%+v", got)
	}
}

func TestStalledBind(t *testing.T) {
	f := newFake(t)
	f.bind = stall
	cfg := f.config()
	cfg.RetryFor = 100 * time.Millisecond
	_, err := tryOpen(t, cfg)
	wantFault(t, err, fault.Directory, false, "bind")
}

func TestCancelledOpen(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.bind = func(c *fakeConn, r request) { cancel(); stall(c, r) }
	cfg := f.config()
	cfg.RetryFor = 0
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestWrongPasswordIsSentOnce: two servers, and time to retry; an account is locked after a few.
func TestWrongPasswordIsSentOnce(t *testing.T) {
	one, two := newFake(t), newFake(t)
	for _, f := range []*fake{one, two} {
		f.bind = func(c *fakeConn, r request) {
			c.result(r, goldap.ApplicationBindResponse, 49, "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 775, v3839\x00")
		}
	}
	cfg := one.config()
	cfg.URIs = append(cfg.URIs, two.uri)
	cfg.RetryFor = time.Minute
	_, err := tryOpen(t, cfg)
	wantFault(t, err, fault.Directory, true, "the account is locked", "invalid credentials (49)", "data 775, v3839")
	if n := len(one.requests(goldap.ApplicationBindRequest)) + len(two.requests(goldap.ApplicationBindRequest)); n != 1 {
		t.Errorf("%d binds", n)
	}
}

func TestWhatBindMayAnswer(t *testing.T) {
	for diagnostic, tt := range map[string]struct {
		code      int
		permanent bool
		words     string
	}{
		"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1":            {49, true, "wrong password"},
		"AcceptSecurityContext error, data 532, v1db1":                                                       {49, true, "expired"},
		"AcceptSecurityContext error, data 533, v1db1":                                                       {49, true, "disabled"},
		"00002028: LdapErr: DSID-0C0903CB, comment: The server requires binds to turn on integrity checking": {8, true, "use ldaps"},
		"TLS confidentiality required":                                                                       {13, true, "use ldaps"},
		"no":                                                                                                 {53, true, "refuses"},
		"later":                                                                                              {51, false, "will be back"},
	} {
		f := newFake(t)
		f.bind = func(c *fakeConn, r request) { c.result(r, goldap.ApplicationBindResponse, tt.code, diagnostic) }
		cfg := f.config()
		if !tt.permanent {
			cfg.RetryFor = 100 * time.Millisecond
		}
		_, err := tryOpen(t, cfg)
		wantFault(t, err, fault.Directory, tt.permanent, tt.words, diagnostic)
	}
}

func TestPlainPasswordIsWarnedOf(t *testing.T) {
	f := newFake(t)
	var log bytes.Buffer
	cfg := f.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	open(t, cfg)
	if log.Len() > 0 {
		t.Errorf("on loopback: %s", &log)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(f.uri, "ldap://"))
	cfg.URIs = []string{"ldap://0.0.0.0:" + port} // this host, by an address that isn't known as such
	open(t, cfg)
	if !strings.Contains(log.String(), "level=WARN msg=\"the bind password crosses the network in plain text") {
		t.Errorf("no warning: %s", &log)
	}
	if strings.Contains(log.String(), "reading") {
		t.Error("the password is in the log")
	}
}

// Rule 8 of the design.
func TestRule8UnverifiedCertificateIsWarnedOf(t *testing.T) {
	c := newCompany(t)
	var log bytes.Buffer
	cfg := c.config()
	cfg.URIs, cfg.TLS = []string{c.LDAPSURI}, &tls.Config{InsecureSkipVerify: true}
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	open(t, cfg)
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "NOT verified") {
		t.Errorf("no warning: %s", &log)
	}
}

func TestUnknownServerIsProbedForItsID(t *testing.T) {
	for _, has := range []string{"nsUniqueId", ""} {
		f := newFake(t)
		f.root["objectClass"] = nil
		f.search = func(c *fakeConn, r request) {
			switch {
			case r.scope == 0:
				c.entry(r, r.base, attributes{has: {"1"}})
				c.done(r, 0)
			case strings.Contains(r.filter, "(|"):
				if want := "(&(objectClass=person)(|(uid=ada)(uid=b\\2ab)))"; has == "" && r.filter != want {
					t.Errorf("filter %s", r.filter)
				}
				c.user(r, "ada")
				c.done(r, 0)
			default:
				c.user(r, "ada")
				c.page(r, "")
			}
		}
		cfg := f.config()
		cfg.UsernameAttributes = []string{"uid"}
		s := open(t, cfg)
		if got := s.Info().Question.GetIdAttribute(); got != has {
			t.Errorf("id attribute %q, want %q", got, has)
		}
		got := users(t, s)
		if has == "" && (got[0].ID != "" || got[0].Skip != "") || has != "" && got[0].Skip != "it has no nsUniqueId" {
			t.Errorf("%+v", got)
		}
		if found, err := s.Lookup(t.Context(), proto.KindUser, []string{"ada", "b*b"}); err != nil || len(found) != 1 {
			t.Errorf("%v, %v", found, err)
		}
		if _, err := s.Lookup(t.Context(), proto.KindGroup, []string{"x"}); has == "" {
			wantFault(t, err, fault.Usage, true, "no id attribute")
		}
	}
}
