// Command ldapsync keeps Django's users and groups equal to an LDAP directory, through NATS JetStream.
//
// Here, and only here, the stages are put together: the configuration, the environment and files are read, goroutines of services
// started, signals heard, errors shown and exit codes chosen. One file a subcommand; wire*.go turn the configuration into what the
// stages want. Only main exits.
package main
