package ldap

import (
	"fmt"
	"strconv"
	"strings"
)

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
