package extractor

import (
	"cmp"
	"maps"
	"slices"

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

// allMemberships is the respect of all groups together. Losses in it are memberships, in all others entries.
func allMemberships() respect { return respect{kind: proto.KindUser, change: proto.ChangeMembership} }

func (r respect) compare(other respect) int {
	return cmp.Or(cmp.Compare(r.kind, other.kind), cmp.Compare(r.change, other.change), cmp.Compare(r.key, other.key))
}

// tally counts losses.
type tally map[respect]int

func (t tally) addProto(losses []*proto.Loss) {
	for _, l := range losses {
		t[respect{proto.Kind(l.GetKind()), l.GetChange(), l.GetKey()}] += int(l.GetCount())
	}
}

// mostGroups is of how many groups, the largest, a snapshot tells the losses one by one.
const mostGroups = 5000

// proto are the losses in the order of their respects; of the memberships of single groups at most so many, the largest.
func (t tally) proto(groups int) []*proto.Loss {
	rs := slices.SortedFunc(maps.Keys(t), respect.compare)
	single := func(r respect) bool { return r.change == proto.ChangeMembership && r.key != "" }
	var sizes []int
	for _, r := range rs {
		if single(r) {
			sizes = append(sizes, t[r])
		}
	}
	least, equal := 0, 0 // of those as small as the least, only so many are told
	if len(sizes) > groups {
		slices.SortFunc(sizes, func(a, b int) int { return b - a })
		least = sizes[groups]
		equal = groups - slices.Index(sizes, least)
	}
	var losses []*proto.Loss
	for _, r := range rs {
		if len(sizes) > groups && single(r) {
			if t[r] == least {
				equal--
			}
			if t[r] < least || t[r] == least && equal < 0 {
				continue
			}
		}
		losses = append(losses, &proto.Loss{Kind: string(r.kind), Change: r.change, Key: r.key, Count: uint64(t[r])})
	}
	return losses
}
