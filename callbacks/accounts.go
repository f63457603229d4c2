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
	// Due returns the accounts that need the callback, in order. Those whose last attempt failed are due when their letter says so.
	Due(ctx context.Context, q DueQuery) ([]Account, error)
	// Deactivate sets the accounts inactive, each only if its link is still gone, or missing, at the account's GoneSequence, still owns
	// its row, and wasn't handled meanwhile. The last active superuser stays. Sessions end at their next request.
	Deactivate(ctx context.Context, accounts []Account) ([]Result, error)
	// Delete deletes the accounts' rows, each only if its link is gone and as DueQuery says of after, with the rows of Django's own
	// tables that refer to them, and those of other tables as the settings say. A superuser is never deleted, nor an account to which
	// a table refers that the settings don't name.
	Delete(ctx context.Context, accounts []Account, after time.Duration) ([]Result, error)
	// Fail notes that the callback failed for an account, as a dead letter of the stage named after the callback: attempts goes up
	// by one, and it is due again at next.
	Fail(ctx context.Context, callback string, a Account, reason string, next time.Time) error
	// NextDue returns when the next failed attempt is due, of those that Due would return then; zero if none waits. It takes no notice
	// of q's Now, Behind and Limit.
	NextDue(ctx context.Context, q DueQuery) (time.Time, error)
	// Position returns the sequence that the target's checkpoint has reached in a source's stream; 0 if there is none yet. Only
	// behind the event that removes somebody is the link gone: a wake-up waits for that.
	Position(ctx context.Context, source string) (uint64, error)
}

// DueQuery says whom a callback acts on: accounts that are gone and that it hasn't handled in this absence. What a person took back,
// by restoring the account or by activating it again, is neither deactivated nor deleted while the same absence lasts.
type DueQuery struct {
	Callback string
	// Missing makes accounts due to Deactivate already while they are missing.
	Missing bool
	// After is how long an account must have been inactive, by sync, before Delete acts on it, by the database's clock. 0: at once, and
	// also accounts that weren't deactivated or that a person did.
	After time.Duration
	// Now is what the times in letters are compared with.
	Now time.Time
	// Behind is the last account of the page before.
	Behind Key
	// Limit is how many accounts are returned at most.
	Limit int
}

// Key orders accounts.
type Key struct{ Source, ID string }

// Account is one link that is gone, or missing.
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
	Returned    Outcome = "returned" // no longer gone, or gone again later, or taken back by a person, or the row belongs to another link
	Refused     Outcome = "refused"
	Restored    Outcome = "restored" // active again, by a person's command
)
