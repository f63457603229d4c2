// Package export writes the state of a directory at one snapshot into a file: as LDIF, for other LDAP programs and for the LDIF source; as
// JSON, a line for each entry, for programs; as CSV, a row for each user, for people and their spreadsheets.
//
// It streams: nothing is held but the names of the groups. LDIF is what the directory said: users who are missing from it, which the state
// still has, aren't written there. JSON and CSV carry the whole state, and mark them.
package export
