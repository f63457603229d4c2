package demo

import (
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/ldapmatch"
)

// question is a search request, taken apart.
type question struct {
	base       string
	scope      int64
	sizeLimit  int
	typesOnly  bool
	filter     ldapmatch.Filter
	attributes []string
}

// listing is a search under way: what is left of it when a page has been answered.
type listing struct {
	question
	rest     []view
	total    int
	exceeded bool // the size limit cuts it
}

func decodeSearch(op *ber.Packet) (question, bool) {
	if len(op.Children) != 8 {
		return question{}, false
	}
	filter, err := ldapmatch.Compile(op.Children[6])
	if err != nil {
		return question{}, false
	}
	only, _ := op.Children[5].Value.(bool)
	q := question{
		base: text(op.Children[0]), scope: number(op.Children[1]), sizeLimit: int(number(op.Children[3])),
		typesOnly: only, filter: filter,
	}
	for _, a := range op.Children[7].Children {
		q.attributes = append(q.attributes, text(a))
	}
	return q, true
}

// page is the paged results control of RFC 2696.
type page struct {
	size   int
	cookie string
}

func decodePage(controls []control) (*page, bool) {
	for _, c := range controls {
		if c.oid != oidPaging {
			continue
		}
		p, err := ber.DecodePacketErr(c.value)
		if err != nil || len(p.Children) != 2 {
			return nil, false
		}
		size := number(p.Children[0])
		return &page{int(size), text(p.Children[1])}, size >= 0
	}
	return nil, true
}

func encodePage(p page) *ber.Packet {
	value := ber.NewSequence("realSearchControlValue")
	value.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(p.size), "size"))
	value.AppendChild(octets(p.cookie))
	control := ber.NewSequence("control")
	control.AppendChild(octets(oidPaging))
	control.AppendChild(octets(string(value.Bytes())))
	return control
}

// search answers a search, or the next page of one. What a paged search answers is fixed when it begins.
func (c *conn) search(m message) {
	q, ok := decodeSearch(m.op)
	if !ok {
		c.end(m, malformed("search request"))
		return
	}
	p, ok := decodePage(m.controls)
	if !ok {
		c.end(m, malformed("paged results control"))
		return
	}
	if !c.bound && !(q.base == "" && q.scope == ldap.ScopeBaseObject) {
		c.end(m, unbound())
		return
	}
	var l *listing
	var r result
	if p != nil && p.cookie != "" {
		l = c.pages[p.cookie]
		delete(c.pages, p.cookie)
		if l == nil {
			r = result{code: ldap.LDAPResultUnwillingToPerform, text: "the cookie of the paged results control isn't of this connection"}
		}
	} else {
		l, r = c.directory.list(q)
	}
	if r.code != ldap.LDAPResultSuccess {
		c.end(m, r)
		return
	}
	c.answerPage(m, l, p)
}

// answerPage writes the next entries of a listing, all of them without a page, and the search's result.
func (c *conn) answerPage(m message, l *listing, p *page) {
	n := len(l.rest)
	if p != nil {
		n = min(n, p.size)
	}
	for _, v := range l.rest[:n] {
		c.write(encodeMessage(m.id, encodeEntry(v.dn, v.selected(l.attributes, l.typesOnly))))
	}
	l.rest = l.rest[n:]
	var r result
	if l.exceeded && len(l.rest) == 0 {
		r = result{code: ldap.LDAPResultSizeLimitExceeded}
	}
	done := encodeResult(ldap.ApplicationSearchResultDone, r)
	if p == nil {
		c.write(encodeMessage(m.id, done))
		return
	}
	answer := page{size: l.total}
	if len(l.rest) > 0 && p.size > 0 {
		c.cookies++
		answer.cookie = strconv.FormatUint(c.cookies, 10)
		c.pages[answer.cookie] = l
	}
	c.write(encodeMessage(m.id, done, encodePage(answer)))
}

