package ldap_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/internal/fault"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// builtIn is how many users a domain has before anybody is hired: Administrator, Guest, krbtgt, dns-dc1, and sync.
const builtIn = 5

// domain is an Active Directory with some people and groups, in an organizational unit of their own.
type domain struct {
	*testenv.SambaServer
	t  *testing.T
	ou string
}

func newDomain(t *testing.T) *domain {
	t.Helper()
	s := testenv.Samba(t)
	d := &domain{s, t, "OU=Staff," + s.BaseDN}
	d.Add("dn: " + d.ou + "\nobjectClass: organizationalUnit\n")
	return d
}

// dn is that of somebody or something in the unit; name is escaped for it.
func (d *domain) dn(name string) string { return "CN=" + goldap.EscapeDN(name) + "," + d.ou }

// hire adds enabled accounts; more is lines of LDIF for each.
func (d *domain) hire(name, account string, more ...string) string {
	d.t.Helper()
	d.Add(fmt.Sprintf("dn: %s\nobjectClass: user\nsAMAccountName: %s\nuserAccountControl: 544\n%s\n", d.dn(name), account, strings.Join(more, "\n")))
	return d.dn(name)
}

// form adds a group.
func (d *domain) form(name string, members ...string) string {
	d.t.Helper()
	ldif := "dn: " + d.dn(name) + "\nobjectClass: group\nsAMAccountName: " + name + "\n"
	for _, m := range members {
		ldif += "member: " + m + "\n"
	}
	d.Add(ldif)
	return d.dn(name)
}

