package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"ldapsync/internal/fault"
)

// load writes the file, if any, into a fresh directory and loads it with the environment.
func load(t *testing.T, file string, environ ...string) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if file != "" {
		if err := os.WriteFile("ldapsync.yaml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(Options{Environ: append([]string{"HOME=/home/ada"}, environ...)})
}

func mustLoad(t *testing.T, file string, environ ...string) *Config {
	t.Helper()
	c, err := load(t, file, environ...)
	if err != nil {
		_, hint := fault.Of(err)
		t.Fatalf("%v (%s)", err, hint)
	}
	return c
}

const full = `
state: /var/lib/ldapsync
nats: {url: "nats://sync:secret@nats:4222", creds_file: /run/creds}
sources:
  corp:
    uri: [ldap://dc1.example.com, "ldap://dc2.example.com:3389"]
    starttls: true
    tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}
    bind: {dn: "CN=Django,DC=example,DC=com", password: hush}
    base: "DC=example,DC=com"
    scope: one
    users:
      filter: >-
        (&
          (objectClass=user)
          (!(cn=x)) )
      extra: [userAccountControl]
    groups: {filter: objectClass=group, extra: description, members: [member], nested: true}
    flags: {staff: "CN=Admins,DC=example,DC=com", superuser: {group: "CN=Root,DC=example,DC=com"}, active: {attribute: userAccountControl, not_bit: 2}}
    id: objectGUID
    page_size: 500
    encoding: json
    interval: 5m
    retry: {for: 1m}
    limits: {window: 12h, superusers: {count: 0, percent: 0, most: 3, all: 0}, groups: off}
    history: {full_every: 1d12h, keep: 30d}
targets:
  default:
    source: corp
    database: postgres://app:hush@db/app
    users:
      table: people
      username_field: login
      attributes:
        sAMAccountName: {field: login, lower: true, trim: true}
        givenName: first_name
        mail: [{field: email, or: [proxyAddresses, userPrincipalName], default: none@example.com}, backup_email]
        employeeType: {field: is_manager, bool: {equals: [manager, boss]}}
      defaults: {language: en, shoe_size: 42, newsletter: false}
      columns: {active: enabled}
    groups: {attributes: {cn: name}, membership: false, on_removed: delete}
    adopt: {existing: false, privileged: true}
    removal: {scope: all, exclude: [svc-*], grace: 7d, missing: deactivate, callbacks: [deactivate, delete],
      delete: {after: 30d, references: {shop_order.customer_id: set_null}}, delete_by_username: true}
    verify: 12h
    outcomes: true
    encoding: json
`

func TestFileGivesEverySetting(t *testing.T) {
	c := mustLoad(t, full)
	fallback := "none@example.com"
	limits := defaultLimits()
	limits.Window, limits.Superusers, limits.Groups.On = 12*time.Hour, Limit{Most: 3, On: true}, false
	corp := Source{
		Name: "corp", URIs: []string{"ldap://dc1.example.com", "ldap://dc2.example.com:3389"}, StartTLS: true,
		TLS:   TLS{CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem"},
		Bind:  Bind{DN: "CN=Django,DC=example,DC=com", Password: NewSecret("hush")},
		Bases: []string{"DC=example,DC=com"}, Scope: "one",
		Users:  SourceUsers{Filter: "(&(objectClass=user)(!(cn=x)))", Extra: []string{"userAccountControl"}},
		Groups: SourceGroups{Filter: "(objectClass=group)", Extra: []string{"description"}, Members: []string{"member"}, Nested: true},
		Flags: Flags{
			Active:    &FlagRule{Attribute: "userAccountControl", Truth: Truth{NotBit: 2}},
			Staff:     &FlagRule{Group: "CN=Admins,DC=example,DC=com"},
			Superuser: &FlagRule{Group: "CN=Root,DC=example,DC=com"},
		},
		ID: "objectGUID", PageSize: 500, Encoding: "json", Interval: 5 * time.Minute, Retry: Retry{For: time.Minute},
		Limits: limits, History: History{FullEvery: 36 * time.Hour, Keep: 720 * time.Hour},
	}
	if got := *c.Source("corp"); !reflect.DeepEqual(got, corp) {
		t.Errorf("source:\n got %+v\nwant %+v", got, corp)
	}
	target := Target{
		Name: "default", Sources: []string{"corp"}, Database: NewSecret("postgres://app:hush@db/app"),
		Users: TargetUsers{
			Table: "people", UsernameField: "login",
			Attributes: Attributes{
				{Name: "sAMAccountName", Column: "login", Lower: true, Trim: true},
				{Name: "givenName", Column: "first_name"},
				{Name: "mail", Column: "email", Or: []string{"proxyAddresses", "userPrincipalName"}, Default: &fallback},
				{Name: "mail", Column: "backup_email"},
				{Name: "employeeType", Column: "is_manager", Bool: &Truth{Equals: []string{"manager", "boss"}}},
			},
			Defaults: map[string]string{"language": "en", "shoe_size": "42", "newsletter": "false"},
			Columns:  FlagColumns{Active: "enabled"},
		},
		Groups: TargetGroups{Attributes: Attributes{{Name: "cn", Column: "name"}}, OnRemoved: "delete"},
		Adopt:  Adopt{Privileged: true},
		Removal: Removal{
			Scope: "all", Exclude: []string{"svc-*"}, Grace: 168 * time.Hour, Missing: "deactivate", Callbacks: []string{"deactivate", "delete"},
			Delete: Deletion{After: 720 * time.Hour, References: map[string]string{"shop_order.customer_id": "set_null"}}, DeleteByUsername: true,
		},
		Verify: 12 * time.Hour, Outcomes: true, Encoding: "json",
	}
	if got := *c.Target("default"); !reflect.DeepEqual(got, target) {
		t.Errorf("target:\n got %+v\nwant %+v", got, target)
	}
	if c.State != "/var/lib/ldapsync" || c.NATS.CredsFile != "/run/creds" || c.File != "ldapsync.yaml" {
		t.Errorf("state %q, creds %q, file %q", c.State, c.NATS.CredsFile, c.File)
	}
	want := []string{"sAMAccountName", "givenName", "mail", "proxyAddresses", "userPrincipalName", "employeeType", "userAccountControl"}
	if got := c.UserAttributes("corp"); !slices.Equal(got, want) {
		t.Errorf("attributes of users: %q", got)
	}
	if got := c.GroupAttributes("corp"); !slices.Equal(got, []string{"cn", "description"}) {
		t.Errorf("attributes of groups: %q", got)
	}
	if got := c.Target("default").Users.Attributes.For("email"); !slices.Equal(got, []string{"mail", "proxyAddresses", "userPrincipalName"}) {
		t.Errorf("attributes for email: %q", got)
	}
}

// original is the configuration in the original's documentation, as environment variables.
var original = []string{
	"LDAP_SYNC_URI=ldap://users.example.com:389",
	"LDAP_SYNC_BASE=OU=Users,DC=example,DC=com",
	"LDAP_SYNC_BASE_USER=CN=Django,OU=Users,DC=example,DC=com",
	"LDAP_SYNC_BASE_PASS=My super secret password",
	"LDAP_SYNC_USER_FILTER=(&(objectCategory=person)(objectClass=User)(memberOf=CN=Web,OU=Users,DC=example,DC=com))",
	`LDAP_SYNC_USER_ATTRIBUTES={"sAMAccountName": "username", "givenName": "first_name", "sn": "last_name", "mail": "email"}`,
	"LDAP_SYNC_GROUP_FILTER=(&(objectclass=group))",
	`LDAP_SYNC_GROUP_ATTRIBUTES={"cn": "name"}`,
	`LDAP_SYNC_USER_CALLBACKS=["ldap_sync.callbacks.user_active_directory_enabled"]`,
	`LDAP_SYNC_USER_EXTRA_ATTRIBUTES=["department"]`,
	`LDAP_SYNC_REMOVED_USER_CALLBACKS=["ldap_sync.callbacks.removed_user_deactivate"]`,
	"LDAP_SYNC_USERNAME_FIELD=username",
	"LDAP_SYNC_PAGE_SIZE=200",
	"DATABASE_URL=sqlite:///db.sqlite3",
}

func TestEnvironmentAloneIsEnough(t *testing.T) {
	c := mustLoad(t, "", original...)
	if len(c.Sources) != 1 || len(c.Targets) != 1 || c.Sources[0].Name != "default" || c.Targets[0].Name != "default" {
		t.Fatalf("sources %v, targets %v", c.Sources, c.Targets)
	}
	s, d := c.Sources[0], c.Targets[0]
	password, err := s.Bind.Password.Value()
	if password != "My super secret password" || err != nil || s.Bases[0] != "OU=Users,DC=example,DC=com" || s.PageSize != 200 {
		t.Errorf("source: %+v", s)
	}
	if !reflect.DeepEqual(s.Flags.Active, &FlagRule{Attribute: "userAccountControl", Truth: Truth{NotBit: 2}}) {
		t.Errorf("rule for active: %+v", s.Flags.Active)
	}
	if want := []string{"sAMAccountName", "givenName", "sn", "mail", "department", "userAccountControl"}; !slices.Equal(c.UserAttributes("default"), want) {
		t.Errorf("attributes: %q", c.UserAttributes("default"))
	}
	if !slices.Equal(d.Removal.Callbacks, []string{"deactivate"}) || !slices.Equal(d.Sources, []string{"default"}) {
		t.Errorf("target: %+v", d)
	}
	if c.State != "/home/ada/.local/state/ldapsync" {
		t.Errorf("state: %s", c.State)
	}
}

func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	const file = "state: /file\nnats: {url: nats://file}\nsources: {corp: {uri: ldap://file, base: dc=file, page_size: 7}}\n"
	c := mustLoad(t, file)
	if c.State != "/file" || c.Sources[0].PageSize != 7 {
		t.Fatalf("file: %+v", c)
	}
	environ := []string{"LDAPSYNC_STATE_DIR=/env", "LDAP_SYNC_PAGE_SIZE=8", "LDAP_SYNC_URI=ldap://a ldap://b", "STATE_DIRECTORY=/systemd"}
	c = mustLoad(t, file, environ...)
	if c.State != "/env" || c.Sources[0].PageSize != 8 || c.Sources[0].Name != "corp" || !slices.Equal(c.Sources[0].URIs, []string{"ldap://a", "ldap://b"}) || c.Sources[0].Bases[0] != "dc=file" {
		t.Fatalf("environment: %+v", c)
	}
	c, err := Load(Options{Environ: environ, Flags: []Flag{{"state", "state", "/flag"}}})
	if err != nil || c.State != "/flag" {
		t.Fatalf("flag: %+v, %v", c, err)
	}
}

func TestStateDirectory(t *testing.T) {
	for want, environ := range map[string][]string{
		"/systemd":                        {"STATE_DIRECTORY=/systemd:/other", "XDG_STATE_HOME=/xdg"},
		"/xdg/ldapsync":                   {"XDG_STATE_HOME=/xdg"},
		"/home/ada/.local/state/ldapsync": {"XDG_STATE_HOME=relative"},
	} {
		if c := mustLoad(t, "", environ...); c.State != want {
			t.Errorf("%q: %s, not %s", environ, c.State, want)
		}
	}
}

func TestFileIsFound(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, state string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("state: "+state+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here, fromEnv, fromFlag := write("ldapsync.yaml", "/here"), write("env.yaml", "/env"), write("flag.yaml", "/flag")
	for _, c := range []struct {
		options Options
		state   string
	}{
		{Options{}, "/here"},
		{Options{Environ: []string{"LDAPSYNC_CONFIG=" + fromEnv}}, "/env"},
		{Options{Environ: []string{"LDAPSYNC_CONFIG=" + fromEnv}, File: fromFlag}, "/flag"},
	} {
		got, err := Load(c.options)
		if err != nil || got.State != c.state {
			t.Errorf("%+v: %+v, %v", c.options, got, err)
		}
	}
	_ = here
	for _, o := range []Options{{File: "absent.yaml"}, {Environ: []string{"LDAPSYNC_CONFIG=absent.yaml"}}} {
		if _, err := Load(o); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, value string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	password, database := write("password", "one\n"), write("db", "sqlite:////srv/db\n")
	c := mustLoad(t, fmt.Sprintf("sources: {a: {uri: ldap://h, base: dc=a, bind: {dn: cn=x, password_file: %s}}}\ntargets: {b: {database_file: %s}}\n", password, database),
		"NATS_URL_FILE="+write("nats", "nats://n\n"))
	if v, err := c.Targets[0].Database.Value(); v != "sqlite:////srv/db" || err != nil {
		t.Errorf("database: %q, %v", v, err)
	}
	if v, err := c.NATS.URL.Value(); v != "nats://n" || err != nil {
		t.Errorf("nats: %q, %v", v, err)
	}
	for _, want := range []string{"one", "two"} {
		write("password", want+"\n")
		if v, err := c.Sources[0].Bind.Password.Value(); v != want || err != nil {
			t.Errorf("password: %q, %v", v, err)
		}
	}
	// The environment's password beats the file's password_file.
	c = mustLoad(t, fmt.Sprintf("sources: {a: {uri: ldap://h, base: dc=a, bind: {dn: cn=x, password_file: %s}}}\n", password), "LDAP_SYNC_BASE_PASS=three")
	if v, _ := c.Sources[0].Bind.Password.Value(); v != "three" {
		t.Errorf("password: %q", v)
	}
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	if _, err := SecretFile(password).Value(); err == nil || !fault.IsPermanent(err) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestSecretsNeverShow(t *testing.T) {
	c := mustLoad(t, full)
	shown, err := c.Print()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	marshalled, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{shown, string(encoded), string(marshalled), fmt.Sprint(*c), fmt.Sprintf("%+v %#v %s %q %x %v", *c, *c, c.Targets[0].Database, c.NATS.URL, c.NATS.URL, c.Sources[0].Bind)} {
		if strings.Contains(s, "hush") || strings.Contains(s, "secret") || strings.Contains(s, "68757368") {
			t.Errorf("a secret shows: %s", s)
		}
	}
}

// TestPrintedLoads: what is printed means what was read, but for the secrets.
func TestPrintedLoads(t *testing.T) {
	c := mustLoad(t, full)
	shown, err := c.Print()
	if err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, shown)
	strip := func(c *Config) *Config {
		c.File, c.where, c.NATS.URL, c.Sources[0].Bind.Password, c.Targets[0].Database = "", nil, Secret{}, Secret{}, Secret{}
		return c
	}
	if c, again := strip(c), strip(again); !reflect.DeepEqual(c, again) {
		t.Errorf("printed:\n%s\n got %+v\nwant %+v", shown, again, c)
	}
}
