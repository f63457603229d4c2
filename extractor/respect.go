package extractor

import (
	"cmp"

	"ldapsync/proto"
)

// respect is one in which entries lose something: what a Loss counts, a Hold holds and a limit limits. change and key are those of a Loss.
type respect struct {
	kind   proto.Kind
	change string
	key    string
}

// removal is the respect of entries that are gone.
func removal(kind proto.Kind) respect { return respect{kind: kind, change: proto.ChangeRemoved} }

// allMemberships is the respect of all groups together. It counts memberships, all others count entries.
func allMemberships() respect {
	return respect{kind: proto.KindUser, change: proto.ChangeMembership}
}

func (r respect) compare(other respect) int {
	return cmp.Or(cmp.Compare(r.kind, other.kind), cmp.Compare(r.change, other.change), cmp.Compare(r.key, other.key))
}
