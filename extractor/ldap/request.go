package ldap

import (
	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// startTLSName is the name of the request for TLS (RFC 4511, 4.14.1).
const startTLSName = "1.3.6.1.4.1.1466.20037"

// encodeMessage writes a request with its controls (RFC 4511, 4.1.1).
func encodeMessage(id int64, op *ber.Packet, controls ...goldap.Control) []byte {
	m := ber.NewSequence("LDAP Request")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "MessageID"))
	m.AppendChild(op)
	if len(controls) > 0 {
		all := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "Controls")
		for _, control := range controls {
			all.AppendChild(control.Encode())
		}
		m.AppendChild(all)
	}
	return m.Bytes()
}

// operation is the protocolOp of a request.
func operation(tag ber.Tag, children ...*ber.Packet) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "Request")
	for _, child := range children {
		op.AppendChild(child)
	}
	return op
}

func text(value string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, "")
}

func number(tag ber.Tag, value int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, tag, value, "")
}

// simpleBind and externalBind are BindRequests (RFC 4511, 4.2).
func simpleBind(dn, password string) *ber.Packet {
	return bindRequest(dn, ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, password, "Password"))
}

func externalBind() *ber.Packet {
	sasl := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "SASL")
	sasl.AppendChild(text("EXTERNAL"))
	sasl.AppendChild(text("")) // act as whoever the certificate or the socket says
	return bindRequest("", sasl)
}

func bindRequest(dn string, authentication *ber.Packet) *ber.Packet {
	return operation(goldap.ApplicationBindRequest, number(ber.TagInteger, 3), text(dn), authentication)
}

func startTLSRequest() *ber.Packet {
	return operation(goldap.ApplicationExtendedRequest, ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, startTLSName, "Start TLS"))
}

func unbindRequest() *ber.Packet {
	return ber.Encode(ber.ClassApplication, ber.TypePrimitive, goldap.ApplicationUnbindRequest, nil, "Unbind")
}

// searchRequest is a SearchRequest (RFC 4511, 4.5.1) without limits of its own, that leaves aliases alone.
func searchRequest(q query) (*ber.Packet, error) {
	filter, err := goldap.CompileFilter(q.filter)
	if err != nil {
		return nil, err
	}
	asked := ber.NewSequence("Attributes")
	for _, name := range q.attributes {
		asked.AppendChild(text(name))
	}
	if len(q.attributes) == 0 {
		asked.AppendChild(text(noAttributes))
	}
	typesOnly := ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, "Types Only")
	return operation(goldap.ApplicationSearchRequest, text(q.base), number(ber.TagEnumerated, q.scope),
		number(ber.TagEnumerated, goldap.NeverDerefAliases), number(ber.TagInteger, 0), number(ber.TagInteger, 0), typesOnly, filter, asked), nil
}

// pagingControl asks for a page (RFC 2696); cookie is that of the page before.
func pagingControl(size int, cookie string) goldap.Control {
	control := goldap.NewControlPaging(uint32(size))
	control.SetCookie([]byte(cookie))
	return control
}
