package django

// Forgotten tells what a target kept of a user who was erased from the history, and doesn't keep any more.
type Forgotten struct {
	Letters int64 // dead letters
	Link    bool  // what tied her to a row that isn't there any more
}