// list finds the entries that a search answers.
func (d *Directory) list(q question) (*listing, result) {
	candidates, limit, r := d.scope(q.base, q.scope)
	if r.code != ldap.LDAPResultSuccess {
		return nil, r
	}
	l := &listing{question: q}
	for _, v := range candidates {
		if q.filter(v) == ldapmatch.True {
			l.rest = append(l.rest, v)
		}
	}
	for _, n := range []int{limit, q.sizeLimit} {
		if n > 0 && len(l.rest) > n {
			l.rest, l.exceeded = l.rest[:n], true
		}
	}
	l.total = len(l.rest)
	return l, result{}
}

// scope returns the entries that a search looks at, and the directory's own size limit.
func (d *Directory) scope(base string, scope int64) ([]view, int, result) {
	if base == "" && scope == ldap.ScopeBaseObject {
		return []view{d.rootDSE()}, 0, result{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	top, r := d.locate(base)
	if r.code != ldap.LDAPResultSuccess {
		return nil, 0, r
	}
	groups := d.groups()
	if scope == ldap.ScopeBaseObject {
		return []view{{top, groups}}, d.sizeLimit, result{}
	}
	var found []view
	for _, e := range d.order {
		switch scope {
		case ldap.ScopeSingleLevel:
			if e.parent != top.key || e == top {
				continue
			}
		case ldap.ScopeWholeSubtree:
			if !e.key.Below(top.key) {
				continue
			}
		case ldap.ScopeChildren:
			if e == top || !e.key.Below(top.key) {
				continue
			}
		default:
			return nil, 0, malformed("search scope")
		}
		found = append(found, view{e, groups})
	}
	return found, d.sizeLimit, result{}
}

// read returns one entry.
func (d *Directory) read(dn string) (view, result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, r := d.locate(dn)
	return view{e, d.groups()}, r
}

// locate finds the entry with this DN; the result names the part of it that exists.
func (d *Directory) locate(dn string) (*entry, result) {
	self, _, err := ldapmatch.ParseDN(dn)
	if err != nil {
		return nil, result{code: ldap.LDAPResultInvalidDNSyntax, text: "the DN is malformed"}
	}
	if e := d.entries[self]; e != nil {
		return e, result{}
	}
	r := result{code: ldap.LDAPResultNoSuchObject}
	for k := self; k != ""; {
		k = k.Parent()
		if e := d.entries[k]; e != nil {
			r.matched = e.dn
			break
		}
	}
	return nil, r
}

// rootDSE describes the server (RFC 4512, section 5.1).
func (d *Directory) rootDSE() view {
	return view{entry: &entry{attributes: []attribute{
		{"objectClass", []string{"top"}},
		{"namingContexts", []string{d.base}},
		{"supportedLDAPVersion", []string{"3"}},
		{"supportedControl", supportedControls()},
		{"supportedExtension", []string{oidWhoAmI}},
		{"supportedFeatures", []string{oidAllOperattr}},
		{"vendorName", []string{"ldapsync"}},
		{"vendorVersion", []string{"demo directory"}},
	}}}
}

// selected returns the attributes that a search asks for (RFC 4511, section 4.5.1.8): all but the operational ones if it names
// none or "*", the operational ones for "+", no attribute for "1.1" alone. Names are matched without case.
func (v view) selected(names []string, typesOnly bool) []attribute {
	all := len(names) == 0 || slices.Contains(names, "*")
	operational := slices.Contains(names, "+")
	var list []attribute
	for _, a := range v.attributes() {
		asked := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, a.name) })
		if !asked && !(all && !v.operational(a.name)) && !(operational && v.operational(a.name)) {
			continue
		}
		if typesOnly {
			a.values = nil
		}
		list = append(list, a)
	}
	return list
}

// operational tells whether an attribute is one that "*" leaves out: of the root DSE all are, but for its class.
func (v view) operational(name string) bool {
	if v.key == "" {
		return !strings.EqualFold(name, "objectClass")
	}
	return isOperational(name)
}
