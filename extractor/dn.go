package extractor

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldDN brings a distinguished name (RFC 4514) into a form in which equal names are equal strings: lower case, without optional
// spaces, escapes resolved, the parts of a multi-valued RDN sorted. It knows no schema: every value is matched without case and
// runs of spaces count as one, as caseIgnoreMatch does it (RFC 4518), which holds for the attributes that name people and groups.
func foldDN(dn string) string {
	if plainDN(dn) {
		return strings.ToLower(dn)
	}
	var out strings.Builder
	out.Grow(len(dn))
	for i, rdn := range splitDN(dn, ',', ';') {
		if i > 0 {
			out.WriteByte(',')
		}
		parts := splitDN(rdn, '+', '+')
		for j, part := range parts {
			parts[j] = foldAVA(part)
		}
		slices.Sort(parts)
		out.WriteString(strings.Join(parts, "+"))
	}
	return out.String()
}

// plainDN tells whether lower case is all that dn needs.
func plainDN(dn string) bool {
	before := byte(',')
	for i := range len(dn) {
		c := dn[i]
		switch {
		case c >= utf8.RuneSelf || c == '\\' || c == '"' || c == '+' || c == ';' || c == '#':
			return false
		case c == ' ' && (before == ',' || before == '=' || before == ' '):
			return false
		case (c == ',' || c == '=') && before == ' ':
			return false
		}
		before = c
	}
	return before != ' '
}

// splitDN splits at separators that are neither escaped nor quoted.
func splitDN(s string, sep, or byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case (c == sep || c == or) && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// foldAVA folds one type=value.
func foldAVA(s string) string {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return strings.ToLower(strings.TrimSpace(s))
	}
	value = unescape(strings.TrimLeft(value, " "))
	value = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ' ' }), " ")
	var out strings.Builder
	out.WriteString(strings.ToLower(strings.TrimSpace(name)))
	out.WriteByte('=')
	for _, r := range value {
		if r == ',' || r == '+' || r == '\\' {
			out.WriteByte('\\')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// unescape resolves the escapes and quotes of a value, and drops the spaces behind it that aren't escaped.
func unescape(s string) string {
	var out strings.Builder
	keep := 0 // how much of out mustn't be trimmed
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			continue
		case c == '\\' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			out.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
			keep = out.Len()
		case c == '\\' && i+1 < len(s):
			out.WriteByte(s[i+1])
			i++
			keep = out.Len()
		default:
			out.WriteByte(c)
		}
	}
	all := out.String()
	return all[:keep] + strings.TrimRight(all[keep:], " ")
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
