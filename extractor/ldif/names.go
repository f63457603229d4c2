package ldif

// trailer begins the comment with which ldapsearch ends its output, and Writer too.
const trailer = "# numEntries: "

// validName tells whether name is an attribute description (RFC 4512, 2.5): a name or an OID, then options.
func validName(name []byte) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != ';' {
			continue
		}
		part := name[start:i]
		if len(part) == 0 || start == 0 && !validType(part) || start > 0 && !all(part, isKeyChar) {
			return false
		}
		start = i + 1
	}
	return true
}

// validType tells whether s is a descr, or digits and dots. (Underscores aren't in the RFC, but in directories.)
func validType(s []byte) bool {
	if '0' <= s[0] && s[0] <= '9' {
		return all(s, func(c byte) bool { return c == '.' || '0' <= c && c <= '9' })
	}
	return isLetter(s[0]) && all(s, isKeyChar)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isKeyChar(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '=' || c == '*'
}

func all(s []byte, is func(byte) bool) bool {
	for _, c := range s {
		if !is(c) {
			return false
		}
	}
	return true
}
