package ldap

import (
	"bytes"
	"net"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// TestRequestsAreGoLDAPs compares ours with what go-ldap sends, byte for byte.
func TestRequestsAreGoLDAPs(t *testing.T) {
	q := query{base: "dc=example,dc=org", scope: goldap.ScopeWholeSubtree, filter: `(&(objectClass=person)(|(uid=a\2ab)(!(cn=x*y))))`, attributes: []string{"uid", "mail"}}
	search, err := searchRequest(q)
	if err != nil {
		t.Fatal(err)
	}
	paging := pagingControl(500, "next")
	scope := goldap.NewControlString(controlDomainScope, false, "")
	for name, tt := range map[string]struct {
		send func(c *goldap.Conn) error
		ours []byte
	}{
		"simple bind":   {func(c *goldap.Conn) error { return c.Bind("cn=sync,dc=example,dc=org", "reading") }, encodeMessage(1, simpleBind("cn=sync,dc=example,dc=org", "reading"))},
		"external bind": {func(c *goldap.Conn) error { return c.ExternalBind() }, encodeMessage(1, externalBind())},
		"StartTLS":      {func(c *goldap.Conn) error { return c.StartTLS(nil) }, encodeMessage(1, startTLSRequest())},
		"unbind":        {func(c *goldap.Conn) error { return c.Unbind() }, encodeMessage(1, unbindRequest())},
		"search": {func(c *goldap.Conn) error {
			_, err := c.Search(goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, 0, 0, false, q.filter, q.attributes, []goldap.Control{paging, scope}))
			return err
		}, encodeMessage(1, search, paging, scope)},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			c := goldap.NewConn(client, false)
			c.Start()
			defer c.Close()
			done := make(chan struct{})
			go func() { defer close(done); _ = tt.send(c) }()
			p, err := ber.ReadPacket(server)
			if err != nil {
				t.Fatal(err)
			}
			server.Close()
			<-done
			if !bytes.Equal(p.Bytes(), tt.ours) {
				t.Errorf("ours %x\ntheirs %x", tt.ours, p.Bytes())
			}
		})
	}
}

func TestNoAttributesAreNotAllOfThem(t *testing.T) {
	p, err := searchRequest(query{filter: anything})
	if err != nil || len(p.Children[7].Children) != 1 || p.Children[7].Children[0].Value != noAttributes {
		t.Errorf("%v, %v", p, err)
	}
}
