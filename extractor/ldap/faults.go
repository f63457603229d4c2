package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	goldap "github.com/go-ldap/ldap/v3"

	"ldapsync/internal/fault"
)

// connectFault explains why no connection came about. Retrying may mend it.
func connectFault(a address, err error) error {
	hint := "is the server running, and is the way to it open?"
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return cancelled(a, "connecting")
	case errors.As(err, &dns):
		return fault.Passing(fault.Directory, "is the host's name spelled right, and does this machine's resolver know it?", "%s: host %s can't be found: %w", a.uri, a.host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "nothing listens there: is the server running, and is the port right (389 for ldap, 636 for ldaps)?"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		hint = "does the socket exist, and may this user open it?"
	case timedOut(err):
		return fault.Passing(fault.Directory, "is the host right, and does a firewall let this connection through?", "%s: no connection in time: %w", a.uri, err)
	}
	return fault.Passing(fault.Directory, hint, "%s: can't connect: %w", a.uri, err)
}

// startTLSFault explains a refused StartTLS. There is no falling back.
func startTLSFault(a address, err error) error {
	var result *goldap.Error
	if errors.As(err, &result) && !local(result) && result.ResultCode != goldap.LDAPResultBusy {
		return fault.New(fault.Directory, "give the server a certificate, or use ldaps:// if it offers that; the password isn't sent without encryption", "%s: the server refuses StartTLS: %s", a.uri, resultText(result))
	}
	if errors.Is(err, context.Canceled) {
		return cancelled(a, "StartTLS")
	}
	if timedOut(err) {
		return fault.Passing(fault.Directory, "is this an LDAP server? ldaps:// is for servers that expect TLS at once", "%s: no answer to StartTLS in time", a.uri)
	}
	return fault.Passing(fault.Directory, "is this an LDAP server? ldaps:// is for servers that expect TLS at once", "%s: StartTLS got no answer: %s", a.uri, oneLine(err.Error()))
}

// tlsFault explains a failed handshake.
func tlsFault(a address, name string, err error) error {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		verify   *tls.CertificateVerificationError
		alert    tls.AlertError
		remote   *net.OpError
	)
	permanent := func(hint, format string, args ...any) error {
		return fault.New(fault.Directory, hint, "%s: "+format, append([]any{a.uri}, args...)...)
	}
	switch {
	case errors.As(err, &unknown):
		return permanent("name the CA's certificate in the configuration (PEM)", "the certificate is signed by an unknown CA: %w", err)
	case errors.As(err, &hostname):
		return permanent("use the name that the certificate bears, or have one made for this name", "the certificate isn't for %s: %w", name, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return permanent("renew the server's certificate, and compare the clocks", "the certificate is not valid now: %w", err)
	case errors.As(err, &invalid), errors.As(err, &verify):
		return permanent("look at it with: openssl s_client -connect "+a.target+" -showcerts", "the certificate is refused: %w", err)
	case strings.Contains(err.Error(), "failed to parse certificate"):
		return permanent("have a proper one made: the one that Samba generates has a negative serial number", "the certificate can't be read: %w", err)
	case errors.As(err, &record):
		return permanent("ldaps:// usually is port 636; port 389 wants ldap:// with StartTLS", "the server doesn't speak TLS on this port: %w", err)
	case errors.As(err, &alert), errors.As(err, &remote) && remote.Op == "remote error":
		return permanent("does the server want a client certificate, or another version of TLS?", "the server refuses the TLS handshake: %w", err)
	case errors.Is(err, context.Canceled):
		return cancelled(a, "TLS handshake")
	}
	return fault.Passing(fault.Directory, "does the server offer TLS on this port, and has it a certificate?", "%s: the TLS handshake failed: %w", a.uri, err)
}

// bindFault explains why the server doesn't let us in.
func bindFault(a address, cfg Config, err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return err
	}
	if timedOut(err) {
		return fault.Passing(fault.Directory, "is this an LDAP server, and isn't it overloaded?", "%s: no answer to the bind in time", a.uri)
	}
	who := cfg.BindDN
	if cfg.SASLExternal {
		who = "SASL EXTERNAL"
	}
	var result *goldap.Error
	if !errors.As(err, &result) {
		return requestFault(a, "bind as "+who, err)
	}
	refused := func(hint, reason string) error {
		return fault.New(fault.Directory, hint, "%s: bind as %s: %s: %s", a.uri, who, reason, resultText(result))
	}
	switch result.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		reason, hint := credentials(result.Err.Error())
		return refused(hint, reason)
	case goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultAuthMethodNotSupported:
		return refused("has this account a password, and does the server allow this way to bind?", "this kind of bind is refused")
	case goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultNoSuchObject:
		return refused("write the bind DN in full, such as cn=sync,dc=example,dc=com", "there is no such account")
	case goldap.LDAPResultUnwillingToPerform:
		return refused("ask the server's log why", "the server refuses it")
	}
	return requestFault(a, "bind as "+who, err)
}

// subcode is where Active Directory says what is wrong with the credentials.
var subcode = regexp.MustCompile(`\bdata ([0-9a-fA-F]+)\b`)

