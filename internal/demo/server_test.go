package demo_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/demo"
	"ldapsync/internal/fault"
)

func TestWhoMayBind(t *testing.T) {
	uri := serve(t, demo.NewDirectory(1))
	c := dial(t, uri)
	dse := request("", ldap.ScopeBaseObject, "(objectClass=*)", "namingContexts")
	all := request(demo.Base, ldap.ScopeWholeSubtree, "(objectClass=*)")

	_, err := c.Search(all)
	wantCode(t, err, ldap.LDAPResultStrongAuthRequired)
	r, err := c.Search(dse)
	must(t, err)
	if got := r.Entries[0].GetAttributeValue("namingContexts"); got != demo.Base {
		t.Errorf("naming context %q", got)
	}
	wantCode(t, c.UnauthenticatedBind(""), ldap.LDAPResultInappropriateAuthentication)
	wantCode(t, c.UnauthenticatedBind(demo.BindDN), ldap.LDAPResultUnwillingToPerform)
	wantCode(t, c.Bind(demo.BindDN, "wrong"), ldap.LDAPResultInvalidCredentials)
	wantCode(t, c.Bind("cn=somebody,"+demo.Base, demo.BindPassword), ldap.LDAPResultInvalidCredentials)
	wantCode(t, c.Bind("no DN", demo.BindPassword), ldap.LDAPResultInvalidCredentials)
	wantCode(t, c.ExternalBind(), ldap.LDAPResultAuthMethodNotSupported)
	_, err = c.Search(all)
	wantCode(t, err, ldap.LDAPResultStrongAuthRequired)

	must(t, c.Bind("CN=Django, OU=Services, "+demo.Base, demo.BindPassword))
	who, err := c.WhoAmI(nil)
	must(t, err)
	if who.AuthzID != "dn:"+demo.BindDN {
		t.Errorf("who am I? %q", who.AuthzID)
	}
	if r, err := c.Search(all); err != nil || len(r.Entries) < 1000 {
		t.Errorf("%v", err)
	}
	wantCode(t, c.Bind(demo.BindDN, "wrong"), ldap.LDAPResultInvalidCredentials)
	_, err = c.Search(all)
	wantCode(t, err, ldap.LDAPResultStrongAuthRequired) // a failed bind ends the one before
}

func TestWhatIsRefused(t *testing.T) {
	d := demo.NewDirectory(1)
	uri := serve(t, d)
	wantCode(t, dial(t, uri).StartTLS(nil), ldap.LDAPResultProtocolError) // go-ldap reads nothing more after that
	c := bind(t, uri)
	search := func(base string, scope int, filter string) error {
		_, err := c.Search(request(base, scope, filter))
		return err
	}
	err := search("uid=nobody,ou=nowhere,"+demo.Base, ldap.ScopeBaseObject, "(objectClass=*)")
	wantCode(t, err, ldap.LDAPResultNoSuchObject)
	if e, ok := err.(*ldap.Error); !ok || e.MatchedDN != demo.Base {
		t.Errorf("matched DN of %v", err)
	}
	wantCode(t, search("dc=elsewhere", ldap.ScopeWholeSubtree, "(objectClass=*)"), ldap.LDAPResultNoSuchObject)
	wantCode(t, search("", ldap.ScopeWholeSubtree, "(objectClass=*)"), ldap.LDAPResultNoSuchObject)
	wantCode(t, search("no DN", ldap.ScopeWholeSubtree, "(objectClass=*)"), ldap.LDAPResultInvalidDNSyntax)
	wantCode(t, search(demo.Base, 7, "(objectClass=*)"), ldap.LDAPResultProtocolError)

	r := request(demo.Base, ldap.ScopeWholeSubtree, "(uid=*)")
	r.Controls = []ldap.Control{ldap.NewControlString("1.2.3.4", true, "")}
	_, err = c.Search(r)
	wantCode(t, err, ldap.LDAPResultUnavailableCriticalExtension)
	r.Controls = []ldap.Control{ldap.NewControlString("1.2.3.4", false, ""), ldap.NewControlManageDsaIT(true)}
	_, err = c.Search(r)
	wantCode(t, err, ldap.LDAPResultSuccess)

	wantCode(t, c.Del(ldap.NewDelRequest(demo.BindDN, nil)), ldap.LDAPResultUnwillingToPerform)
	wantCode(t, c.Add(ldap.NewAddRequest("cn=x,"+demo.Base, nil)), ldap.LDAPResultUnwillingToPerform)
	wantCode(t, c.ModifyDN(ldap.NewModifyDNRequest(demo.BindDN, "cn=x", true, "")), ldap.LDAPResultUnwillingToPerform)
	m := ldap.NewModifyRequest(demo.BindDN, nil)
	m.Replace("description", []string{"changed"})
	wantCode(t, c.Modify(m), ldap.LDAPResultUnwillingToPerform)
	if a, ok := d.Get(demo.BindDN); !ok || slices.Contains(a["description"], "changed") {
		t.Errorf("%v", a)
	}
}

