package ldap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

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

func TestServerStoppedBetweenPages(t *testing.T) {
	c := newCompany(t)
	c.hire("u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9")
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
	if read%2 != 0 || read > 6 { // the second page was at hand, and the third on its way
		t.Errorf("%d users", read)
	}
	// And whatever is asked next fails as well.
	if got, err := collect(s.Users(t.Context())); err == nil {
		t.Errorf("a closed connection gave %d users and no error", len(got))
	}
}

// TestRequestsWhileAListingRuns: OpenLDAP keeps one paged search per connection. Single reads don't disturb it, a second listing is refused.
func TestRequestsWhileAListingRuns(t *testing.T) {
	c := newCompany(t)
	c.hire("u1", "u2", "u3", "u4", "u5")
	c.form("g1", "u1")
	c.form("g2", "u1")
	cfg := c.config()
	cfg.PageSize = 1
	s := open(t, cfg)
	for name, tt := range map[string]struct {
		within func(r extractor.Record) error
		works  bool
	}{
		"lookup": {func(r extractor.Record) error {
			found, err := s.Lookup(t.Context(), proto.KindUser, []string{r.ID})
			if err == nil && len(found) != 1 {
				t.Errorf("%d found", len(found))
			}
			return err
		}, true},
		"group":     {func(extractor.Record) error { _, err := s.Group(t.Context(), c.group("g1")); return err }, true},
		"groups of": {func(r extractor.Record) error { _, err := s.GroupsOf(t.Context(), r); return err }, false},
		"groups":    {func(extractor.Record) error { _, err := collect(s.Groups(t.Context())); return err }, false},
	} {
		t.Run(name, func(t *testing.T) {
			read := 0
			for records, err := range s.Users(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					read++
					if err := tt.within(r); (err == nil) != tt.works {
						t.Fatal(err)
					}
				}
			}
			if read != 5 {
				t.Errorf("%d users", read)
			}
		})
	}
	for range s.Users(t.Context()) {
		break // given up after a page
	}
	if got := users(t, s); len(got) != 5 {
		t.Errorf("%d users after a listing that was given up", len(got))
	}
}
