package ldap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// paged answers with pages of people, and counts them.
func paged(pages, size int, asked *atomic.Int64) func(c *fakeConn, r request) {
	return func(c *fakeConn, r request) {
		n := 0
		if r.cookie != "" {
			_, _ = fmt.Sscan(r.cookie, &n)
		}
		if asked != nil {
			asked.Add(1)
		}
		for i := range size {
			c.user(r, fmt.Sprintf("u%d", n*size+i))
		}
		if n++; n < pages {
			c.page(r, fmt.Sprint(n))
		} else {
			c.page(r, "")
		}
	}
}

// TestNextPageIsOnItsWay: it is asked for before this one is handed over, and not the one after it.
func TestNextPageIsOnItsWay(t *testing.T) {
	f := newFake(t)
	second := make(chan struct{})
	answer := paged(10, 3, nil)
	f.search = func(c *fakeConn, r request) {
		if r.cookie == "1" {
			close(second)
		}
		answer(c, r)
	}
	read := 0
	for records, err := range open(t, f.config()).Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if read == 0 {
			<-second // while the first is at work
		}
		for i, r := range records {
			if want := fmt.Sprintf("id-u%d", read+i); r.ID != want {
				t.Fatalf("%s instead of %s", r.ID, want)
			}
		}
		read += len(records)
		if got := len(f.requests(goldap.ApplicationSearchRequest)) - 2; got > read/3+2 {
			t.Errorf("%d pages are asked for after %d users", got, read)
		}
	}
	if read != 30 {
		t.Errorf("%d users", read)
	}
}

// TestSlowConsumer: time that the caller takes isn't the server's silence, and nothing is dropped meanwhile.
func TestSlowConsumer(t *testing.T) {
	f := newFake(t)
	f.search = paged(4, 2000, nil)
	cfg := f.config()
	cfg.Timeouts.Answer = time.Second
	read := 0
	for records, err := range open(t, cfg).Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if read == 0 {
			time.Sleep(1500 * time.Millisecond)
		}
		read += len(records)
	}
	if read != 8000 {
		t.Errorf("%d users", read)
	}
}

// TestMemoryIsFlat: a server without pages sends 64 MB in one answer.
func TestMemoryIsFlat(t *testing.T) {
	const people = 64 << 10
	f := newFake(t)
	f.root["supportedControl"] = nil
	filler := strings.Repeat("x", 1000)
	f.search = func(c *fakeConn, r request) {
		one := &recorder{Conn: c.Conn}
		(&fakeConn{one}).entry(r, "uid=u,dc=example,dc=org", attributes{"uid": {filler}, "entryUUID": {"1"}})
		for range people / 64 {
			_, _ = c.Write(bytes.Repeat(one.Bytes(), 64))
		}
		c.done(r, 0)
	}
	var m runtime.MemStats
	read, batches := 0, 0
	for records, err := range open(t, f.config()).Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		read += len(records)
		if batches++; batches%16 == 0 {
			runtime.GC()
			if runtime.ReadMemStats(&m); m.HeapAlloc > 24<<20 {
				t.Fatalf("%d MiB after %d users", m.HeapAlloc>>20, read)
			}
		}
	}
	if read != people {
		t.Errorf("%d users", read)
	}
}

// recorder keeps what is written.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error)  { return r.Conn.Read(p) }
func (r *recorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }

func TestLargeGroup(t *testing.T) {
	const members = 100_000
	f := newFake(t)
	all := make([]string, members)
	for i := range all {
		all[i] = fmt.Sprintf("uid=user%06d,ou=people,dc=example,dc=org", i)
	}
	f.search = func(c *fakeConn, r request) {
		c.entry(r, "cn=all,dc=example,dc=org", attributes{"cn": {"all"}, "entryUUID": {"1"}, "member": all})
		c.entry(r, "cn=one,dc=example,dc=org", attributes{"cn": {"one"}, "entryUUID": {"2"}, "member": all[:1]})
		c.page(r, "")
	}
	got, err := collect(open(t, f.config()).Groups(t.Context()))
	if err != nil || len(got) != 2 || len(got[0].Members) != members || len(got[1].Members) != 1 {
		t.Fatalf("%d groups, %v", len(got), err)
	}
	for i, m := range got[0].Members {
		if m != all[i] {
			t.Fatalf("member %d is %s", i, m)
		}
	}
}

