package config

import (
	"strings"
	"testing"

	"ldapsync/internal/fault"
)

const source = "sources: {a: {uri: ldap://h, base: dc=a%s}}\n"

func src(more string) string { return strings.Replace(source, "%s", more, 1) }

func tgt(more string) string { return src("") + "targets: {t: {" + more + "}}\n" }

// TestRefusals: one line that names the place, and a hint.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, file string
		environ    []string
		want       string // the whole error
		hint       string // part of the hint
	}{
		{"not YAML", "sources:\n  a: [\n", nil, "ldapsync.yaml:2: not YAML: did not find expected node content", "indentation"},
		{"tab", "sources:\n\ta: 1\n", nil, "ldapsync.yaml:2: not YAML: found character that cannot start any token", "tabs"},
		{"two documents", "state: /a\n---\nstate: /b\n", nil, "ldapsync.yaml:2: a second document begins here", ""},
		{"not a map", "- a\n", nil, "ldapsync.yaml:1: must be a map of settings, not a list", ""},
		{"unknown key", "sources:\n  corp:\n    uri: ldap://h\n    bsae: dc=a\n", nil, "ldapsync.yaml:4: sources.corp.bsae: unknown key", "did you mean base?"},
		{"unknown key, deep", src(", bind: {dn: cn=x, pasword_file: /p}"), nil, "ldapsync.yaml:1: sources.a.bind.pasword_file: unknown key", "did you mean password_file?"},
		{"unknown key, far", "colour: red\n", nil, "ldapsync.yaml:1: colour: unknown key", "known here: nats, sources, state, targets"},
		{"two sources of one name", "sources:\n  a: {uri: ldap://h, base: dc=a}\n  b: {uri: ldap://h, base: dc=a}\n  a: {uri: ldap://i, base: dc=a}\n", nil, "ldapsync.yaml:4: sources.a: stands there twice, first in line 2", "another name"},
		{"a setting twice", "state: /a\nstate: /b\n", nil, "ldapsync.yaml:2: state: stands there twice, first in line 1", "keep one"},
		{"bad name", "sources:\n  Corp: {uri: ldap://h}\n", nil, "ldapsync.yaml:2: sources.Corp: not a name for one of the sources", "lower-case"},
		{"text wanted", src(", id: [a]"), nil, "ldapsync.yaml:1: sources.a.id: must be text, not a list", ""},
		{"number wanted", src(", page_size: many"), nil, `ldapsync.yaml:1: sources.a.page_size: must be a whole number, not "many"`, ""},
		{"boolean wanted", src(", starttls: maybe"), nil, `ldapsync.yaml:1: sources.a.starttls: must be true or false, not "maybe"`, ""},
		{"duration wanted", src(", interval: 15"), nil, `ldapsync.yaml:1: sources.a.interval: must be a duration, not "15"`, "15m"},
		{"choice", src(", encoding: xml"), nil, `ldapsync.yaml:1: sources.a.encoding: "xml" isn't known`, "protobuf, json"},
		{"page size 0", src(", page_size: 0"), nil, "ldapsync.yaml:1: sources.a.page_size: must be 1 or more, not 0", "1000"},
		{"page size 0, environment", src(""), []string{"LDAP_SYNC_PAGE_SIZE=0"}, "LDAP_SYNC_PAGE_SIZE: must be 1 or more, not 0", "1000"},
		{"no URI", "sources: {a: {base: dc=a}}\n", nil, "ldapsync.yaml:1: sources.a.uri: no server is named", "LDAP_SYNC_URI"},
		{"no URI, environment", "", []string{"LDAP_SYNC_BASE=dc=a"}, "sources.default.uri: no server is named", "LDAP_SYNC_URI"},
		{"no base", "", []string{"LDAP_SYNC_URI=ldap://h"}, "sources.default.base: no base is named", "LDAP_SYNC_BASE"},
		{"wrong scheme", "sources: {a: {uri: http://h, base: dc=a}}\n", nil, `ldapsync.yaml:1: sources.a.uri: "http://h" is neither ldap, ldaps, ldapi nor ldif`, "ldaps://host"},
		{"password in URI", "sources: {a: {uri: 'ldap://u:hush@h', base: dc=a}}\n", nil, "ldapsync.yaml:1: sources.a.uri: an LDAP URI carries no account", "bind"},
		{"URI with base", "sources: {a: {uri: 'ldap://h/dc=a', base: dc=a}}\n", nil, `ldapsync.yaml:1: sources.a.uri: "ldap://h/dc=a" says more than a server`, "base:"},
		{"a file and a server", "sources: {a: {uri: ['ldif:///d.ldif', 'ldap://h'], base: dc=a}}\n", nil, "ldapsync.yaml:1: sources.a.uri: an LDIF file stands for no other server", "alone"},
		{"a file with a host", "sources: {a: {uri: 'ldif://host/d.ldif', base: dc=a}}\n", nil, `ldapsync.yaml:1: sources.a.uri: "ldif://host/d.ldif" doesn't name a file`, "ldif:dump.ldif"},
		{"a file with an account", "sources: {a: {uri: 'ldif:///d.ldif', base: dc=a, bind: {dn: 'cn=a'}}}\n", nil, "ldapsync.yaml:1: sources.a.bind: ldif:///d.ldif is a file, and needs none", "leave it out"},
		{"socket as path", "sources: {a: {uri: 'ldapi:///run/ldapi', base: dc=a}}\n", nil, `ldapsync.yaml:1: sources.a.uri: "ldapi:///run/ldapi" doesn't name a socket`, "percent-encode"},
		{"StartTLS and ldapi", "sources: {a: {uri: 'ldapi://%2Frun%2Fldapi', base: dc=a, starttls: true}}\n", nil, "ldapsync.yaml:1: sources.a.starttls: ldapi://%2Frun%2Fldapi doesn't go with StartTLS", "leave starttls out"},
		{"StartTLS and ldaps", "sources: {a: {uri: ldaps://h, base: dc=a, starttls: true}}\n", nil, "ldapsync.yaml:1: sources.a.starttls: ldaps://h doesn't go with StartTLS", "leave starttls out"},
		{"bad base", "sources: {a: {uri: ldap://h, base: nonsense}}\n", nil, `ldapsync.yaml:1: sources.a.base: "nonsense" isn't a DN`, "OU=Users"},
		{"bad filter", src(`, users: {filter: "(cn=x"}`), nil, "ldapsync.yaml:1: sources.a.users.filter: not an LDAP filter: unexpected end of filter", "ldapsearch"},
		{"empty password", src(", bind: {dn: cn=x, password: ''}"), nil, "ldapsync.yaml:1: sources.a.bind.dn: an account without a password would be taken for an anonymous one (RFC 4513, 5.1.2)", "password_file"},
		{"no password", src(""), []string{"LDAP_SYNC_BASE_USER=cn=x"}, "LDAP_SYNC_BASE_USER: an account without a password would be taken for an anonymous one (RFC 4513, 5.1.2)", "LDAP_SYNC_BASE_PASS"},
		{"no account", src(", bind: {password: hush}"), nil, "ldapsync.yaml:1: sources.a.bind.password: a password, but no account", "bind.dn"},
		{"password twice", src(", bind: {dn: cn=x, password: hush, password_file: /p}"), nil, "ldapsync.yaml:1: sources.a.bind.password_file: stands beside password", "keep one"},
		{"password twice, environment", src(""), []string{"LDAP_SYNC_BASE_PASS=hush", "LDAP_SYNC_BASE_PASS_FILE=/p"}, "LDAP_SYNC_BASE_PASS: stands beside LDAP_SYNC_BASE_PASS_FILE", "unset one"},
		{"certificate without key", src(", tls: {cert_file: c.pem}"), nil, "ldapsync.yaml:1: sources.a.tls: a client certificate needs its key, and the key its certificate", "key_file"},
		{"password as extra attribute", src(", users: {extra: [mail, UserPassword;x-hash]}"), nil, "ldapsync.yaml:1: sources.a.users.extra: UserPassword;x-hash holds a password", "leave it out"},
		{"password as flag", src(", flags: {active: {attribute: unicodePwd, equals: x}}"), nil, "ldapsync.yaml:1: sources.a.flags.active: unicodePwd holds a password", "leave it out"},
		{"password mapped", tgt("users: {attributes: {uid: {field: username, or: [userPassword]}}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.uid: userPassword holds a password", "leave it out"},
		{"limits, a number", src(", limits: 5"), nil, `ldapsync.yaml:1: sources.a.limits: must be off or a map of limits, not "5"`, "{users: {count: 20"},
		{"limits, unknown", src(", limits: {members: off}"), nil, "ldapsync.yaml:1: sources.a.limits.members: unknown key", "group_memberships, groups, memberships"},
		{"limit, a share", src(", limits: {users: 4%}"), nil, `ldapsync.yaml:1: sources.a.limits.users: must be off or a map of count, percent, most and all, not "4%"`, "{count: 20"},
		{"limit, unknown", src(", limits: {users: {max: 4}}"), nil, "ldapsync.yaml:1: sources.a.limits.users.max: unknown key", "most"},
		{"limit, below nothing", src(", limits: {users: {count: -1}}"), nil, "ldapsync.yaml:1: sources.a.limits.users.count: must be 0 or more, not -1", ""},
		{"limit, more than all", src(", limits: {users: {percent: 101}}"), nil, `ldapsync.yaml:1: sources.a.limits.users.percent: must be a share in percent, 0 to 100, not "101"`, "0.5"},
		{"limits, environment", src(""), []string{`LDAP_SYNC_LIMITS={"users": {"percent": "many"}}`}, `LDAP_SYNC_LIMITS.users.percent: must be a share in percent, 0 to 100, not "many"`, ""},
		{"limits, a word", src(""), []string{"LDAP_SYNC_LIMITS=none"}, `LDAP_SYNC_LIMITS: must be off or a map of limits, not "none"`, "or off"},
		{"limits of a target", tgt("removal: {limits: {users: {count: 1}}}"), nil, "ldapsync.yaml:2: targets.t.removal.limits: limits are the source's, which all its targets share", "sources"},
		{"grace that differs", src("") + "targets:\n  a: {removal: {grace: 7d}}\n  b: {removal: {grace: 36h}}\n", nil, "ldapsync.yaml:4: targets.b.removal.grace: 36h0m0s, but target a, which source a feeds too, has 7d", "same grace"},
		{"grace of one", src("") + "targets:\n  x: {}\n  y: {removal: {grace: 7d}}\n", nil, "ldapsync.yaml:4: targets.y.removal.grace: 7d, but target x, which source a feeds too, has 0s", "same grace"},
		{"scope", tgt("removal: {scope: everybody}"), nil, `ldapsync.yaml:2: targets.t.removal.scope: "everybody" isn't known`, "linked, all"},
		{"scope all without users", tgt("removal: {scope: all}"), nil, "ldapsync.yaml:2: targets.t.removal.scope: no source of this target reads users, and every account would be without an entry", "users.filter"},
		{"exclusion", tgt("removal: {exclude: ['svc-[']}"), nil, `ldapsync.yaml:2: targets.t.removal.exclude: "svc-[" isn't a username or a shell pattern`, "svc-*"},
		{"missing without callback", tgt("removal: {missing: deactivate, callbacks: [delete]}"), nil, "ldapsync.yaml:2: targets.t.removal.missing: nobody is deactivated without that callback", "callbacks"},
		{"delete after what", tgt("removal: {callbacks: delete, delete: {after: 30d}}"), nil, "ldapsync.yaml:2: targets.t.removal.delete.after: nobody is deleted: the time counts from the deactivation, and nobody is deactivated", "[deactivate, delete]"},
		{"reference without column", tgt("removal: {delete: {references: {shop_order: cascade}}}"), nil, "ldapsync.yaml:2: targets.t.removal.delete.references.shop_order: must be a table and its column, table.column or schema.table.column", "shop_order.customer_id"},
		{"reference, unknown", tgt("removal: {delete: {references: {shop_order.customer_id: drop}}}"), nil, `ldapsync.yaml:2: targets.t.removal.delete.references.shop_order.customer_id: "drop" isn't known`, "cascade, set_null, refuse"},
		{"flag without rule", src(", flags: {active: {attribute: uac}}"), nil, "ldapsync.yaml:1: sources.a.flags.active: must have exactly one rule, not 0", "not_bit"},
		{"flag with two", src(", flags: {staff: {attribute: uac, bit: 2, equals: x}}"), nil, "ldapsync.yaml:1: sources.a.flags.staff: must have exactly one rule, not 2", "not_bit"},
		{"flag group and attribute", src(", flags: {staff: {group: cn=x, attribute: y}}"), nil, "ldapsync.yaml:1: sources.a.flags.staff: must be one group or one attribute", "DN of a group"},
		{"flag group no DN", src(", flags: {staff: admins}"), nil, `ldapsync.yaml:1: sources.a.flags.staff: "admins" isn't the DN of a group`, "CN=Admins"},
		{"bit 3", src(", flags: {active: {attribute: uac, bit: 3}}"), nil, `ldapsync.yaml:1: sources.a.flags.active.bit: must be the value of one bit, not "3"`, "1, 2, 4"},
		{"unknown source", tgt("source: b"), nil, `ldapsync.yaml:2: targets.t.source: there is no source "b"`, ""},
		{"no username", src(", users: {filter: (cn=*)}") + "targets: {t: {users: {attributes: {mail: email}}}}\n", nil, "ldapsync.yaml:2: targets.t.users.attributes: no attribute goes to username", "LDAP_SYNC_USER_ATTRIBUTES"},
		{"no name", src(", groups: {filter: (cn=*)}") + "targets: {t: {}}\n", nil, "ldapsync.yaml:2: targets.t.groups.attributes: no attribute goes to name", "{cn: name}"},
		{"column twice", tgt("users: {attributes: {uid: username, mail: email, other: email}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.other: column email is taken by mail already", "mail: {field: email, or: [other]}"},
		{"password column", tgt("users: {attributes: {userPassword: password}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.userPassword: column password is never written by sync", ""},
		{"active column", tgt("users: {attributes: {uid: username, loginShell: is_active}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.loginShell: column is_active belongs to the active flag, which the source derives", "flags: {active: {attribute: loginShell"},
		{"superuser column", tgt("users: {attributes: {uid: username, x: is_superuser}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.x: column is_superuser belongs to the superuser flag, which the source derives", "flags: {superuser: …}"},
		{"superuser column, named", tgt("users: {attributes: {uid: username, x: root}, columns: {superuser: root}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.x: column root belongs to the superuser flag, which the source derives", "flags: {superuser: …}"},
		{"staff twice", src(", flags: {staff: cn=x}") + "targets: {t: {users: {attributes: {uid: username, x: is_staff}}}}\n", nil, "ldapsync.yaml:2: targets.t.users.attributes.x: column is_staff is taken by the staff flag of source a", "keep one"},
		{"no patience", src(", retry: {for: 0s}"), nil, "ldapsync.yaml:1: sources.a.retry.for: must be more than nothing", "30s"},
		{"lower and upper", tgt("users: {attributes: {uid: {field: username, lower: true, upper: true}}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.uid: both lower and upper", ""},
		{"no field", tgt("users: {attributes: {uid: {lower: true}}}"), nil, "ldapsync.yaml:2: targets.t.users.attributes.uid: names no field", ""},
		{"default of a mapped column", tgt("users: {attributes: {uid: username}, defaults: {username: x}}"), nil, "ldapsync.yaml:2: targets.t.users.defaults.username: an attribute goes to that column", "default:"},
		{"dotted path", tgt("users: {callbacks: [shop.sync.greet]}"), nil, "ldapsync.yaml:2: targets.t.users.callbacks: shop.sync.greet is Python, which can't be called from here", "stream"},
		{"dotted path, removed", src(""), []string{"LDAP_SYNC_REMOVED_USER_CALLBACKS=shop.sync.bye"}, "LDAP_SYNC_REMOVED_USER_CALLBACKS: shop.sync.bye is Python, which can't be called from here", "deactivate and delete"},
		{"wrong list", tgt("removal: {callbacks: [active-directory-enabled]}"), nil, "ldapsync.yaml:2: targets.t.removal.callbacks: active-directory-enabled isn't a callback", "users.callbacks"},
		{"database", tgt("database: mysql://u:hush@h/d"), nil, "ldapsync.yaml:2: targets.t.database: mysql: a database it doesn't know", "PostgreSQL and SQLite"},
		{"not JSON", src(""), []string{"LDAP_SYNC_USER_ATTRIBUTES={'uid': 'username'}"}, "LDAP_SYNC_USER_ATTRIBUTES: not JSON: invalid character '\\''", "double quotes"},
		{"JSON, wrong type", src(""), []string{`LDAP_SYNC_FLAGS={"staff": ["x"]}`}, "LDAP_SYNC_FLAGS.staff: must be a map of settings, not a list", ""},
		{"JSON, key twice", src(""), []string{`LDAP_SYNC_USER_ATTRIBUTES={"uid": "username", "uid": "email"}`}, "LDAP_SYNC_USER_ATTRIBUTES.uid: stands there twice", "keep one"},
		{"unknown variable", src(""), []string{"LDAP_SYNC_USER_FILTRE=x"}, "LDAP_SYNC_USER_FILTRE: unknown variable", "did you mean LDAP_SYNC_USER_FILTER?"},
		{"several sources", "sources: {a: {uri: ldap://h, base: dc=a}, b: {uri: ldap://h, base: dc=b}}\n", []string{"LDAP_SYNC_URI=ldap://x"}, "LDAP_SYNC_URI: which of several sources it is for isn't clear", "under sources in ldapsync.yaml"},
		{"several targets", src("") + "targets: {a: {}, b: {}}\n", []string{"DATABASE_URL=sqlite:///x"}, "DATABASE_URL: which of several targets it is for isn't clear", "under targets"},
		{"several sources, one target", "sources: {a: {uri: ldap://h, base: dc=a}, b: {uri: ldap://h, base: dc=b}}\ntargets:\n  t: {}\n", nil, "ldapsync.yaml:3: targets.t.source: which of several sources feeds it isn't said", "sources:"},
		{"source beside sources", tgt("source: a, sources: [a]"), nil, "ldapsync.yaml:2: targets.t.sources: stands beside source", "keep one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.file, c.environ...)
			if err == nil {
				t.Fatal("accepted")
			}
			class, hint := fault.Of(err)
			if err.Error() != c.want {
				t.Errorf("error\n got %s\nwant %s", err, c.want)
			}
			if class != fault.Usage || !strings.Contains(hint, c.hint) {
				t.Errorf("class %d, hint %q", class, hint)
			}
			if strings.Contains(err.Error()+hint, "hush") || strings.Contains(err.Error()+hint, "\n") {
				t.Errorf("a secret or several lines: %s", err)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	for name, environ := range map[string][]string{
		"Kubernetes' own variables": {"LDAP_SYNC_SERVICE_HOST=10.0.0.1", "LDAP_SYNC_PORT=tcp://10.0.0.1:80", "LDAP_SYNC_PORT_80_TCP_ADDR=10.0.0.1"},
		"limits off":                {"LDAP_SYNC_LIMITS=off"},
		"limits":                    {`LDAP_SYNC_LIMITS={"window": "1h", "users": {"percent": "2.5%"}, "groups": false}`},
		"empty variables":           {"LDAP_SYNC_BASE_USER=", "LDAP_SYNC_BASE_PASS=", "DATABASE_URL="},
		"several bases":             {`LDAP_SYNC_BASE=["ou=a,dc=x", "ou=b,dc=x"]`},
		"a list with commas":        {"LDAP_SYNC_USER_EXTRA_ATTRIBUTES=a, b,c", "LDAP_SYNC_USER_CALLBACKS=ldap_sync.callbacks.user_active_directory_deactivate"},
	} {
		t.Run(name, func(t *testing.T) { mustLoad(t, src(", groups: "), environ...) })
	}
	c := mustLoad(t, "sources: {a: &x {uri: ldap://h, base: dc=a}, b: *x}\n")
	if len(c.Sources) != 2 || c.Sources[1].URIs[0] != "ldap://h" {
		t.Errorf("an alias: %+v", c.Sources)
	}
}
