// Package storetest is the one suite that every target's store must pass: what applier.Store, applier.Tx and callbacks.Accounts promise,
// tried on Django's own tables. A store's test calls Run. It is imported from tests only.
//
// Not in it: what belongs to one database (types, locks, printed SQL, faults of its own); that stands with the store.
package storetest
