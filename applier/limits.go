package applier

import (
	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// Limits say how much else than users, whose limit is Config.Limit, a replay may take at once before a person has looked. The source has limits of
// these names for what the directory takes. The zero Limits switch all of them off.
type Limits struct {
	Groups           limit.Limit // groups removed
	Memberships      limit.Limit // memberships of all groups together
	GroupMemberships limit.Limit // memberships of one group
	Staff            limit.Limit // users who lose the flag, or go with it
	Superusers       limit.Limit // likewise
	Deactivated      limit.Limit // users whose active column becomes false
	Attributes       limit.Limit // users for whom one column becomes empty
}

// limitOf is the limit of a respect.
func (c *Config) limitOf(r respect) limit.Limit {
	switch r.change {
	case proto.ChangeRemoved:
		if r.key == string(proto.KindGroup) {
			return c.Limits.Groups
		}
		return c.Limit
	case proto.ChangeMembership:
		if r.key == "" {
			return c.Limits.Memberships
		}
		return c.Limits.GroupMemberships
	case proto.ChangeStaff:
		return c.Limits.Staff
	case proto.ChangeSuperuser:
		return c.Limits.Superusers
	case proto.ChangeActive:
		return c.Limits.Deactivated
	}
	return c.Limits.Attributes
}

// limited tells whether any limit is on.
func (c *Config) limited() bool {
	l := &c.Limits
	return c.Limit.On || l.Groups.On || l.Memberships.On || l.GroupMemberships.On || l.Staff.On || l.Superusers.On || l.Deactivated.On || l.Attributes.On
}
