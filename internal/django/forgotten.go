package django

import (
	"slices"

	"ldapsync/proto"
)

// Forgotten tells what a target kept of a user who was erased from the history, and doesn't keep any more.
type Forgotten struct {
	Letters int64 // dead letters
	Link    bool  // what tied her to a row that isn't there any more
}

// Telling keeps those messages of an outbox that tell of a user of a source.
func Telling(rows []proto.Unpublished, source, id string) []proto.Unpublished {
	return slices.DeleteFunc(rows, func(u proto.Unpublished) bool { return !proto.TellsOf(u.Outcomes, source, id) })
}
