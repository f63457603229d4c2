// Package sqlite keeps a target in an SQLite database: Django's tables and, with the prefix ldapsync_, ours. A Store satisfies
// applier.Store and callbacks.Accounts, and passes the same conformance suite as the one on PostgreSQL.
//
// Promised: the file is never created, its journal mode stays as Django has it, foreign keys hold, and values stand as Django itself
// writes them (booleans 0 and 1, times as text in UTC, UUIDs as 32 hexadecimal digits). Lengths and text without NUL, which SQLite doesn't
// check, are checked before a row is written. A Store writes through one connection, whoever calls; each transaction takes the write
// lock with its first statement (BEGIN IMMEDIATE), so that two writers wait for each other and never deadlock.
//
// Not promised: that an application writes meanwhile. It waits for our transaction as we wait for its own, as long as its time-out says;
// in Django's default journal mode even a long View keeps others from committing. An Update within a View of the same goroutine would
// wait for itself.
package sqlite
