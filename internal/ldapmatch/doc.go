// Package ldapmatch says when two things of LDAP mean the same: names of attributes, ids, DNs, values, and what a filter says of an entry. A
// server knows this by its schema; whoever stands in for a server (the demo's directory, a directory captured in a file) has only what
// is usual.
//
// Promised: the filters of RFC 4515 with the three truths of RFC 4511 (4.5.1.7), and Active Directory's matching rules for bits, as OpenLDAP and
// Active Directory answer them for the attributes that name and describe people and groups. Not promised: the syntaxes of all attributes. Values are
// compared without case and extra spaces, numbers as numbers, and DNs as such where the attribute is known to hold them.
package ldapmatch
