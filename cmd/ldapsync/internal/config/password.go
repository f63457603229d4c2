package config

import "strings"

// passwordAttributes hold passwords, hashes of them or keys made from them: of RFC 4519, Active Directory (MS-ADA), LAPS, Samba and
// the Kerberos schema. No event ever carries one.
var passwordAttributes = [...]string{
	"userPassword", "unicodePwd", "dBCSPwd", "ntPwdHistory", "lmPwdHistory", "supplementalCredentials", "ms-Mcs-AdmPwd", "msLAPS-Password",
	"msLAPS-EncryptedPassword", "msDS-ManagedPassword", "sambaNTPassword", "sambaLMPassword", "sambaPasswordHistory", "krbPrincipalKey", "authPassword",
	"2.5.4.35",
}

// holdsPassword tells whether an attribute holds passwords; its options don't matter.
func holdsPassword(attribute string) bool {
	name, _, _ := strings.Cut(attribute, ";")
	for _, p := range passwordAttributes {
		if strings.EqualFold(p, name) {
			return true
		}
	}
	return false
}

const passwordHint = "leave it out: events are kept, and read by other programs"

// refusePasswords keeps passwords out of the events.
func (c *Config) refusePasswords(path string, attributes ...string) error {
	for _, a := range attributes {
		if holdsPassword(a) {
			return c.refuse(path, passwordHint, "%s holds a password", a)
		}
	}
	return nil
}
