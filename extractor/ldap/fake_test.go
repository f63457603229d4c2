package ldap_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/extractor/ldap"
)

// fake is an LDAP server that does what real ones do rarely. It answers binds with success, and reads of the root DSE and of the
// base by itself; every other search is the test's.
type fake struct {
	t        *testing.T
	uri      string
	root     map[string][]string // the root DSE
	search   func(c *fakeConn, r request)
	bind     func(c *fakeConn, r request)
	extended func(c *fakeConn, r request)

	mu          sync.Mutex
	connections int
	seen        []request
}

// request is what a client asked.
type request struct {
	id         int64
	op         ber.Tag
	base       string
	scope      int64
	filter     string
	raw        string // the same as bytes: DecompileFilter loses NULs
	attributes []string
	controls   []string
	cookie     string // of the paging control
	size       int64
}

type attributes map[string][]string

func newFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, uri: "ldap://" + l.Addr().String(), root: map[string][]string{
		"objectClass": {"top", "OpenLDAProotDSE"}, "namingContexts": {"dc=example,dc=org"}, "supportedControl": {goldap.ControlTypePaging},
	}}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.connections++
			f.mu.Unlock()
			all.Go(func() { f.serve(&fakeConn{c}) })
		}
	})
	return f
}

// activeDirectory makes f one.
func (f *fake) activeDirectory() {
	f.root["objectClass"] = nil
	f.root["supportedCapabilities"] = []string{"1.2.840.113556.1.4.800"}
	f.root["defaultNamingContext"] = f.root["namingContexts"]
	f.root["supportedControl"] = append(f.root["supportedControl"], "1.2.840.113556.1.4.1339")
}

func (f *fake) config() ldap.Config {
	cfg := ldap.DefaultConfig()
	cfg.URIs = []string{f.uri}
	cfg.BindDN = "cn=sync,dc=example,dc=org"
	cfg.Password = func() (string, error) { return "reading", nil }
	cfg.Bases = []string{"dc=example,dc=org"}
	cfg.UserFilter = "(objectClass=person)"
	cfg.GroupFilter = "(objectClass=group)"
	cfg.UserAttributes = []string{"uid"}
	cfg.GroupAttributes = []string{"cn"}
	cfg.RetryFor = 20 * time.Second
	cfg.Timeouts.Connect, cfg.Timeouts.Answer = 20*time.Second, 20*time.Second
	return cfg
}

func (f *fake) serve(c *fakeConn) {
	defer c.Close()
	for {
		packet, err := ber.ReadPacket(c)
		if err != nil {
			return
		}
		r := parseRequest(packet)
		f.mu.Lock()
		f.seen = append(f.seen, r)
		f.mu.Unlock()
		switch r.op {
		case goldap.ApplicationUnbindRequest:
			return
		case goldap.ApplicationBindRequest:
			if f.bind == nil {
				c.result(r, goldap.ApplicationBindResponse, 0, "")
			} else {
				f.bind(c, r)
			}
		case goldap.ApplicationExtendedRequest:
			f.extended(c, r)
		case goldap.ApplicationSearchRequest:
			switch {
			case r.base == "" && r.scope == 0:
				c.entry(r, "", f.root)
				c.done(r, 0)
			case slices.Equal(r.attributes, []string{"1.1"}):
				c.entry(r, r.base, nil)
				c.done(r, 0)
			default:
				f.search(c, r)
			}
		}
	}
}

// requests returns what clients asked of one kind.
func (f *fake) requests(op ber.Tag) []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.seen), func(r request) bool { return r.op != op })
}

// stall neither answers nor closes until the client does.
func stall(c *fakeConn, _ request) {
	for {
		if _, err := ber.ReadPacket(c); err != nil {
			return
		}
	}
}

func parseRequest(p *ber.Packet) request {
	r := request{id: p.Children[0].Value.(int64), op: p.Children[1].Tag}
	if r.op == goldap.ApplicationSearchRequest {
		s := p.Children[1].Children
		r.base, r.scope = s[0].Value.(string), s[1].Value.(int64)
		r.raw = string(s[6].Bytes())
		r.filter, _ = goldap.DecompileFilter(s[6])
		for _, a := range s[7].Children {
			r.attributes = append(r.attributes, a.Value.(string))
		}
	}
	if len(p.Children) > 2 {
		for _, child := range p.Children[2].Children {
			control, err := goldap.DecodeControl(child)
			if err != nil {
				panic(err)
			}
			r.controls = append(r.controls, control.GetControlType())
			if paging, ok := control.(*goldap.ControlPaging); ok {
				r.cookie, r.size = string(paging.Cookie), int64(paging.PagingSize)
			}
		}
	}
	return r
}

// fakeConn writes answers.
type fakeConn struct{ net.Conn }

func (c *fakeConn) send(r request, op *ber.Packet, controls ...goldap.Control) {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.id, ""))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, control := range controls {
			list.AppendChild(control.Encode())
		}
		p.AppendChild(list)
	}
	_, _ = c.Write(p.Bytes())
}

func (c *fakeConn) result(r request, op ber.Tag, code int, diagnostic string, controls ...goldap.Control) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	p.AppendChild(octets(""))
	p.AppendChild(octets(diagnostic))
	c.send(r, p, controls...)
}

// done ends a search without a paging control, page with one; a cookie of "" is the last.
func (c *fakeConn) done(r request, code int) {
	c.result(r, goldap.ApplicationSearchResultDone, code, "")
}

func (c *fakeConn) page(r request, cookie string) {
	control := goldap.NewControlPaging(0)
	control.SetCookie([]byte(cookie))
	c.result(r, goldap.ApplicationSearchResultDone, 0, "", control)
}

func (c *fakeConn) entry(r request, dn string, all attributes) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(octets(dn))
	list := ber.NewSequence("")
	for name, values := range all {
		a := ber.NewSequence("")
		a.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range values {
			set.AppendChild(octets(v))
		}
		a.AppendChild(set)
		list.AppendChild(a)
	}
	p.AppendChild(list)
	c.send(r, p)
}

// user sends a person.
func (c *fakeConn) user(r request, uid string) {
	c.entry(r, "uid="+uid+",dc=example,dc=org", attributes{"uid": {uid}, "entryUUID": {"id-" + uid}})
}

func (c *fakeConn) reference(r request, uri string) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultReference, nil, "")
	p.AppendChild(octets(uri))
	c.send(r, p)
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// asks tells whether r wants an attribute.
func (r request) asks(name string) bool {
	return slices.ContainsFunc(r.attributes, func(a string) bool { return strings.EqualFold(a, name) })
}
