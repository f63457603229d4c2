package callbacks

import (
	"context"
	"time"
)

// Restorer finds and brings back accounts that sync deactivated. The stores are Restorers.
type Restorer interface {
	// Find returns the links that are gone or missing, by source and id.
	Find(ctx context.Context, q FindQuery) ([]Absentee, error)
	// Restore makes accounts active again that sync deactivated, each only if its link is still gone, or missing, at the account's
	// GoneSequence and owns its row. None of them is due to a callback again while the same absence lasts. by is who asked for it.
	// Those that sync didn't deactivate are refused.
	Restore(ctx context.Context, accounts []Account, by string) ([]Result, error)
}

// FindQuery selects links. Zero fields select all.
type FindQuery struct {
	// Usernames, without case.
	Usernames []string
	Source    string
	// FromSequence and ToSequence bound the events that made them gone or missing, both included: of who is gone and was missing before, either of
	// the two may be within. ToSequence 0: no bound.
	FromSequence, ToSequence uint64
}

// Absentee is an account whose link is gone or missing, and what became of it.
type Absentee struct {
	Account
	Missing       bool   // else gone
	Active        bool   // of the row; false where it isn't there any more
	DeactivatedBy string // "sync", "other": it was inactive already; "restored": a person took back what sync did; "": nobody
	DeactivatedAt time.Time
	RestoredBy    string
	RestoredAt    time.Time
}

// CantRestore says why an account isn't restored, by the DeactivatedBy of its link; "" if it is.
func CantRestore(deactivatedBy string) string {
	switch deactivatedBy {
	case "sync":
		return ""
	case "restored":
		return "was restored already"
	case "other":
		return "was inactive already when it left: not by the callback"
	}
	return "wasn't deactivated"
}