// credentials explains result 49 (invalidCredentials); Active Directory's sub codes are system error codes in hexadecimal.
func credentials(diagnostic string) (reason, hint string) {
	code := ""
	if m := subcode.FindStringSubmatch(diagnostic); m != nil {
		code = strings.ToLower(m[1])
	}
	switch code {
	case "525":
		return "there is no such account", "look up its distinguishedName, or write it as user@domain"
	case "530":
		return "the account may not log on at this time", "widen its logon hours"
	case "531":
		return "the account may not log on from this machine", "widen the list of its workstations"
	case "532":
		return "the password has expired", "set a new one, and let it not expire for this account"
	case "533":
		return "the account is disabled", "enable it in Active Directory"
	case "701":
		return "the account has expired", "extend it in Active Directory"
	case "773":
		return "the password must be changed first", "set one without \"must change password at next logon\""
	case "775":
		return "the account is locked", "unlock it, and look for what uses an old password"
	}
	return "wrong password or unknown account", "check the bind DN and the password; a file's last line break isn't part of it"
}

// requestFault explains why a request failed.
func requestFault(a address, what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return cancelled(a, what)
	}
	if errors.Is(err, errSilent) || timedOut(err) {
		return fault.Passing(fault.Directory, "an unindexed filter may be slow: index its attributes, or raise the time-out", "%s: %s: no answer in time: %w", a.uri, what, err)
	}
	var result *goldap.Error
	if !errors.As(err, &result) || local(result) {
		return networkFault(a, what, err)
	}
	hint, passing := advice(result)
	told := told{a.uri + ": " + what + ": " + resultText(result), err}
	return &fault.Error{Class: fault.Directory, Err: told, Hint: hint, Permanent: !passing}
}

// local tells whether a result is go-ldap's own and not the server's.
func local(result *goldap.Error) bool {
	return result.ResultCode >= goldap.ErrorNetwork && result.ResultCode <= goldap.ErrorMalformedPacket
}

// cancelled is not a fault: the caller wanted it.
func cancelled(a address, what string) error {
	return fmt.Errorf("%s: %s: %w", a.uri, what, context.Canceled)
}

// told is an error in words of ours.
type told struct {
	text  string
	cause error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.cause }

// networkFault is for an answer that didn't come, or can't be read.
func networkFault(a address, what string, err error) error {
	text := oneLine(err.Error())
	if strings.Contains(text, "remote error: tls: ") {
		// TLS 1.3 refuses a client's certificate only after the handshake.
		return fault.New(fault.Directory, "does the server want a client certificate?", "%s: %s: the server ended TLS: %s", a.uri, what, text)
	}
	var broken unreadable
	if errors.As(err, &broken) {
		return fault.Passing(fault.Directory, "is this an LDAP server, and does nothing on the way change what it says?", "%s: %s: the answer can't be read: %s", a.uri, what, text)
	}
	return fault.Passing(fault.Directory, "the server or something on the way cut the connection: look into the server's log", "%s: %s: the connection was lost: %s", a.uri, what, text)
}

// advice says what to do about a result code, and whether waiting may be enough.
func advice(result *goldap.Error) (hint string, passing bool) {
	switch result.ResultCode {
	case goldap.LDAPResultOperationsError:
		if text := result.Err.Error(); strings.Contains(text, "bind must be completed") || strings.Contains(text, "without authentication") { // Windows, Samba
			return "Active Directory answers nobody anonymously: configure a bind DN", false
		}
		return "look into the server's log", true
	case goldap.LDAPResultTimeLimitExceeded:
		return "index the filter's attributes, or raise the server's time limit for the bind account", true
	case goldap.LDAPResultSizeLimitExceeded:
		return "let the bind account read everything: in slapd, limits dn.exact=\"…\" size=unlimited size.pr=unlimited size.prtotal=unlimited; in Active Directory, a page size of at most MaxPageSize (1000)", false
	case goldap.LDAPResultAdminLimitExceeded:
		return "raise the server's limits for the bind account (389: nsslapd-lookthroughlimit, nsPagedLookThroughLimit), or index the filter's attributes", false
	case goldap.LDAPResultStrongAuthRequired, goldap.LDAPResultConfidentialityRequired:
		return "the server wants encryption: use ldaps:// or StartTLS", false
	case goldap.LDAPResultReferral:
		return "another server holds this part: read it as a source of its own, since references aren't followed", false
	case goldap.LDAPResultNoSuchObject:
		return "does it exist, and may the bind account see it?", false
	case goldap.LDAPResultInvalidDNSyntax:
		return "a DN looks like ou=people,dc=example,dc=com", false
	case goldap.LDAPResultInsufficientAccessRights, goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultAuthorizationDenied:
		return "let the bind account read the bases, the filters' attributes and the id attribute", false
	case goldap.LDAPResultInappropriateMatching, goldap.LDAPResultFilterError, goldap.LDAPResultUndefinedAttributeType:
		return "the server can't evaluate the filter: try it with ldapsearch", false
	case goldap.LDAPResultUnavailableCriticalExtension:
		return "the server doesn't support a control that is needed", false
	case goldap.LDAPResultBusy, goldap.LDAPResultUnavailable:
		return "the server says that it will be back", true
	}
	return "look into the server's log", true
}

// resultText is a result's name, number and diagnostic message.
func resultText(result *goldap.Error) string {
	name := strings.ToLower(goldap.LDAPResultCodeMap[result.ResultCode])
	if name == "" {
		name = "unknown result"
	}
	text := fmt.Sprintf("%s (%d)", name, result.ResultCode)
	if diagnostic := oneLine(result.Err.Error()); diagnostic != "" && diagnostic != "<nil>" {
		text += ": " + diagnostic
	}
	return text
}

// oneLine folds what a server says into one printable line.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
