package django

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// ParseUUID returns a UUID in its canonical form, lower case with hyphens. It reads what Python's uuid.UUID reads: with and without hyphens,
// braces, "urn:uuid:". Stores bring what they read to this form too.
func ParseUUID(s string) (any, error) {
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "urn:uuid:")
	s = strings.ReplaceAll(strings.Trim(s, "{}"), "-", "")
	var u [16]byte
	if len(s) != 32 {
		return nil, fmt.Errorf("isn't a UUID")
	}
	if _, err := hex.Decode(u[:], []byte(s)); err != nil {
		return nil, fmt.Errorf("isn't a UUID")
	}
	return formatUUID(u), nil
}

func formatUUID(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
