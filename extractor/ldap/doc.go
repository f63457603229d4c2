// Package ldap is the directory behind LDAP: OpenLDAP, Active Directory, 389 Directory Server and whatever else speaks LDAPv3.
//
// A Directory knows the question (bases, filters, attributes) and the way to its servers; a Session is one connection to one of them,
// which serves a whole pass.
//
// Promised: a listing that ends without an error is complete. Each page's final message was seen with result 0 and with its
// paging control (RFC 2696), and the last cookie was empty; every range of a large attribute was fetched. A cut connection, a size or
// time limit, a lost control, a silent server and a cancelled context all end as errors. References to other servers are skipped,
// never followed: the bind credentials go nowhere else. TLS is verified unless the caller's tls.Config turns that off, which is
// logged as a warning at each Open; a server that refuses StartTLS is never spoken to in plain text. No password is in an error or a log line.
//
// Not promised: a consistent moment. A paged search isn't a snapshot; whoever moves while it runs may be listed twice or
// not at all, so that the caller has to look for the missing once more (Session.Lookup).
//
// go-ldap does the encoding. Each page is one Search with a new request, since SearchAsync reports a closed connection as a
// complete answer, and a request that is used twice keeps its old controls; time-outs and cancellation close the socket below it, since
// its own drop answers in silence.
package ldap
