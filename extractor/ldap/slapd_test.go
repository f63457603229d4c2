package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// company is a slapd with some people and groups.
type company struct {
	*testenv.SlapdServer
	t *testing.T
}

func newCompany(t *testing.T, directives ...string) *company {
	t.Helper()
	return &company{testenv.Slapd(t, directives...), t}
}

func (c *company) person(uid string) string { return "uid=" + uid + ",ou=people," + c.BaseDN }
func (c *company) group(cn string) string   { return "cn=" + cn + ",ou=groups," + c.BaseDN }

// hire adds people.
func (c *company) hire(uids ...string) {
	c.t.Helper()
	var ldif strings.Builder
	for _, uid := range uids {
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: %s\nmail: %s@example.org\n\n", c.person(uid), uid, uid, uid, uid)
	}
	c.Add(ldif.String())
}

// form adds a group.
func (c *company) form(cn string, uids ...string) {
	c.t.Helper()
	ldif := "dn: " + c.group(cn) + "\nobjectClass: groupOfNames\ncn: " + cn + "\n"
	for _, uid := range uids {
		ldif += "member: " + c.person(uid) + "\n"
	}
	c.Add(ldif)
}

// config reads the company as its sync account.
func (c *company) config() ldap.Config {
	cfg := ldap.DefaultConfig()
	cfg.URIs = []string{c.URI}
	cfg.BindDN = c.BindDN
	cfg.Password = func() (string, error) { return c.Password, nil }
	cfg.Bases = []string{c.BaseDN}
	cfg.UserFilter = "(objectClass=inetOrgPerson)"
	cfg.GroupFilter = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
	cfg.UserAttributes = []string{"uid", "givenName", "sn", "mail"}
	cfg.GroupAttributes = []string{"cn"}
	cfg.RetryFor = 5 * time.Second
	return cfg
}

