package demo

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"
)

// FuzzAnswer sends what no client would: the server may refuse it or end the connection, never fall over.
func FuzzAnswer(f *testing.F) {
	search := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	search.AppendChild(octets(Base))
	for _, n := range []int64{2, 0, 0, 0} {
		tag := ber.Tag(ber.TagEnumerated)
		if n == 0 {
			tag = ber.TagInteger
		}
		search.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, tag, n, ""))
	}
	search.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	filter, err := ldap.CompileFilter("(&(uid=a*b*c)(!(cn>=x))(uac:1.2.840.113556.1.4.803:=2)(|(ou:dn:=x)(member=cn=x)))")
	if err != nil {
		f.Fatal(err)
	}
	search.AppendChild(filter)
	search.AppendChild(ber.NewSequence(""))
	bind := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	bind.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(3), ""))
	bind.AppendChild(octets(BindDN))
	bind.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "x", ""))
	f.Add(encodeMessage(1, search, encodePage(page{size: 10})))
	f.Add(encodeMessage(2, bind))
	f.Add(encodeMessage(3, ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")))
	f.Add(encodeMessage(4, ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationCompareRequest, nil, "")))
	d, err := Empty(Base, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := &conn{directory: d, out: bufio.NewWriter(io.Discard), bound: true, pages: map[string]*listing{}}
		p, err := ber.ReadPacket(bytes.NewReader(sent))
		if err != nil {
			return
		}
		if m, err := decodeMessage(p); err == nil {
			c.answer(m)
		}
	})
}
