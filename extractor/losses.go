package extractor

import (
	"slices"
	"strings"

	"ldapsync/proto"
)

// loss is what one changed user loses in one respect.
type loss struct {
	respect
	n        int // memberships, or 1
	standing standing
}

// respectsOf are the respects of losses.
func respectsOf(losses []loss) []respect {
	all := make([]respect, len(losses))
	for i, l := range losses {
		all[i] = l.respect
	}
	return all
}

// lossesOf compares a user with what the stream last said of her. A membership of a group whose removal a person approved isn't a loss; one of a group whose
// removal is held has been given back before.
func (p *pass) lossesOf(u, was *proto.User) []loss {
	var losses []loss
	one := func(change, key string) {
		losses = append(losses, loss{respect: respect{proto.KindUser, change, key}, n: 1})
	}
	for i, a := range was.GetAttributes() {
		if hasValue(a) && !keeps(u, i, a.GetName()) {
			folded := strings.ToLower(a.GetName())
			p.spelling[folded] = a.GetName()
			one(proto.ChangeAttribute, folded)
		}
	}
	if p.loses(flagStaff, u, was) {
		one(proto.ChangeStaff, "")
	}
	if p.loses(flagSuperuser, u, was) {
		one(proto.ChangeSuperuser, "")
	}
	if active(was) && !active(u) {
		one(proto.ChangeActive, "")
	}
	if u.GetGroupsUnknown() {
		return losses
	}
	first := len(losses)
	for _, id := range was.GetGroupIds() {
		if _, still := slices.BinarySearch(u.GetGroupIds(), id); !still && !p.goneGroups[id].approved {
			one(proto.ChangeMembership, id)
		}
	}
	if n := len(losses) - first; n > 0 {
		losses = append(losses, loss{respect: allMemberships(), n: n})
	}
	return losses
}

// active tells whether nothing says that a user is inactive.
func active(u *proto.User) bool { return u.Active == nil || *u.Active }

// hasValue tells whether an attribute has a value that isn't empty.
func hasValue(a *proto.Attribute) bool {
	for _, v := range a.GetValues() {
		if v != "" {
			return true
		}
	}
	return len(a.GetBinary()) > 0
}

// keeps tells whether a user has a value of an attribute, which is probably her attribute number i.
func keeps(u *proto.User, i int, name string) bool {
	all := u.GetAttributes()
	if i < len(all) && all[i].GetName() == name && hasValue(all[i]) {
		return true
	}
	return slices.ContainsFunc(all, func(a *proto.Attribute) bool { return strings.EqualFold(a.GetName(), name) && hasValue(a) })
}
