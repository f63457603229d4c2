package ldapmatch

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// IsGUID tells whether an attribute holds a GUID of 16 bytes, in Microsoft's order.
func IsGUID(attribute string) bool {
	switch FoldName(attribute) {
	case "objectguid", "ms-ds-consistencyguid":
		return true
	}
	return false
}

// ID returns an entry's id in its usual text form, or why it has none. An id that has several values is none: the server may
// put another one first tomorrow. guid is what IsGUID says of the attribute.
func ID(attribute string, guid bool, raw []string) (id, problem string) {
	switch {
	case len(raw) == 0 || len(raw[0]) == 0:
		return "", "it has no " + attribute
	case len(raw) > 1:
		return "", fmt.Sprintf("it has %d values of %s, which gives its id", len(raw), attribute)
	case guid:
		if len(raw[0]) != 16 {
			return "", fmt.Sprintf("its %s has %d bytes instead of 16", attribute, len(raw[0]))
		}
		return GUIDText([16]byte([]byte(raw[0]))), ""
	case !utf8.ValidString(raw[0]) || strings.ContainsRune(raw[0], 0):
		return "", "its " + attribute + " isn't text"
	}
	return raw[0], ""
}

// GUIDText writes a GUID as Windows does: its first three parts are little-endian (MS-DTYP, 2.3.4.2), the rest stands in order.
func GUIDText(b [16]byte) string {
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5] = b[5], b[4]
	b[6], b[7] = b[7], b[6]
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}

// ParseGUID is GUIDText's inverse.
func ParseGUID(text string) ([16]byte, bool) {
	plain, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(plain) != 16 {
		return [16]byte{}, false
	}
	b := [16]byte(plain)
	b[0], b[1], b[2], b[3] = b[3], b[2], b[1], b[0]
	b[4], b[5] = b[5], b[4]
	b[6], b[7] = b[7], b[6]
	return b, true
}
