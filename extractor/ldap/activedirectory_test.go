package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

const (
	adaGUID  = "\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
	adaText  = "00112233-4455-6677-8899-aabbccddeeff"
	adaSID   = "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x50\x04\x00\x00"
	groupSID = "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x01\x02\x00\x00" // …-513
)

func TestActiveDirectoryUser(t *testing.T) {
	f := newFake(t)
	f.activeDirectory()
	f.search = func(c *fakeConn, r request) {
		if !slices.Contains(r.controls, "1.2.840.113556.1.4.1339") {
			t.Errorf("no DOMAIN_SCOPE with %s", r.filter)
		}
		ada := attributes{"uid": {"ada"}, "objectGUID": {adaGUID}, "primaryGroupID": {"513"}}
		switch {
		case r.asks("objectSid"):
			ada["objectSid"] = []string{adaSID}
			c.entry(r, "CN=Ada,DC=example,DC=org", ada)
			c.done(r, 0)
		case r.asks("primaryGroupToken"):
			if !strings.Contains(r.raw, "objectSid\x04\x1c"+groupSID) || !strings.Contains(r.filter, "(member=CN=Ada,DC=example,DC=org)") {
				t.Errorf("filter %s", r.filter)
			}
			c.entry(r, "CN=Domain Users,DC=example,DC=org", attributes{"cn": {"Domain Users"}, "objectGUID": {adaGUID}, "primaryGroupToken": {"513"}})
			c.page(r, "")
		case strings.Contains(r.filter, "objectGUID"):
			if !strings.HasPrefix(r.filter, "(&(objectClass=person)(|(objectGUID=") || !strings.Contains(r.raw, "objectGUID\x04\x10"+adaGUID) {
				t.Errorf("filter %q", r.raw)
			}
			c.entry(r, "CN=Ada,DC=example,DC=org", ada)
			c.done(r, 0)
		default:
			c.entry(r, "CN=Ada,DC=example,DC=org", ada)
			c.page(r, "")
		}
	}
	s := open(t, f.config())
	if got := s.Info().Question; got.GetIdAttribute() != "objectGUID" || !slices.Contains(got.GetAttributes(), "primarygroupid") {
		t.Errorf("%v", got)
	}
	ada := users(t, s)[0]
	if ada.ID != adaText || ada.PrimaryGroup != "513" {
		t.Errorf("%+v", ada)
	}
	if found, err := s.Lookup(t.Context(), proto.KindUser, []string{adaText}); err != nil || len(found) != 1 || found[0].ID != adaText {
		t.Errorf("%+v, %v", found, err)
	}
	if groups, err := s.GroupsOf(t.Context(), ada); err != nil || len(groups) != 1 || groups[0].GroupToken != "513" {
		t.Errorf("%+v, %v", groups, err)
	}
	_, err := s.Lookup(t.Context(), proto.KindUser, []string{"ada"})
	wantFault(t, err, fault.Directory, true, "id ada isn't a GUID")
}

// bigGroup answers as Windows does: 1,500 members at once.
func bigGroup(members int, tamper func(c *fakeConn, r request, from int) bool) func(c *fakeConn, r request) {
	const limit = 1500
	return func(c *fakeConn, r request) {
		from := 0
		for _, a := range r.attributes {
			if _, span, ok := strings.Cut(a, "range="); ok {
				if _, err := fmt.Sscanf(span, "%d-*", &from); err != nil {
					panic(err)
				}
			}
		}
		if tamper != nil && from > 0 && tamper(c, r, from) {
			return
		}
		to, high := from+limit, fmt.Sprint(from+limit-1)
		if to >= members {
			to, high = members, "*"
		}
		var window []string
		for i := from; i < to; i++ {
			window = append(window, fmt.Sprintf("CN=U%d,DC=example,DC=org", i))
		}
		c.entry(r, "CN=All,DC=example,DC=org", attributes{
			"cn": {"All"}, "objectGUID": {adaGUID}, "member": {}, fmt.Sprintf("member;range=%d-%s", from, high): window,
		})
		if slices.Contains(r.controls, goldap.ControlTypePaging) {
			c.page(r, "")
		} else {
			c.done(r, 0)
		}
	}
}

func TestRangesAreFetched(t *testing.T) {
	for _, members := range []int{1, 1500, 1501, 4000} {
		f := newFake(t)
		f.activeDirectory()
		f.search = bigGroup(members, nil)
		s := open(t, f.config())
		listed, err := collect(s.Groups(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		read, err := s.Group(t.Context(), "CN=All,DC=example,DC=org")
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []extractor.Record{listed[0], read} {
			if len(got.Members) != members {
				t.Fatalf("%d members of %d", len(got.Members), members)
			}
			for i, m := range got.Members {
				if m != fmt.Sprintf("CN=U%d,DC=example,DC=org", i) {
					t.Fatalf("member %d is %s", i, m)
				}
			}
		}
	}
}

func TestLostRangeIsAnError(t *testing.T) {
	for name, tamper := range map[string]func(c *fakeConn, r request, from int) bool{
		"missing": func(c *fakeConn, r request, from int) bool {
			c.entry(r, r.base, attributes{"cn": {"All"}})
			c.done(r, 0)
			return from >= 3000
		},
		"repeated": func(c *fakeConn, r request, from int) bool {
			c.entry(r, r.base, attributes{"member;range=0-1499": {"CN=U0"}})
			c.done(r, 0)
			return true
		},
		"refused": func(c *fakeConn, r request, from int) bool { c.done(r, 1); return true },
		"gone":    func(c *fakeConn, r request, from int) bool { c.done(r, 32); return true },
		"cut":     func(c *fakeConn, r request, from int) bool { c.Close(); return true },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.activeDirectory()
			f.search = bigGroup(4000, tamper)
			got, err := collect(open(t, f.config()).Groups(t.Context()))
			if class, _ := fault.Of(err); class != fault.Directory || got != nil {
				t.Errorf("%d groups, %v", len(got), err)
			}
		})
	}
}

func TestAnonymousActiveDirectory(t *testing.T) {
	f := newFake(t)
	f.activeDirectory()
	f.search = func(c *fakeConn, r request) {
		c.result(r, goldap.ApplicationSearchResultDone, 1, "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563\x00")
	}
	cfg := f.config()
	cfg.BindDN = ""
	_, err := collect(open(t, cfg).Users(t.Context()))
	wantFault(t, err, fault.Directory, true, "configure a bind DN")
}
