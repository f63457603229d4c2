package applier

import (
	"slices"

	"ldapsync/proto"
)

// ScanQuery says what of a source Store.Scan hands out.
type ScanQuery struct {
	Source      string
	Kinds       []proto.Kind // of links, letters and rows
	Memberships bool
}

// Wants tells whether a kind is asked for.
func (q ScanQuery) Wants(kind proto.Kind) bool { return slices.Contains(q.Kinds, kind) }

// Visitor takes what Store.Scan hands out. What pointers lead to is valid until the method returns.
type Visitor interface {
	// VisitLink takes a link that is present or missing. Only its Kind, ID, PK, Name, State, Digest, Mapping, ActiveWritten and DeactivatedBy are set.
	VisitLink(l *Link)
	// VisitLetter takes the id of an entry that there is a letter of.
	VisitLetter(kind proto.Kind, id string)
	// VisitRow takes a row of Django's: its key and its values. It may have no link, or one of another source.
	VisitRow(kind proto.Kind, pk string, values []any)
	// VisitMembership takes a membership, whoever made it.
	VisitMembership(user, group string)
}
