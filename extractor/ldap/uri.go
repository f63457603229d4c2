package ldap

import (
	"net"
	"net/url"
	"strings"

	"ldapsync/internal/fault"
)

// address is one server.
type address struct {
	uri     string // as configured
	scheme  string // ldap, ldaps, ldapi
	network string // tcp, unix
	target  string // host:port, or the path of a socket
	host    string // what the certificate must name; "" for ldapi
}

// defaultSocket is where OpenLDAP listens for ldapi:///.
const defaultSocket = "/var/run/slapd/ldapi"

// parseURI understands ldap://host[:port], ldaps://host[:port] and ldapi://[percent-encoded path]. What follows the host (a DN, in
// RFC 4516) is ignored, as OpenLDAP's clients do.
func parseURI(uri string) (address, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "ldap" && scheme != "ldaps" && scheme != "ldapi" {
		return address{}, uriFault(withoutUserinfo(uri), "neither ldap, ldaps nor ldapi")
	}
	if scheme == "ldapi" {
		return parseSocket(uri, rest)
	}
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		return address{}, fault.New(fault.Usage, "set the bind DN and the password by themselves", "uri %s: holds credentials", withoutUserinfo(uri))
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Hostname() == "" {
		return address{}, uriFault(uri, "has no host that can be read")
	}
	port := u.Port()
	switch {
	case port == "" && scheme == "ldaps":
		port = "636"
	case port == "":
		port = "389"
	}
	return address{uri: uri, scheme: scheme, network: "tcp", target: net.JoinHostPort(u.Hostname(), port), host: u.Hostname()}, nil
}

func parseSocket(uri, rest string) (address, error) {
	host, _, _ := strings.Cut(rest, "/")
	path, err := url.PathUnescape(host)
	if err != nil {
		return address{}, uriFault(uri, "the socket's path isn't percent-encoded")
	}
	if path == "" {
		path = defaultSocket
	}
	return address{uri: uri, scheme: "ldapi", network: "unix", target: path}, nil
}

func uriFault(uri, reason string) error {
	return fault.New(fault.Usage, "write it as ldap://host, ldaps://host:port or ldapi://%2Frun%2Fslapd%2Fldapi", "uri %s: %s", uri, reason)
}

// withoutUserinfo removes what may be a password.
func withoutUserinfo(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
		return scheme + "://…@" + rest[at+1:]
	}
	return uri
}

// loopback tells whether what is sent to a never leaves this machine.
func (a address) loopback() bool {
	if a.network == "unix" || strings.EqualFold(a.host, "localhost") {
		return true
	}
	ip := net.ParseIP(a.host)
	return ip != nil && ip.IsLoopback()
}
