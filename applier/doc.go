// Package applier is the second stage: it follows a source's stream and brings Django's tables to what it says.
//
// Every batch is one transaction: the checkpoint first, then the rows, the links and the dead letters. What is to be done is
// planned before anything is written (plan.go, names.go, active.go): a plan is data, a dry run prints it, Store.Write carries it
// out. Entries are mapped to columns here (mapping.go), so one stream feeds targets with different mappings.
//
// Promised: the checkpoint in the target's database is the only position; an event applied twice changes nothing; of two appliers
// one works; a value that the database refuses costs its entry alone and becomes a dead letter; a name that another row still holds
// parks its entry until the name is free; a row that already is as the directory says isn't written. Not promised: that a row edited
// by hand is put right before its entry changes in the directory.
//
// Who left keeps the row: the link becomes gone, or first missing where the source has a grace, and the callbacks do the rest. Accounts
// that no entry stands behind are out of reach, unless the target's scope is all accounts (sweep.go): then they go at the end of a
// committed snapshot, and those who are too many at once wait for a person (judge.go).
//
// An Applier serves one source and one target. Run blocks until its context is done.
package applier