func TestCompare(t *testing.T) {
	c := bind(t, serve(t, demo.NewDirectory(1)))
	for value, want := range map[string]bool{"KESTREL": true, "other": false} {
		if got, err := c.Compare(demo.Base, "dc", value); err != nil || got != want {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
	_, err := c.Compare(demo.Base, "mail", "x")
	wantCode(t, err, ldap.LDAPResultNoSuchAttribute)
	_, err = c.Compare("cn=nobody,"+demo.Base, "cn", "x")
	wantCode(t, err, ldap.LDAPResultNoSuchObject)
}

func TestSizeLimits(t *testing.T) {
	d := demo.NewDirectory(1)
	uri := serve(t, d)
	for _, limit := range []struct{ client, server, entries int }{{0, 0, 1000}, {10, 0, 10}, {0, 20, 20}, {10, 20, 10}, {30, 20, 20}, {1000, 1000, 1000}} {
		d.LimitSize(limit.server)
		for _, page := range []int{0, 3, 10, 2000} {
			c := bind(t, uri)
			entries, code := 0, uint16(0)
			cookie := []byte{}
			for pages := 0; ; pages++ {
				r := request(demo.PeopleBase, ldap.ScopeSingleLevel, demo.UserFilter, "uid")
				r.SizeLimit = limit.client
				paging := ldap.NewControlPaging(uint32(page))
				paging.SetCookie(cookie)
				if page > 0 {
					r.Controls = []ldap.Control{paging}
				}
				result, err := c.Search(r)
				if result != nil {
					entries += len(result.Entries)
				}
				if err != nil {
					code = err.(*ldap.Error).ResultCode
					break
				}
				answer, _ := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
				if page == 0 && answer == nil {
					break
				}
				if answer == nil {
					t.Fatal("a page without its control")
				}
				if cookie = answer.Cookie; len(cookie) == 0 {
					break
				}
			}
			want := uint16(ldap.LDAPResultSizeLimitExceeded)
			if limit.entries == 1000 {
				want = ldap.LDAPResultSuccess
			}
			if entries != limit.entries || code != want {
				t.Errorf("%+v, pages of %d: %d entries, %s", limit, page, entries, ldap.LDAPResultCodeMap[code])
			}
		}
	}
}

func TestPagesBelongToTheirConnection(t *testing.T) {
	uri := serve(t, demo.NewDirectory(1))
	one, other := bind(t, uri), bind(t, uri)
	next := func(c *ldap.Conn, size uint32, cookie []byte) (*ldap.SearchResult, []byte, error) {
		r := request(demo.PeopleBase, ldap.ScopeSingleLevel, demo.UserFilter, "uid")
		paging := ldap.NewControlPaging(size)
		paging.SetCookie(cookie)
		r.Controls = []ldap.Control{paging}
		result, err := c.Search(r)
		if err != nil {
			return nil, nil, err
		}
		return result, ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie, nil
	}
	_, first, err := next(one, 10, nil)
	must(t, err)
	_, _, err = next(other, 10, first)
	wantCode(t, err, ldap.LDAPResultUnwillingToPerform)
	_, second, err := next(one, 10, first)
	must(t, err)
	_, _, err = next(one, 10, first)
	wantCode(t, err, ldap.LDAPResultUnwillingToPerform) // a cookie counts once
	r, end, err := next(one, 0, second)
	if err != nil || len(r.Entries) > 0 || len(end) > 0 {
		t.Errorf("the search goes on after it was given up: %v, %q, %v", r, end, err)
	}
	_, _, err = next(one, 10, second)
	wantCode(t, err, ldap.LDAPResultUnwillingToPerform)
}

func TestWhichAttributesAreAnswered(t *testing.T) {
	d := empty(t, "o=a")
	must(t, d.Add("cn=b,o=a", demo.Attributes{"objectClass": {"person"}, "Mail": {"x", "y"}}))
	must(t, d.Add("cn=c,o=a", demo.Attributes{"objectClass": {"group"}, "member": {"CN=B,O=A"}}))
	c := bind(t, serve(t, d))
	for asked, want := range map[string]string{
		"":               "objectClass=person Mail=x,y cn=b",
		"*":              "objectClass=person Mail=x,y cn=b",
		"1.1":            "",
		"1.1 mail":       "Mail=x,y",
		"MAIL":           "Mail=x,y",
		"memberof CN":    "cn=b memberOf=cn=c,o=a",
		"mail;binary":    "",
		"* memberOf":     "objectClass=person Mail=x,y cn=b memberOf=cn=c,o=a",
		"sn":             "",
		"entrydn mail +": "Mail=x,y entryUUID createTimestamp modifyTimestamp entryDN memberOf=cn=c,o=a",
	} {
		for _, typesOnly := range []bool{false, true} {
			r := request("cn=b,o=a", ldap.ScopeBaseObject, "(objectClass=*)", strings.Fields(asked)...)
			r.TypesOnly = typesOnly
			result, err := c.Search(r)
			must(t, err)
			var got, expected []string
			for _, a := range result.Entries[0].Attributes {
				got = append(got, a.Name+"="+strings.Join(a.Values, ","))
			}
			for _, w := range strings.Fields(want) {
				name, values, _ := strings.Cut(w, "=")
				if typesOnly {
					values = ""
				} else if values == "" { // of its own making
					a, _ := d.Get("cn=b,o=a")
					values = strings.Join(a[name], ",")
				}
				expected = append(expected, name+"="+values)
			}
			if !slices.Equal(got, expected) {
				t.Errorf("asked for %q, types only %t: got %q, want %q", asked, typesOnly, got, expected)
			}
		}
	}
}

// TestStopEndsTheConnections is what gldap can't: stopping with clients connected.
func TestStopEndsTheConnections(t *testing.T) {
	d := demo.NewDirectory(1)
	uri, stop, err := d.Serve(t.Context(), "127.0.0.1:0")
	must(t, err)
	idle := bind(t, uri)
	if _, _, err := d.Serve(t.Context(), strings.TrimPrefix(uri, "ldap://")); err == nil {
		t.Error("two servers on one port")
	} else if class, hint := fault.Of(err); class != fault.Directory || hint == "" {
		t.Errorf("%v", err)
	}
	stop()
	stop()
	if _, err := idle.Search(request("", ldap.ScopeBaseObject, "(objectClass=*)")); err == nil {
		t.Error("a stopped server answers")
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(uri, "ldap://")); err == nil {
		c.Close()
		t.Error("a stopped server listens")
	}
}

func TestTheContextEndsTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	uri, stop, err := demo.NewDirectory(1).Serve(ctx, "127.0.0.1:0")
	must(t, err)
	socket, err := net.Dial("tcp", strings.TrimPrefix(uri, "ldap://"))
	must(t, err)
	defer socket.Close()
	cancel()
	if n, err := socket.Read(make([]byte, 1)); err == nil { // returns when the server closes
		t.Errorf("read %d bytes", n)
	}
	stop()
}

// TestReadersAndWritersMeet changes a directory while it is read; the race detector watches. Every paged read is of one moment.
func TestReadersAndWritersMeet(t *testing.T) {
	d := demo.NewDirectory(1)
	uri := serve(t, d)
	days := make(chan struct{})
	go func() {
		defer close(days)
		for i := range 10 {
			if _, err := d.Change(); err != nil {
				t.Error(err)
			}
			dn, renamed := fmt.Sprintf("cn=visitor %d,%s", i, demo.Base), fmt.Sprintf("cn=guest %d,%s", i, demo.Base)
			for _, err := range []error{
				d.Add(dn, demo.Attributes{"objectClass": {"person"}}), d.Modify(dn, demo.Put("sn", "Visitor")), d.Rename(dn, renamed), d.Delete(renamed),
			} {
				if err != nil {
					t.Error(err)
				}
			}
		}
	}()
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			c, err := ldap.DialURL(uri)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if err := c.Bind(demo.BindDN, demo.BindPassword); err != nil {
				t.Error(err)
			}
			for more := true; more; {
				select {
				case <-days:
					more = false
				default:
				}
				r, err := c.SearchWithPaging(request(demo.PeopleBase, ldap.ScopeSingleLevel, demo.UserFilter, "uid", "memberOf"), 300)
				if err != nil || len(r.Entries) != 1000 && len(r.Entries) != 1001 { // somebody joins before somebody leaves
					t.Errorf("%v", err)
				}
			}
		})
	}
	readers.Wait()
	<-days
}
