package callbacks

import (
	"context"
	"time"
)

// Accounts is a target's database, as the callbacks that act on accounts see it. The work items are the target's gone links:
// no message has to arrive for them to be found.
//
// An error of class fault.Database is the database's own: it ends the look at once if it is permanent (rights, missing tables), or if the
// database doesn't answer either when it is asked again. Any other error of Deactivate and Delete, which then have done nothing, is
// some accounts' (their data, a lock on their rows): they are called again with halves until the culprit is alone.
type Accounts interface {
	// Due returns the accounts that are gone and that the callback hasn't handled: behind (source, id) after, at most limit, in
	// order. Those whose last attempt failed are due when their letter says so. now is the time to compare that with.
	Due(ctx context.Context, callback string, now time.Time, after Key, limit int) ([]Account, error)
	// Deactivate sets the accounts inactive, each only if its link is still gone at the account's GoneSequence and still owns its
	// row. The last active superuser stays. Sessions end at their next request.
	Deactivate(ctx context.Context, accounts []Account) ([]Result, error)
	// Delete deletes the accounts' rows under the same conditions, with the rows of Django's own tables that refer to them.
	// A superuser is never deleted, nor an account to which another table refers.
	Delete(ctx context.Context, accounts []Account) ([]Result, error)
	// Fail notes that the callback failed for an account, as a dead letter of the stage named after the callback: attempts goes up
	// by one, and it is due again at next.
	Fail(ctx context.Context, callback string, a Account, reason string, next time.Time) error
	// NextDue returns when the next failed attempt is due; zero if none waits.
	NextDue(ctx context.Context, callback string) (time.Time, error)
	// Position returns the sequence that the target's checkpoint has reached in a source's stream; 0 if there is none yet. Only
	// behind the event that removes somebody is the link gone: a wake-up waits for that.
	Position(ctx context.Context, source string) (uint64, error)
}

// Key orders accounts.
type Key struct{ Source, ID string }

// Account is one gone link.
type Account struct {
	Key
	PK           string
	DN           string
	Username     string // of the row as it is; "" if the row isn't there any more
	GoneSequence uint64
	Reason       string
	Attempts     int // that failed so far
}

// Result is what became of one account.
type Result struct {
	Account
	Outcome Outcome
	Reason  string // of Refused: one line that names the thing in the way
}

// Outcome is what a callback did to an account.
type Outcome string

// The outcomes.
const (
	Deactivated Outcome = "deactivated"
	Inactive    Outcome = "inactive" // it was already; nothing was done, and returning doesn't reactivate it
	Removed     Outcome = "deleted"
	Vanished    Outcome = "vanished" // its row isn't there any more
	Returned    Outcome = "returned" // no longer gone, or gone again later, or the row belongs to another link
	Refused     Outcome = "refused"
)