// set replaces an attribute's value.
func (d *domain) set(dn, attribute, value string) {
	d.t.Helper()
	d.Modify(fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: %s\n%s: %s\n", dn, attribute, attribute, value))
}

// config reads the whole domain as a plain user, through StartTLS.
func (d *domain) config() ldap.Config {
	cfg := ldap.DefaultConfig()
	cfg.URIs, cfg.StartTLS, cfg.TLS = []string{d.URI}, true, &tls.Config{RootCAs: d.CA}
	cfg.BindDN = d.BindDN
	cfg.Password = func() (string, error) { return d.Password, nil }
	cfg.Bases = []string{d.BaseDN}
	cfg.UserFilter = "(&(objectCategory=person)(objectClass=user))"
	cfg.GroupFilter = "(objectClass=group)"
	cfg.UserAttributes = []string{"sAMAccountName", "givenName", "sn", "mail", "userAccountControl"}
	cfg.GroupAttributes = []string{"cn"}
	cfg.RetryFor = 5 * time.Second
	return cfg
}

// account finds the record of an account.
func account(t *testing.T, records []extractor.Record, name string) extractor.Record {
	t.Helper()
	for _, r := range records {
		if value(r, "sAMAccountName") == name || value(r, "cn") == name {
			return r
		}
	}
	t.Fatalf("%s isn't there", name)
	return extractor.Record{}
}

// names are the group names of records, sorted.
func names(records []extractor.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, value(r, "cn"))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func groups(t *testing.T, s extractor.Session) []extractor.Record {
	t.Helper()
	records, err := collect(s.Groups(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func groupsOf(t *testing.T, s extractor.Session, user extractor.Record) string {
	t.Helper()
	records, err := s.GroupsOf(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return names(records)
}

func TestDomainIsRead(t *testing.T) {
	d := newDomain(t)
	d.hire("Ada Lovelace", "ada", "givenName: Ada", "sn: Lovelace", "mail: ada@example.org")
	d.hire("Bob", "bob")
	d.set(d.dn("Bob"), "userAccountControl", "546")
	d.Add("dn: CN=PC1,CN=Computers," + d.BaseDN + "\nobjectClass: computer\nsAMAccountName: PC1$\nuserAccountControl: 4128\n")
	d.Add("dn: " + d.dn("Supplier") + "\nobjectClass: contact\nmail: supplier@example.org\n")
	s := open(t, d.config())
	if q := s.Info().Question; q.GetIdAttribute() != "objectGUID" || q.GetNamingContext() != d.BaseDN {
		t.Errorf("%v", q)
	}
	people := users(t, s)
	var who []string
	for _, r := range slices.Concat(people, groups(t, s)) {
		if guid := d.Text(r.DN, "objectGUID"); r.ID != guid || r.Skip != "" {
			t.Errorf("%s: id %s, and Samba says %s; skip %q", r.DN, r.ID, guid, r.Skip)
		}
	}
	for _, r := range people {
		who = append(who, value(r, "sAMAccountName"))
	}
	slices.Sort(who)
	if got := strings.Join(who, " "); got != "Administrator Guest ada bob dns-dc1 krbtgt sync" {
		t.Errorf("people: %s", got)
	}
	ada := account(t, people, "ada")
	if ada.DN != d.dn("Ada Lovelace") || value(ada, "givenName") != "Ada" || value(ada, "mail") != "ada@example.org" || value(ada, "userAccountControl") != "544" {
		t.Errorf("%+v", ada)
	}
	if bob := account(t, people, "bob"); value(bob, "userAccountControl") != "546" || value(bob, "mail") != "" {
		t.Errorf("%+v", bob)
	}

	cfg := d.config()
	cfg.UserFilter = "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(sAMAccountName=*b*))"
	if got := users(t, open(t, cfg)); len(got) != 0 {
		t.Errorf("the filter of enabled accounts lets through: %+v", got)
	}
}

func TestAccountKeepsItsID(t *testing.T) {
	d := newDomain(t)
	d.hire("Ada", "ada")
	d.hire("Bob", "bob")
	s := open(t, d.config())
	before := users(t, s)
	ada, bob := account(t, before, "ada"), account(t, before, "bob")

	d.Rename(ada.DN, "CN=Countess")
	d.Move("CN=Countess,"+d.ou, "CN=Countess", "CN=Computers,"+d.BaseDN)
	d.set("CN=Countess,CN=Computers,"+d.BaseDN, "sAMAccountName", "countess")
	found, err := s.Lookup(t.Context(), proto.KindUser, []string{bob.ID, ada.ID})
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	if r := account(t, found, "countess"); r.ID != ada.ID || r.DN != "CN=Countess,CN=Computers,"+d.BaseDN {
		t.Errorf("renamed: %+v", r)
	}

	// The recycle bin holds a tombstone with Bob's GUID; only who asks for deleted objects is shown it.
	d.Delete(bob.DN)
	d.hire("Bob", "bob")
	found, err = s.Lookup(t.Context(), proto.KindUser, []string{bob.ID})
	if err != nil || len(found) != 0 {
		t.Errorf("deleted, and found: %+v, %v", found, err)
	}
	after := users(t, s)
	if again := account(t, after, "bob"); again.ID == bob.ID || len(after) != len(before) {
		t.Errorf("%d accounts, and %+v was %+v", len(after), again, bob)
	}
	d.Rename(d.ou, "OU=People")
	if r := account(t, users(t, s), "bob"); r.DN != "CN=Bob,OU=People,"+d.BaseDN || r.ID != account(t, after, "bob").ID {
		t.Errorf("in a renamed unit: %+v", r)
	}
}

func TestDomainGroups(t *testing.T) {
	d := newDomain(t)
	ada, bob := d.hire("Ada", "ada"), d.hire("Bob", "bob")
	inner := d.form("Inner", ada)
	outer := d.form("Outer", inner, bob)
	s := open(t, d.config())
	all := groups(t, s)
	if g := account(t, all, "Outer"); len(g.Members) != 2 || !slices.Contains(g.Members, inner) || !slices.Contains(g.Members, bob) {
		t.Errorf("%+v", g)
	}
	if g, err := s.Group(t.Context(), strings.ToLower(inner)); err != nil || strings.Join(g.Members, ";") != ada || g.ID != account(t, all, "Inner").ID {
		t.Errorf("%+v, %v", g, err)
	}
	everybody, people := account(t, all, "Domain Users"), users(t, s)
	if r := account(t, people, "ada"); everybody.GroupToken != "513" || everybody.Members != nil || r.PrimaryGroup != "513" || groupsOf(t, s, r) != "Domain Users, Inner" {
		t.Errorf("%+v; %s is in %s", everybody, r.DN, groupsOf(t, s, r))
	}

	// Who gets another primary group is a plain member of the old one, and no member of the new one.
	d.set(bob, "primaryGroupID", account(t, all, "Outer").GroupToken)
	r, all := account(t, users(t, s), "bob"), groups(t, s)
	if g := account(t, all, "Outer"); r.PrimaryGroup != g.GroupToken || slices.Contains(g.Members, bob) {
		t.Errorf("%+v, %+v", r, g)
	}
	if g := account(t, all, "Domain Users"); strings.Join(g.Members, ";") != bob || groupsOf(t, s, r) != "Domain Users, Outer" {
		t.Errorf("%v; %s is in %s", g.Members, r.DN, groupsOf(t, s, r))
	}

	// As a filter, and from the users' side.
	for filter, want := range map[string]string{
		"(memberOf=" + outer + ")":                          "",
		"(memberOf=" + inner + ")":                          "ada",
		"(memberOf:1.2.840.113556.1.4.1941:=" + outer + ")": "ada",
	} {
		cfg := d.config()
		cfg.UserFilter = "(&(objectCategory=person)" + filter + ")"
		cfg.MemberAttributes = []string{"memberOf"}
		s, got := open(t, cfg), ""
		for _, r := range users(t, s) {
			got += value(r, "sAMAccountName")
			if strings.Join(r.MemberOf, ";") != inner || groupsOf(t, s, r) != "Domain Users, Inner" {
				t.Errorf("%+v is in %s", r, groupsOf(t, s, r))
			}
		}
		if got != want {
			t.Errorf("%s finds %q, not %q", filter, got, want)
		}
	}
}

func TestNamesThatNeedEscapes(t *testing.T) {
	d := newDomain(t)
	for i, name := range []string{`Lovelace, Ada`, `#1 (of 2) * \ + "<>;`, "Zoë Müller 山田", " edge "} {
		dn := d.hire(name, fmt.Sprintf("user%d", i))
		group := fmt.Sprintf("Group%d", i)
		d.form(group, dn)
		s := open(t, d.config())
		r := account(t, users(t, s), fmt.Sprintf("user%d", i))
		if got := groupsOf(t, s, r); got != "Domain Users, "+group {
			t.Errorf("%s (%s) is in %s", name, r.DN, got)
		}
		g, err := s.Group(t.Context(), d.dn(group))
		if err != nil || len(g.Members) != 1 || g.Members[0] != r.DN {
			t.Errorf("%s: %v, %v", r.DN, g.Members, err)
		}
	}
}

// TestLargeDomain: more users than a page of Active Directory holds, and a group with more members than Windows hands out
// at once (1,500).
func TestLargeDomain(t *testing.T) {
	d := newDomain(t)
	const hired = 1010
	var ldif strings.Builder
	for i := range hired {
		fmt.Fprintf(&ldif, "dn: %s\nobjectClass: user\nsAMAccountName: u%04d\n\n", d.dn(fmt.Sprintf("U%04d", i)), i)
	}
	d.Add(ldif.String())
	members := d.List(d.ou, "(objectClass=user)")
	members = append(members, d.List("CN=Configuration,"+d.BaseDN, "(objectClass=*)")...) // a member may be anything: these came with the domain
	if len(members) < 2500 {
		t.Fatalf("only %d objects", len(members))
	}
	d.form("All", members...)

	var ids []string
	for _, size := range []int{1000, 300, 5000} {
		cfg := d.config()
		cfg.PageSize = size
		s := open(t, cfg)
		ids = nil
		for _, r := range users(t, s) {
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != hired+builtIn {
			t.Errorf("page size %d: %d users", size, len(ids))
		}
	}
	s := open(t, d.config())
	found, err := s.Lookup(t.Context(), proto.KindUser, ids)
	if err != nil || len(found) != hired+builtIn {
		t.Errorf("second look: %d users, %v", len(found), err)
	}
	got := account(t, groups(t, s), "All").Members
	slices.Sort(got)
	slices.Sort(members)
	if !slices.Equal(got, members) {
		t.Errorf("%d members of %d", len(got), len(members))
	}
	if in := groupsOf(t, s, account(t, found, "u1009")); in != "All, Domain Users" {
		t.Errorf("u1009 is in %s", in)
	}
}

// TestDomainsReferencesDoNoHarm: below the domain's root lie other naming contexts, to which a domain controller refers.
func TestDomainsReferencesDoNoHarm(t *testing.T) {
	d := newDomain(t)
	c, err := goldap.DialURL(d.LDAPSURI, goldap.DialWithTLSConfig(&tls.Config{RootCAs: d.CA}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(d.BindDN, d.Password); err != nil {
		t.Fatal(err)
	}
	result, err := c.Search(goldap.NewSearchRequest(d.BaseDN, goldap.ScopeWholeSubtree, 0, 0, 0, false, "(sAMAccountName=sync)", []string{"cn"}, nil))
	if err != nil || len(result.Referrals) == 0 {
		t.Fatalf("without the control there are references, in general: %+v, %v", result, err)
	}
	s := open(t, d.config())
	if got := users(t, s); len(got) != builtIn {
		t.Errorf("%d users", len(got))
	}
	cfg := d.config()
	cfg.Bases = []string{"DC=elsewhere,DC=org"}
	_, err = tryOpen(t, cfg)
	wantFault(t, err, fault.Directory, true, "DC=elsewhere,DC=org doesn't exist", "the server holds: "+d.BaseDN)
}

func TestDomainWantsEncryption(t *testing.T) {
	d := newDomain(t)
	cfg := d.config()
	cfg.StartTLS = false
	_, err := tryOpen(t, cfg)
	wantFault(t, err, fault.Directory, true, d.URI, "use ldaps:// or StartTLS")

	for _, uri := range []string{d.LDAPSURI, d.LDAPSURI + ":3269", d.URI + ":3268"} {
		cfg := d.config()
		cfg.URIs, cfg.StartTLS = []string{uri}, strings.HasPrefix(uri, "ldap:")
		if got := users(t, open(t, cfg)); len(got) != builtIn {
			t.Errorf("%s: %d users", uri, len(got))
		}
		cfg.TLS = nil
		_, err := tryOpen(t, cfg)
		wantFault(t, err, fault.Directory, true, "unknown CA", "name the CA's certificate")
		cfg.TLS = &tls.Config{RootCAs: d.CA, ServerName: "dc2.example.org"}
		_, err = tryOpen(t, cfg)
		wantFault(t, err, fault.Directory, true, "dc2.example.org")
	}
}

func TestDomainAccounts(t *testing.T) {
	d := newDomain(t)
	const password = "Another-Passw0rd"
	ada := d.hire("Ada", "ada", "userPrincipalName: ada@example.org", "unicodePwd:: "+testenv.UnicodePwd(password))
	for _, tt := range []struct {
		who, password string
		words         []string // of the error
	}{
		{d.BindDN, d.Password, nil},
		{"sync@example.org", d.Password, nil},
		{`EXAMPLE\sync`, d.Password, nil},
		{"ada@example.org", password, nil},
		{ada, "wrong", []string{ada, "check the bind DN and the password"}},
		{"CN=Nobody," + d.ou, "wrong", []string{"CN=Nobody"}},
		{"", "", []string{"configure a bind DN"}},
	} {
		cfg := d.config()
		cfg.BindDN, cfg.Password = tt.who, func() (string, error) { return tt.password, nil }
		s, err := tryOpen(t, cfg)
		if tt.words != nil {
			wantFault(t, err, fault.Directory, true, tt.words...)
		} else if err != nil || len(users(t, s)) != builtIn+1 {
			t.Errorf("%s: %v", tt.who, err)
		}
	}
	for state, word := range map[string]string{"userAccountControl: 514": "disabled", "pwdLastSet: 0": "must be changed"} {
		attribute, value, _ := strings.Cut(state, ": ")
		d.set(ada, "userAccountControl", "512")
		d.set(ada, attribute, value)
		cfg := d.config()
		cfg.BindDN, cfg.Password = ada, func() (string, error) { return password, nil }
		_, err := tryOpen(t, cfg)
		wantFault(t, err, fault.Directory, true, word)
	}
}
