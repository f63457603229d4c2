// Package postgres is a target in PostgreSQL, 13 or later: Django's tables, and ours in the schema ldapsync. It is an
// applier.Store and a callbacks.Accounts, on pgx.
//
// Promised: a batch is written set by set, whatever its size; what doesn't differ isn't written, so that a pass without changes makes no
// WAL; no id of Django's sequences is taken for a row that exists; a transaction sees one state of the database (REPEATABLE READ) and is run
// again when a rival makes that impossible; no statement waits longer for a lock than Config.LockTimeout. Foreign keys are checked at once, so
// that what breaks one is found while its savepoint can still be undone.
//
// New rows come by COPY. A first load looks nothing up that surely isn't there (memory), tells ahead what will be (foresight), and doesn't wait for the
// disk with each commit (Hurry).
//
// Not promised: row-level security on Django's tables, which COPY refuses; that rows which Django adds while the store is open are found without case before Refresh is called; those that differ in
// nothing are.
//
// Needed rights: see Grants. Everything works with column-level grants; password is inserted and never read or updated.
package postgres
