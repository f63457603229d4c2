package extractor

import (
	"time"

	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// Limits say how much a source may lose at once: in one pass together with what is held, and over Window. A limit that is met holds what
// this pass would take in that respect until a person approves it. The zero Limits switch all of them off; an empty answer, entries
// without an id and a changed question hold removals all the same.
type Limits struct {
	Users            limit.Limit // users removed, or missing where there is a grace
	Groups           limit.Limit // groups removed
	Memberships      limit.Limit // memberships of all groups together
	GroupMemberships limit.Limit // memberships of one group
	Staff            limit.Limit // users who lose the flag, or go with it
	Superusers       limit.Limit // likewise
	Deactivated      limit.Limit // users whom the rule for active turns inactive
	Attributes       limit.Limit // users who lose all values of one attribute
	// Window is how far back losses count, by the stream's clock. 0: not at all.
	Window time.Duration
}

// DefaultLimits are limits that a company of 20 and one of 200,000 can both live with.
func DefaultLimits() Limits {
	entries := limit.Limit{Count: 5, Percent: 5, Most: 500, All: 5, On: true}
	privileged := limit.Limit{Count: 2, Percent: 1, Most: 500, All: 2, On: true}
	return Limits{
		Users: entries, Groups: entries, Deactivated: entries,
		Staff: privileged, Superusers: privileged,
		Memberships:      limit.Limit{Count: 20, Percent: 10, Most: 10_000, All: 20, On: true},
		GroupMemberships: limit.Limit{Count: 10, Percent: 20, Most: 500, All: 5, On: true},
		Attributes:       limit.Limit{Count: 5, Percent: 10, Most: 500, All: 5, On: true},
		Window:           24 * time.Hour,
	}
}

// of is the limit of a respect.
func (l Limits) of(r respect) limit.Limit {
	switch r.change {
	case proto.ChangeRemoved:
		if r.kind == proto.KindGroup {
			return l.Groups
		}
		return l.Users
	case proto.ChangeMembership:
		if r.key == "" {
			return l.Memberships
		}
		return l.GroupMemberships
	case proto.ChangeStaff:
		return l.Staff
	case proto.ChangeSuperuser:
		return l.Superusers
	case proto.ChangeActive:
		return l.Deactivated
	}
	return l.Attributes
}
