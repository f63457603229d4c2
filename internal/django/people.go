package django

import "time"

// Account is what a row of the users' table says of its owner, for people.
type Account struct {
	PK       string
	Username string
	Active   bool // true where the table has no such column
	Staff    bool
	// Superuser, and the times, which are zero where the table has no such column or it is NULL.
	Superuser             bool
	LastLogin, DateJoined time.Time
}

// Orphan is an account that no entry of a directory stands behind: it never had a link, or its link is missing or gone.
type Orphan struct {
	Account
	// The link; all of it zero where there is none.
	Source, ID, DN string
	State          string    // missing or gone
	Reason         string    // why
	Since          time.Time // when it was found so; zero if that isn't known
}

// Profile is the row behind an entry of a source. Of groups only ID, PK and Username, their name, are set.
type Profile struct {
	ID string
	Account
	Groups []string // by name, whoever made the memberships
}
