package demo

import (
	"bufio"
	"crypto/subtle"
	"slices"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/ldapmatch"
)

const (
	oidWhoAmI      = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532
	oidPaging      = "1.2.840.113556.1.4.319"  // RFC 2696
	oidManageDSAIT = "2.16.840.1.113730.3.4.2" // RFC 3296; there are no references to manage
	oidDomainScope = "1.2.840.113556.1.4.1339" // AD; there are no references to suppress
	oidAllOperattr = "1.3.6.1.4.1.4203.1.5.1"  // RFC 3673: "+"
)

// supportedControls returns the controls that the root DSE names.
func supportedControls() []string { return []string{oidPaging, oidManageDSAIT, oidDomainScope} }

// conn is one client's connection. Only its own goroutine touches it.
type conn struct {
	directory *Directory
	out       *bufio.Writer
	bound     bool
	pages     map[string]*listing // paged searches under way, by cookie
	cookies   uint64
}

// answer carries out one request. It returns false when the connection has to end.
func (c *conn) answer(m message) bool {
	for _, control := range m.controls {
		if control.critical && !slices.Contains(supportedControls(), control.oid) && responseTag(m.op.Tag) != 0 {
			c.end(m, result{code: ldap.LDAPResultUnavailableCriticalExtension, text: "control " + control.oid + " isn't known here"})
			return true
		}
	}
	switch m.op.Tag {
	case ldap.ApplicationUnbindRequest:
		return false
	case ldap.ApplicationAbandonRequest:
		return true // what it names has been answered already
	case ldap.ApplicationBindRequest:
		c.end(m, c.bind(m.op))
	case ldap.ApplicationSearchRequest:
		c.search(m)
	case ldap.ApplicationCompareRequest:
		c.end(m, c.compare(m.op))
	case ldap.ApplicationExtendedRequest:
		c.extended(m)
	case ldap.ApplicationModifyRequest, ldap.ApplicationAddRequest, ldap.ApplicationDelRequest, ldap.ApplicationModifyDNRequest:
		c.end(m, result{code: ldap.LDAPResultUnwillingToPerform, text: "this directory can only be read over LDAP"})
	default:
		return false
	}
	return true
}

// end writes an operation's result.
func (c *conn) end(m message, r result, more ...*ber.Packet) {
	c.write(encodeMessage(m.id, encodeResult(responseTag(m.op.Tag), r, more...)))
}

// write hands on to a buffer, whose errors are kept until Flush.
func (c *conn) write(b []byte) { _, _ = c.out.Write(b) }

// responseTag is the tag of a request's response, 0 for those that have none.
func responseTag(request ber.Tag) ber.Tag {
	switch request {
	case ldap.ApplicationSearchRequest:
		return ldap.ApplicationSearchResultDone
	case ldap.ApplicationUnbindRequest, ldap.ApplicationAbandonRequest:
		return 0
	case ldap.ApplicationExtendedRequest:
		return ldap.ApplicationExtendedResponse
	}
	return request + 1
}

func malformed(what string) result {
	return result{code: ldap.LDAPResultProtocolError, text: what + " is malformed"}
}

// bind decides who the client is (RFC 4513, section 5.1).
func (c *conn) bind(op *ber.Packet) result {
	c.bound = false
	if len(op.Children) < 3 {
		return malformed("bind request")
	}
	if number(op.Children[0]) != 3 {
		return result{code: ldap.LDAPResultProtocolError, text: "only version 3 is spoken here"}
	}
	name, credentials := text(op.Children[1]), op.Children[2]
	password := text(credentials)
	switch {
	case credentials.ClassType != ber.ClassContext || credentials.Tag != 0:
		return result{code: ldap.LDAPResultAuthMethodNotSupported, text: "only simple bind is spoken here"}
	case name == "" && password == "":
		return result{code: ldap.LDAPResultInappropriateAuthentication, text: "anonymous bind isn't allowed"}
	case password == "":
		return result{code: ldap.LDAPResultUnwillingToPerform, text: "a bind with a DN needs a password"}
	}
	self, _, err := ldapmatch.ParseDN(name)
	known, _, _ := ldapmatch.ParseDN(BindDN)
	if err != nil || self != known || subtle.ConstantTimeCompare([]byte(password), []byte(BindPassword)) != 1 {
		return result{code: ldap.LDAPResultInvalidCredentials}
	}
	c.bound = true
	return result{}
}

// compare tells whether an entry has a value.
func (c *conn) compare(op *ber.Packet) result {
	if len(op.Children) != 2 || len(op.Children[1].Children) != 2 {
		return malformed("compare request")
	}
	if !c.bound {
		return unbound()
	}
	v, r := c.directory.read(text(op.Children[0]))
	if r.code != ldap.LDAPResultSuccess {
		return r
	}
	name, value := text(op.Children[1].Children[0]), text(op.Children[1].Children[1])
	values := v.Values(name)
	switch {
	case len(values) == 0:
		return result{code: ldap.LDAPResultNoSuchAttribute}
	case slices.ContainsFunc(values, func(w string) bool { return ldapmatch.Equal(name, w, value) }):
		return result{code: ldap.LDAPResultCompareTrue}
	}
	return result{code: ldap.LDAPResultCompareFalse}
}

func unbound() result {
	return result{code: ldap.LDAPResultStrongAuthRequired, text: "bind first: nothing but the root DSE is read anonymously"}
}

// extended answers "Who am I?"; any other operation, StartTLS too, isn't known (RFC 4511, section 4.12: protocolError).
func (c *conn) extended(m message) {
	switch {
	case len(m.op.Children) == 0:
		c.end(m, malformed("extended request"))
	case text(m.op.Children[0]) != oidWhoAmI:
		c.end(m, result{code: ldap.LDAPResultProtocolError, text: "this operation isn't known here"})
	default:
		who := ""
		if c.bound {
			who = "dn:" + BindDN
		}
		c.end(m, result{}, ber.NewString(ber.ClassContext, ber.TypePrimitive, 11, who, "responseValue"))
	}
}
