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
// The connection is our own: go-ldap takes 26 to 40 µs and 303 allocations an entry, and reports a connection that was closed between two
// pages as a complete answer. Here one request is under way at a time. What answers it is read into one text a chunk (half a MiB, or one
// message if that is larger), and names, DNs and values are parts of that text: an entry costs less than 1 µs and a quarter of an allocation.
// A page's successor is asked for as soon as the page's result is read, and one goroutine (ahead) receives and decodes it while the
// caller works. Whoever needs the connection meanwhile (Lookup, Group, the ranges of an attribute) first receives into memory what is on its way.
//
// Whatever breaks the protocol ends the connection: a message with another id, an operation that is no answer, an indefinite length, a length
// that reaches beyond what holds it, a message above 256 MiB. Memory is taken as bytes arrive, never for a length that is only claimed.
// Time-outs and cancellation close the socket, for what was in flight can't be told from what comes next; time that the caller takes isn't
// the server's silence. What RFC 4511 lets later versions add is skipped, like references and intermediate responses.
//
// go-ldap stays for filters, DNs, the encoding of controls and the error of a result; the tests hold requests and entries equal to its own.
package ldap
