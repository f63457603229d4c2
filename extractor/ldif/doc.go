// Package ldif is the directory in a file: what ldapsearch, slapcat and their like wrote (LDIF, RFC 2849), for those who only get a nightly
// dump, and for captured directories as test cases.
//
// Writer writes entries as LDIF.
package ldif