func open(t *testing.T, cfg ldap.Config) extractor.Session {
	t.Helper()
	s, err := tryOpen(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(t *testing.T, cfg ldap.Config) (extractor.Session, error) {
	t.Helper()
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(t.Context(), "")
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func users(t *testing.T, s extractor.Session) []extractor.Record {
	t.Helper()
	records, err := collect(s.Users(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func collect(list func(func([]extractor.Record, error) bool)) ([]extractor.Record, error) {
	var all []extractor.Record
	for records, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// value returns an attribute's first value.
func value(r extractor.Record, name string) string {
	for _, a := range r.Attributes {
		if a.Name == name {
			return string(a.Values[0])
		}
	}
	return ""
}

// wantFault checks class, permanence and words of an error, and that it is one line with a hint and without the password.
func wantFault(t *testing.T, err error, class fault.Class, permanent bool, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	got, hint := fault.Of(err)
	text := err.Error()
	if got != class || hint == "" || fault.IsPermanent(err) != permanent || strings.Contains(text, "\n") || strings.Contains(text+hint, "reading") {
		t.Errorf("class %v, permanent %v: %s\nhint: %s", got, fault.IsPermanent(err), text, hint)
	}
	for _, word := range words {
		if !strings.Contains(text+"\n"+hint, word) {
			t.Errorf("no %q in: %s\nhint: %s", word, text, hint)
		}
	}
}

func TestListsUsersInPages(t *testing.T) {
	c := newCompany(t)
	var uids []string
	for i := range 25 {
		uids = append(uids, fmt.Sprintf("user%02d", i))
	}
	c.hire(uids...)
	for _, size := range []int{1, 10, 25, 1000} {
		cfg := c.config()
		cfg.PageSize = size
		s := open(t, cfg)
		got := users(t, s)
		if len(got) != 25 {
			t.Errorf("page size %d: %d users", size, len(got))
		}
		for i, r := range got {
			if value(r, "uid") != uids[i] || r.DN != c.person(uids[i]) || len(r.ID) != 36 || r.Skip != "" || r.UID != uids[i] {
				t.Fatalf("page size %d: %+v", size, r)
			}
		}
	}
}

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

func TestEntryWithoutIDIsSkippedByItself(t *testing.T) {
	c := newCompany(t)
	c.hire("ada", "bob")
	c.Modify("dn: " + c.person("bob") + "\nchangetype: modify\nadd: employeeNumber\nemployeeNumber: 7\n")
	cfg := c.config()
	cfg.IDAttribute = "employeeNumber"
	got := users(t, open(t, cfg))
	if len(got) != 2 || got[0].ID != "" || got[0].Skip != "it has no employeeNumber" || got[1].ID != "7" || got[1].Skip != "" {
		t.Errorf("%+v", got)
	}
}

func TestAttributeNames(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	c.Modify("dn: " + c.person("ada") + `
changetype: modify
add: givenName
givenName: Ada
givenName: Augusta
-
add: cn;lang-fr
cn;lang-fr: Comtesse
-
add: jpegPhoto
jpegPhoto:: /9gAAQ==
`)
	cfg := c.config()
	cfg.UserAttributes = []string{"GIVENNAME", "surname", "cn;LANG-fr", "cn", "jpegPhoto", "title", "noSuchAttribute"}
	r := users(t, open(t, cfg))[0]
	var got []string
	for _, a := range r.Attributes {
		got = append(got, fmt.Sprintf("%s=%q", a.Name, a.Values))
	}
	want := `GIVENNAME=["Ada" "Augusta"] surname=["ada"] cn;LANG-fr=["Comtesse"] cn=["ada"] jpegPhoto=["\xff\xd8\x00\x01"]`
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func TestGroupsNameTheirMembers(t *testing.T) {
	c := newCompany(t)
	c.hire("ada", "bob")
	c.form("engineers", "ada", "bob")
	c.Add("dn: " + c.group("unique") + "\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: " + c.person("ada") + "#'0101'B\n")
	c.Add("dn: " + c.group("posix") + "\nobjectClass: posixGroup\ncn: posix\ngidNumber: 5\nmemberUid: bob\n")
	s := open(t, c.config())
	got, err := collect(s.Groups(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || value(got[0], "cn") != "engineers" || strings.Join(got[0].Members, " ") != c.person("ada")+" "+c.person("bob") ||
		strings.Join(got[1].Members, " ") != c.person("ada") || strings.Join(got[2].MemberUIDs, " ") != "bob" || len(got[2].ID) != 36 {
		t.Errorf("%+v", got)
	}

	for _, r := range users(t, s) {
		groups, err := s.GroupsOf(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range groups {
			names = append(names, value(g, "cn"))
		}
		want := map[string]string{"ada": "engineers", "bob": "engineers posix"}[r.UID]
		if strings.Join(names, " ") != want {
			t.Errorf("%s is in %v, want %s", r.UID, names, want)
		}
	}
}

func TestMemberOf(t *testing.T) {
	c := newCompany(t)
	c.hire("ada", "bob")
	c.form("engineers", "ada")
	cfg := c.config()
	cfg.MemberAttributes = []string{"MemberOf"}
	s := open(t, cfg)
	got := users(t, s)
	if strings.Join(got[0].MemberOf, " ") != c.group("engineers") || got[1].MemberOf != nil {
		t.Errorf("%+v", got)
	}
	for i, want := range []int{1, 0} {
		groups, err := s.GroupsOf(t.Context(), got[i])
		if err != nil || len(groups) != want || want == 1 && (value(groups[0], "cn") != "engineers" || groups[0].Members != nil) {
			t.Errorf("%s: %+v, %v", got[i].DN, groups, err)
		}
	}
}

func TestGroupByDN(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	c.form("engineers", "ada")
	cfg := c.config()
	cfg.GroupFilter = "" // whether or not it matches
	s := open(t, cfg)
	g, err := s.Group(t.Context(), strings.ToUpper(c.group("engineers")))
	if err != nil || strings.Join(g.Members, "") != c.person("ada") {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := s.Group(t.Context(), c.group("nobody")); !errors.Is(err, proto.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if groups, err := collect(s.Groups(t.Context())); err != nil || groups != nil {
		t.Errorf("without a filter: %v, %v", groups, err)
	}
}

func TestLookupFindsWhoIsThere(t *testing.T) {
	c := newCompany(t)
	var uids, ids []string
	for i := range 230 {
		uids = append(uids, fmt.Sprintf("user%03d", i))
	}
	c.hire(uids...)
	cfg := c.config()
	cfg.PageSize = 50
	s := open(t, cfg)
	for _, r := range users(t, s) {
		ids = append(ids, r.ID)
	}
	c.Delete(c.person("user007"))
	c.Rename(c.person("user008"), "uid=renamed")
	c.Modify("dn: " + c.person("user009") + "\nchangetype: modify\nreplace: sn\nsn: leaver\n")
	found, err := s.Lookup(t.Context(), proto.KindUser, append(ids, "00000000-0000-0000-0000-000000000000", "*", "no)(such"))
	if err != nil || len(found) != 229 {
		t.Fatalf("%d found, %v", len(found), err)
	}
	if found[7].DN != c.person("renamed") || found[7].ID != ids[8] {
		t.Errorf("%+v", found[7])
	}

	cfg.UserFilter = "(&(objectClass=inetOrgPerson)(!(sn=leaver)))"
	if found, err := open(t, cfg).Lookup(t.Context(), proto.KindUser, ids[8:10]); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v: who left the filter isn't found", found, err)
	}
}

func TestSeveralBasesAndScopes(t *testing.T) {
	c := newCompany(t)
	c.Add("dn: ou=guests," + c.BaseDN + "\nobjectClass: organizationalUnit\nou: guests\n")
	c.hire("ada")
	c.Add("dn: uid=eve,ou=guests," + c.BaseDN + "\nobjectClass: inetOrgPerson\nuid: eve\ncn: eve\nsn: eve\n")
	for _, tt := range []struct {
		scope string
		want  int
		bases []string
	}{
		{"sub", 2, []string{"ou=people," + c.BaseDN, "ou=guests," + c.BaseDN}},
		{"one", 0, []string{c.BaseDN}},
		{"one", 1, []string{c.BaseDN, "ou=guests," + c.BaseDN}},
		{"base", 1, []string{c.person("ada")}},
	} {
		cfg := c.config()
		cfg.Scope, cfg.Bases = tt.scope, tt.bases
		s := open(t, cfg)
		got := users(t, s)
		if len(got) != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
		for _, r := range got {
			if found, err := s.Lookup(t.Context(), proto.KindUser, []string{r.ID}); err != nil || len(found) != 1 {
				t.Errorf("lookup of %s: %v, %v", r.DN, found, err)
			}
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

func TestSizeLimitIsAnError(t *testing.T) {
	c := newCompany(t, `limits dn.exact="cn=small,dc=example,dc=org" size=5`)
	c.Add("dn: cn=small," + c.BaseDN + "\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: small\nuserPassword: reading\n")
	c.hire("u1", "u2", "u3", "u4", "u5", "u6", "u7")
	cfg := c.config()
	cfg.BindDN = "cn=small," + c.BaseDN
	cfg.PageSize = 2
	got, err := collect(open(t, cfg).Users(t.Context()))
	wantFault(t, err, fault.Directory, true, "size limit", "limits dn.exact")
	if len(got) >= 7 {
		t.Errorf("%d users", len(got))
	}
}

func TestFailover(t *testing.T) {
	c := newCompany(t)
	c.hire("ada")
	cfg := c.config()
	cfg.URIs = []string{"ldap://127.0.0.1:1", "ldap://no-such-host.invalid", c.URI}
	s := open(t, cfg)
	if got := s.Info().Server; got != c.URI || len(users(t, s)) != 1 {
		t.Errorf("%s answers", got)
	}

	cfg.URIs, cfg.RetryFor = cfg.URIs[:2], 10*time.Millisecond
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

func TestServerStoppedBetweenPages(t *testing.T) {
	c := newCompany(t)
	c.hire("u1", "u2", "u3", "u4", "u5")
	cfg := c.config()
	cfg.PageSize = 2
	s := open(t, cfg)
	var read int
	var failed error
	for records, err := range s.Users(t.Context()) {
		if read == 0 && err == nil {
			c.Stop()
		}
		read += len(records)
		failed = err
	}
	wantFault(t, failed, fault.Directory, false, "connection was lost")
	if read != 2 {
		t.Errorf("%d users", read)
	}
	// And whatever is asked next fails as well.
	if got, err := collect(s.Users(t.Context())); err == nil {
		t.Errorf("a closed connection gave %d users and no error", len(got))
	}
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