// TestGroupsDontKeepTheirMembers: whoever keeps names and attributes of 100 groups of 1 MB each keeps little.
func TestGroupsDontKeepTheirMembers(t *testing.T) {
	f := newFake(t)
	all := make([]string, 20_000)
	for i := range all {
		all[i] = fmt.Sprintf("uid=user%06d,ou=people,dc=example,dc=org", i)
	}
	f.search = func(c *fakeConn, r request) {
		one := &recorder{Conn: c.Conn}
		(&fakeConn{one}).entry(r, "cn=all,dc=example,dc=org", attributes{"cn": {"all"}, "entryUUID": {"1"}, "member": all})
		for range 100 {
			_, _ = c.Write(one.Bytes())
		}
		c.page(r, "")
	}
	var kept []extractor.Record
	for records, err := range open(t, f.config()).Groups(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if len(r.Members) != len(all) {
				t.Fatalf("%d members", len(r.Members))
			}
			kept = append(kept, extractor.Record{ID: r.ID, DN: r.DN, Attributes: r.Attributes})
		}
	}
	var m runtime.MemStats
	runtime.GC()
	if runtime.ReadMemStats(&m); len(kept) != 100 || m.HeapAlloc > 24<<20 {
		t.Errorf("%d MiB for %d groups", m.HeapAlloc>>20, len(kept))
	}
	runtime.KeepAlive(kept)
}

// TestRangesWithinAPagedListing: the rest of a group's members is asked for while the next page is on its way.
func TestRangesWithinAPagedListing(t *testing.T) {
	const pages, members = 5, 4000
	f := newFake(t)
	f.activeDirectory()
	one := bigGroup(members, nil)
	f.search = func(c *fakeConn, r request) {
		if r.size == 0 {
			one(c, r)
			return
		}
		var n int
		_, _ = fmt.Sscan(r.cookie, &n)
		var first []string
		for i := range 1500 {
			first = append(first, fmt.Sprintf("CN=U%d,DC=example,DC=org", i))
		}
		c.entry(r, fmt.Sprintf("CN=G%d,DC=example,DC=org", n), attributes{"cn": {"g"}, "objectGUID": {adaGUID}, "member": {}, "member;range=0-1499": first})
		if n++; n == pages {
			c.page(r, "")
		} else {
			c.page(r, fmt.Sprint(n))
		}
	}
	s := open(t, f.config())
	got, err := collect(s.Groups(t.Context()))
	if err != nil || len(got) != pages {
		t.Fatalf("%d groups, %v", len(got), err)
	}
	for i, g := range got {
		if g.DN != fmt.Sprintf("CN=G%d,DC=example,DC=org", i) || len(g.Members) != members || g.Members[members-1] != fmt.Sprintf("CN=U%d,DC=example,DC=org", members-1) {
			t.Errorf("%s: %d members", g.DN, len(g.Members))
		}
	}
}

