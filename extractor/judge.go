package extractor

import (
	"fmt"

	"ldapsync/proto"
)

// Judge decides whether removals go ahead. It is asked once a pass and kind, with what the second look has confirmed.
type Judge interface {
	// Removals returns "" to let them happen, or the reason why they are held.
	Removals(Removals) string
}

// Removals is what a judge has to decide about.
type Removals struct {
	Kind    proto.Kind
	Missing int // entries of the baseline that the listing lacks
	Known   int // entries of the baseline
	Read    int // entries that the listing had, skipped ones included
	// WithoutID counts the entries of the listing that lack the id attribute: they may be any of those missing.
	WithoutID int
}

// NotEmpty is the judge that lets removals happen unless the answer can't be trusted at all: it is empty, or has entries without an id.
type NotEmpty struct{}

// Removals implements Judge.
func (NotEmpty) Removals(r Removals) string {
	switch {
	case r.Missing == 0:
		return ""
	case r.Read == 0:
		return fmt.Sprintf("the directory lists no %ss, where there were %d", r.Kind, r.Known)
	case r.WithoutID > 0:
		return fmt.Sprintf("%d entries have no id attribute, so nobody can be told missing", r.WithoutID)
	}
	return ""
}
