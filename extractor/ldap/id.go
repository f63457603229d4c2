package ldap

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isGUID tells whether an attribute holds a GUID of 16 bytes, in Microsoft's order.
func isGUID(attribute string) bool {
	switch fold(attribute) {
	case "objectguid", "ms-ds-consistencyguid":
		return true
	}
	return false
}

// idText returns an entry's id in its usual text form, or why it has none. An id that has several values is none: the server may
// put another one first tomorrow.
func idText(attribute string, guid bool, raw []string) (id, problem string) {
	switch {
	case len(raw) == 0 || len(raw[0]) == 0:
		return "", "it has no " + attribute
	case len(raw) > 1:
		return "", fmt.Sprintf("it has %d values of %s, which gives its id", len(raw), attribute)
	case guid:
		if len(raw[0]) != 16 {
			return "", fmt.Sprintf("its %s has %d bytes instead of 16", attribute, len(raw[0]))
		}
		return guidText([16]byte([]byte(raw[0]))), ""
	case !utf8.ValidString(raw[0]) || strings.ContainsRune(raw[0], 0):
		return "", "its " + attribute + " isn't text"
	}
	return raw[0], ""
}

// guidText writes a GUID as Windows does: its first three parts are little-endian (MS-DTYP, 2.3.4.2), the rest stands in order.
func guidText(b [16]byte) string {
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

// parseGUID is guidText's inverse.
func parseGUID(text string) ([16]byte, bool) {
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

// siblingSID returns the SID that differs from sid in its last part alone, the relative id: that of a group of the user's domain
// (MS-DTYP, 2.4.2.2: one byte revision, one byte count of parts, six bytes authority, then each part in 4 bytes, little-endian).
func siblingSID(sid []byte, rid string) ([]byte, bool) {
	n, err := strconv.ParseUint(rid, 10, 32)
	if err != nil || len(sid) < 12 || len(sid) != 8+4*int(sid[1]) {
		return nil, false
	}
	sibling := append([]byte(nil), sid...)
	tail := sibling[len(sibling)-4:]
	tail[0], tail[1], tail[2], tail[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return sibling, true
}

// escapeBytes writes any bytes as a value in a filter (RFC 4515).
func escapeBytes(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		fmt.Fprintf(&b, "\\%02x", c)
	}
	return b.String()
}