// TestCancelledWhileTheCallerWorks: what is at hand already may come, but the listing isn't complete.
func TestCancelledWhileTheCallerWorks(t *testing.T) {
	f := newFake(t)
	f.search = paged(10, 3, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := 0
	var failed error
	for records, err := range open(t, f.config()).Users(ctx) {
		cancel()
		read, failed = read+len(records), err
	}
	if !errors.Is(failed, context.Canceled) || read > 9 {
		t.Errorf("%d users, %v", read, failed)
	}
}

// TestLookupWhileTheServerStalls: the page that is on its way comes first, and never comes.
func TestLookupWhileTheServerStalls(t *testing.T) {
	f := newFake(t)
	f.search = func(c *fakeConn, r request) {
		if r.cookie == "" {
			c.user(r, "u1")
			c.page(r, "next")
			return
		}
		c.user(r, "u2")
		stall(c, r)
	}
	cfg := f.config()
	cfg.Timeouts.Answer = 100 * time.Millisecond
	s := open(t, cfg)
	var failed error
	for records, err := range s.Users(t.Context()) {
		failed = err
		for range records {
			if _, err := s.Lookup(t.Context(), proto.KindUser, []string{"x"}); err == nil {
				t.Error("the lookup found an answer")
			}
		}
	}
	if failed == nil {
		t.Error("the listing is complete")
	}
}

// TestClosedWhileReading: nothing hangs.
func TestClosedWhileReading(t *testing.T) {
	f := newFake(t)
	reached := make(chan struct{})
	f.search = func(c *fakeConn, r request) { c.user(r, "u1"); close(reached); stall(c, r) }
	s := open(t, f.config())
	go func() { <-reached; s.Close() }()
	if got, err := collect(s.Users(t.Context())); err == nil {
		t.Errorf("%d users and no error", len(got))
	}
}

// TestLookupsBetweenPages disturb nothing: each answer goes to who asked.
func TestLookupsBetweenPages(t *testing.T) {
	f := newFake(t)
	list := paged(20, 5, nil)
	f.search = func(c *fakeConn, r request) {
		if r.size > 0 {
			list(c, r)
			return
		}
		c.user(r, "looked-up")
		c.done(r, 0)
	}
	s := open(t, f.config())
	seen := map[string]bool{}
	for records, err := range s.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			seen[r.ID] = true
			found, err := s.Lookup(t.Context(), proto.KindUser, []string{r.ID})
			if err != nil || len(found) != 1 || found[0].ID != "id-looked-up" {
				t.Fatalf("%v, %v", found, err)
			}
		}
	}
	if len(seen) != 100 || seen["id-looked-up"] {
		t.Errorf("%d users", len(seen))
	}
}

// TestSameAsGoLDAP reads one directory with both.
func TestSameAsGoLDAP(t *testing.T) {
	c := newCompany(t)
	var uids []string
	for i := range 40 {
		uids = append(uids, fmt.Sprint("user", i))
	}
	c.hire(uids...)
	c.Modify("dn: " + c.person("user7") + "\nchangetype: modify\nadd: jpegPhoto\njpegPhoto:: /9gAAQ==\n-\nadd: givenName\ngivenName:: w4lkaXRo\ngivenName: Anne\n")
	cfg := c.config()
	cfg.PageSize = 7
	cfg.UserAttributes = []string{"uid", "givenName", "jpegPhoto", "mail", "objectClass"}
	l, err := goldap.DialURL(c.URI)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Bind(c.BindDN, c.Password); err != nil {
		t.Fatal(err)
	}
	want, err := l.SearchWithPaging(goldap.NewSearchRequest(c.BaseDN, 2, 0, 0, 0, false, cfg.UserFilter, append(cfg.UserAttributes, "entryUUID"), nil), 7)
	if err != nil {
		t.Fatal(err)
	}
	got := users(t, open(t, cfg))
	if len(got) != len(want.Entries) {
		t.Fatalf("%d entries instead of %d", len(got), len(want.Entries))
	}
	for i, e := range want.Entries {
		r := extractor.Record{DN: e.DN, ID: e.GetAttributeValue("entryUUID"), UID: e.GetAttributeValue("uid")}
		for _, name := range cfg.UserAttributes {
			if values := e.GetAttributeValues(name); len(values) > 0 {
				r.Attributes = append(r.Attributes, extractor.Attribute{Name: name, Values: values})
			}
		}
		if fmt.Sprintf("%q", got[i]) != fmt.Sprintf("%q", r) {
			t.Errorf("got  %q\nwant %q", got[i], r)
		}
	}
}
