// Package demo is a company inside the process: an LDAP server with 1,000 believable people, and an SQLite database with the
// tables that Django's own migrations would have made. ldapsync demo needs nothing else; tests use the directory as one
// that they can fill and change at will.
//
// NewDirectory makes the company, the same one for the same seed, and Empty makes a directory with nothing but its base. Serve answers
// LDAP on a TCP port, Add, Modify, Rename and Delete change what it answers, and Change lets a day pass in the company.
//
// Of RFC 4511 it speaks what a reader needs: simple bind, search with every kind of filter, paged results (RFC 2696), compare, "Who am
// I?" and the root DSE. It follows references as a directory with memberOf and refint overlays does: renaming an entry renames it in its
// groups, and memberOf is answered from the groups. Not there: writes over LDAP, TLS, SASL, schema checks, access control beyond "who is bound
// may read", and syncrepl.
//
// CreateDatabase makes the tables of django.contrib.auth, admin, contenttypes and sessions.
package demo
