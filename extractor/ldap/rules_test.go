package ldap_test

import (
	"bytes"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// TestAnswerThatBreaksTheRules: the second page is one that go-ldap would read, or wait for, or make a success of.
func TestAnswerThatBreaksTheRules(t *testing.T) {
	raw := func(b string) func(*fakeConn, request) {
		return func(c *fakeConn, _ request) { _, _ = c.Write([]byte(b)) }
	}
	// op answers with an operation that is written byte for byte.
	op := func(b string, rest ...string) func(*fakeConn, request) {
		return func(c *fakeConn, r request) {
			body := string(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.id, "").Bytes()) + b + strings.Join(rest, "")
			_, _ = c.Write(append([]byte{0x30, 0x84, 0, 0, byte(len(body) >> 8), byte(len(body))}, body...))
		}
	}
	const success = "\x65\x07\x0a\x01\x00\x04\x00\x04\x00"
	paging := string(goldap.NewControlPaging(0).Encode().Bytes())
	list := func(controls string) string { return "\xa0" + string(rune(len(controls))) + controls }
	for name, tt := range map[string]struct {
		second func(c *fakeConn, r request)
		words  string
	}{
		"another id":            {func(c *fakeConn, r request) { r.id += 7; c.page(r, "") }, "instead of an answer to"},
		"the page before's id":  {func(c *fakeConn, r request) { r.id--; c.page(r, "") }, "instead of an answer to"},
		"id of an entry":        {func(c *fakeConn, r request) { r.id--; c.user(r, "u3") }, "instead of an answer to"},
		"answer to a bind":      {func(c *fakeConn, r request) { c.result(r, goldap.ApplicationBindResponse, 0, "") }, "a search is answered with the tag 0x61"},
		"a request":             {func(c *fakeConn, r request) { c.result(r, goldap.ApplicationSearchRequest, 0, "") }, "a search is answered with the tag 0x63"},
		"indefinite length":     {raw("\x30\x80\x02\x01\x05\x65\x07\x0a\x01\x00\x04\x00\x04\x00\x00\x00"), "no definite length"},
		"too long":              {raw("\x30\x84\x10\x00\x00\x01"), "at most 268435456 are read"},
		"much too long":         {raw("\x30\x84\xff\xff\xff\xff"), "at most 268435456 are read"},
		"length of many bytes":  {raw("\x30\x88\x00\x00\x00\x00\x00\x00\x00\x0c"), "has 8 bytes"},
		"nothing":               {raw("\x30\x00"), "ends within its head"},
		"length beyond":         {op("\x65\x7f\x0a\x01\x00\x04\x00\x04\x00"), "stands where"},
		"result beyond":         {op("\x65\x07\x0a\x01\x00\x04\x00\x04\x05"), "stands where"},
		"result cut short":      {op("\x65\x05\x0a\x01\x00\x04\x00"), "diagnostic message"},
		"result without a code": {op("\x65\x06\x0a\x00\x04\x00\x04\x00"), "result code"},
		"negative result":       {op("\x65\x07\x0a\x01\xff\x04\x00\x04\x00"), "result code: -1"},
		"result beyond 16 bits": {op("\x65\x09\x0a\x03\x01\x00\x00\x04\x00\x04\x00"), "result code: 65536"}, // 0 in 16 bits
		"entry beyond":          {func(c *fakeConn, r request) { op("\x64\x07\x04\x01u\x30\x82\x01\x00")(c, r); c.page(r, "") }, "stands where"},
		"values beyond": {func(c *fakeConn, r request) {
			op("\x64\x0c\x04\x01u\x30\x07\x30\x05\x04\x01b\x31\x09")(c, r)
			c.page(r, "")
		}, "values"},
		"entry without a list": {func(c *fakeConn, r request) { op("\x64\x03\x04\x01u")(c, r); c.page(r, "") }, "attributes"},
		"value that is a list": {func(c *fakeConn, r request) {
			op("\x64\x0e\x04\x01u\x30\x09\x30\x07\x04\x01b\x31\x02\x30\x00")(c, r)
			c.page(r, "")
		}, "value"},
		"paging without a value": {op(success, list("\x30\x18\x04\x16"+goldap.ControlTypePaging)), "paging control"},
		"paging cut short":       {op(success, list("\x30\x1f\x04\x16"+goldap.ControlTypePaging+"\x04\x05\x30\x03\x02\x01\x00")), "cookie"},
		"two paging controls":    {op(success, list(paging+paging)), "two paging controls"},
		"controls cut short":     {op(success, "\xa0\x7f"), "stands where"},
		"another control":        {op(success, list("\x30\x05\x04\x031.2")), "without its paging control"},
		"20 MB of garbage":       {func(c *fakeConn, r request) { _, _ = c.Write(bytes.Repeat([]byte("garbage!"), 20<<17)); c.Close() }, "can't be read"},
		"20 MB in a message": {func(c *fakeConn, r request) {
			_, _ = c.Write(append([]byte{0x30, 0x84, 0x01, 0x40, 0, 0}, bytes.Repeat([]byte("garbage!"), 20<<17)...))
		}, "can't be read"},
		"goodbye":            {goodbye(goldap.LDAPResultUnavailable, "closing for the night"), "unavailable (52): the server ends the connection: closing for the night"},
		"goodbye as success": {goodbye(0, "x"), "unavailable (52): the server ends the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.search = func(c *fakeConn, r request) {
				if r.cookie == "" {
					c.user(r, "u1")
					c.page(r, "next")
					return
				}
				tt.second(c, r)
			}
			cfg := f.config()
			s := open(t, cfg)
			got, err := collect(s.Users(t.Context()))
			wantFault(t, err, fault.Directory, false, tt.words)
			if len(got) != 1 {
				t.Errorf("%d users before the error", len(got))
			}
			if strings.Contains(name, "paging control") && !strings.HasPrefix(name, "two") {
				return
			}
			if name != "another control" {
				if _, err := s.Lookup(t.Context(), proto.KindUser, []string{"x"}); err == nil {
					t.Error("the connection is used again")
				}
			}
		})
	}
}

// goodbye is a notice of disconnection (RFC 4511, 4.4.1).
func goodbye(code int, diagnostic string) func(*fakeConn, request) {
	return func(c *fakeConn, r request) {
		p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationExtendedResponse, nil, "")
		p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
		p.AppendChild(octets(""))
		p.AppendChild(octets(diagnostic))
		p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, "1.3.6.1.4.1.1466.20036", ""))
		r.id = 0
		c.send(r, p)
	}
}

func TestIntermediateResponsesAreSkipped(t *testing.T) {
	f := newFake(t)
	f.search = func(c *fakeConn, r request) {
		c.send(r, ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationIntermediateResponse, nil, ""))
		c.user(r, "u1")
		c.send(r, ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationIntermediateResponse, nil, ""))
		c.page(r, "")
	}
	if got := users(t, open(t, f.config())); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}
