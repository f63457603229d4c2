// Package testenv gives tests the real things: a PostgreSQL cluster, an LDAP server, an Active Directory, databases whose tables Django's own
// migrations made, and Django itself to judge what became of them.
//
// A server is started when a test first asks for it, listens on loopback only, and serves all tests of the process. It ends
// with the process, however the process ends: a child waits for the end of a pipe that the kernel closes even after SIGKILL.
// [Main] makes a test binary wait for that.
//
// A server that isn't installed fails the test and says what installs it; nothing is ever skipped. The package is imported by
// tests only.
package testenv
