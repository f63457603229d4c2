package demo

import (
	"errors"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldap "github.com/go-ldap/ldap/v3"
)

// The messages of RFC 4511, section 4, on go-asn1-ber.

// message is one request as it arrived.
type message struct {
	id       int64
	op       *ber.Packet
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte
}

// result is what ends an operation (LDAPResult): a code, a text for people, and the longest part of the DN that exists.
type result struct {
	code    uint16
	text    string
	matched string
}

var errMalformed = errors.New("not an LDAP message")

// decodeMessage takes an LDAPMessage apart. Only its frame is checked: what the operation holds is the operation's affair.
func decodeMessage(p *ber.Packet) (message, error) {
	if p.ClassType != ber.ClassUniversal || p.Tag != ber.TagSequence || len(p.Children) < 2 {
		return message{}, errMalformed
	}
	id, ok := p.Children[0].Value.(int64)
	if !ok || p.Children[1].ClassType != ber.ClassApplication {
		return message{}, errMalformed
	}
	m := message{id: id, op: p.Children[1]}
	if len(p.Children) > 2 {
		for _, c := range p.Children[2].Children {
			if len(c.Children) == 0 {
				return message{}, errMalformed
			}
			one := control{oid: text(c.Children[0])}
			for _, part := range c.Children[1:] {
				switch v := part.Value.(type) {
				case bool:
					one.critical = v
				case string:
					one.value = []byte(v)
				}
			}
			m.controls = append(m.controls, one)
		}
	}
	return m, nil
}

// text is the content of a primitive element.
func text(p *ber.Packet) string { return p.Data.String() }

// number is the content of an INTEGER or ENUMERATED.
func number(p *ber.Packet) int64 {
	n, _ := p.Value.(int64)
	return n
}

// encodeMessage puts an operation and its controls into an LDAPMessage.
func encodeMessage(id int64, op *ber.Packet, controls ...*ber.Packet) []byte {
	p := ber.NewSequence("LDAPMessage")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "messageID"))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
		for _, c := range controls {
			list.AppendChild(c)
		}
		p.AppendChild(list)
	}
	return p.Bytes()
}

// encodeResult is an operation's end; more are the elements that some operations have behind it.
func encodeResult(tag ber.Tag, r result, more ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "result")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(r.code), "resultCode"))
	p.AppendChild(octets(r.matched))
	p.AppendChild(octets(r.text))
	for _, m := range more {
		p.AppendChild(m)
	}
	return p
}

// encodeEntry is a SearchResultEntry.
func encodeEntry(dn string, attributes []attribute) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(octets(dn))
	list := ber.NewSequence("attributes")
	for _, a := range attributes {
		one := ber.NewSequence("attribute")
		one.AppendChild(octets(a.name))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		for _, v := range a.values {
			values.AppendChild(octets(v))
		}
		one.AppendChild(values)
		list.AppendChild(one)
	}
	p.AppendChild(list)
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "octets")
}
