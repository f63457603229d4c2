package ldap

import "fmt"

// The tags of LDAP's elements (RFC 4511, 5.1 and appendix B): class, form and number in one byte (X.690, 8.1.2).
const (
	tagBoolean    = 0x01
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagEnumerated = 0x0a
	tagSequence   = 0x30
	tagSet        = 0x31
	tagControls   = 0xa0

	tagBindResponse     = 0x61
	tagEntry            = 0x64
	tagDone             = 0x65
	tagReference        = 0x73
	tagExtendedResponse = 0x78
	tagIntermediate     = 0x79
)

// unreadable is the error for an answer that breaks the rules of LDAP.
type unreadable string

func (u unreadable) Error() string { return string(u) }

func unreadablef(format string, args ...any) error { return unreadable(fmt.Sprintf(format, args...)) }

// element takes the first element off in, by the Basic Encoding Rules as LDAP restricts them (RFC 4511, 5.1): lengths are definite. Its
// content never reaches beyond in. Tags of several bytes occur nowhere in LDAP, and lengths of more than four nowhere in nature.
func element[T string | []byte](in T) (tag byte, content, rest T, err error) {
	if len(in) < 2 {
		return 0, in, in, unreadable("an element ends within its head")
	}
	tag = in[0]
	if tag&0x1f == 0x1f {
		return 0, in, in, unreadablef("an element has the tag 0x%02x", tag)
	}
	n, at := uint64(in[1]), 2
	if n >= 0x80 {
		octets := int(n & 0x7f)
		if err := lengthOctets(octets); err != nil {
			return 0, in, in, err
		}
		at += octets
		if len(in) < at {
			return 0, in, in, unreadable("an element ends within its head")
		}
		n = 0
		for i := 2; i < at; i++ {
			n = n<<8 | uint64(in[i])
		}
	}
	if n > uint64(len(in)-at) {
		return 0, in, in, unreadablef("an element of %d bytes stands where %d are left", n, len(in)-at)
	}
	end := at + int(n)
	return tag, in[at:end], in[end:], nil
}

// lengthOctets checks how many bytes a length in the long form has.
func lengthOctets(n int) error {
	switch {
	case n == 0:
		return unreadable("an element has no definite length")
	case n > 4:
		return unreadablef("the length of an element has %d bytes", n)
	}
	return nil
}

// take is element, for one that must have this tag.
func take[T string | []byte](in T, want byte, name string) (content, rest T, err error) {
	tag, content, rest, err := element(in)
	if err != nil {
		return content, rest, fmt.Errorf("%s: %w", name, err)
	}
	if tag != want {
		return content, rest, unreadablef("%s: tag 0x%02x instead of 0x%02x", name, tag, want)
	}
	return content, rest, nil
}

// takeInteger takes an INTEGER or ENUMERATED.
func takeInteger[T string | []byte](in T, tag byte, name string) (n int64, rest T, err error) {
	content, rest, err := take(in, tag, name)
	if err != nil {
		return 0, rest, err
	}
	if len(content) == 0 || len(content) > 8 {
		return 0, rest, unreadablef("%s: a number of %d bytes", name, len(content))
	}
	n = int64(int8(content[0]))
	for i := 1; i < len(content); i++ {
		n = n<<8 | int64(content[i])
	}
	return n, rest, nil
}

// ignore skips what later versions of LDAP may add to the end of a sequence (RFC 4511, 4). It must be well-formed all the same.
func ignore[T string | []byte](in T, name string) error {
	for len(in) > 0 {
		_, _, rest, err := element(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in = rest
	}
	return nil
}
