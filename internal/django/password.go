package django

import "crypto/rand"

const (
	passwordAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	passwordSuffix   = 40 // UNUSABLE_PASSWORD_SUFFIX_LENGTH in django/contrib/auth/hashers.py
)

// UnusablePassword returns what Django's make_password(None) returns: a value with which nobody can log in, and which differs
// each time, so that a reset token made from it can't be guessed. It is written when a row is made, and never again: the hash of
// a session covers it.
func UnusablePassword() string {
	out := make([]byte, 1, 1+passwordSuffix)
	out[0] = '!'
	random := make([]byte, passwordSuffix+8) // enough at once, nearly always
	for len(out) < cap(out) {
		rand.Read(random) // never fails: crypto/rand ends the program instead
		for _, b := range random {
			// 248 is the largest multiple of 62 that fits: every letter is equally likely.
			if b < 248 && len(out) < cap(out) {
				out = append(out, passwordAlphabet[int(b)%len(passwordAlphabet)])
			}
		}
	}
	return string(out)
}

// RandomUUID returns a version 4 UUID (RFC 9562), as Django's uuid.uuid4 default makes it.
func RandomUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}
