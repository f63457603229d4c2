// Package callbacks does to accounts what was configured for users who left the directory: it deactivates them, deletes them, or
// both. Service is the stage; Accounts is what it needs of a target's database.
//
// The work items are the target's gone links, not messages: a link is made gone by the applier, in the transaction that notes the
// removal, and each callback acts in one transaction that checks that it still is. So a message that is lost costs only time, one
// that comes twice changes nothing, and somebody who returned isn't gone any more: nothing has to be undone. Events merely wake the
// service (Waker); it also looks at start, at intervals, and when a failed attempt is due again.
//
// Promised: in one look every account then due is attempted once for each callback, in the callbacks' order; an account that is
// refused or that fails is noted with the reason and tried again later, ever more rarely, and never stops the others; nothing is
// reported before it is committed; no look begins before Config.Ready has said that the target is where its streams are. Not promised: that an account is handled exactly once if the process is killed between the
// commit and the report (the report is lost then, never the work), or any order among accounts.
//
// What a person takes back, by a command (Restorer) or by activating the account again, isn't done again while the same absence lasts. Users who
// are missing are acted on only where that is asked for, and only by deactivate; delete may have to wait until an account has been
// inactive for long enough.
//
// Who may not be touched (superusers, accounts that another link owns, rows that other tables refer to) is decided by the store,
// where it can be decided in the same transaction.
package callbacks
