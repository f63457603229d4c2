package extractor

import (
	"strings"

	"ldapsync/proto"
)

// census counts, among the users that were known and are listed, those who have something to lose: the unchanged ones as they are, the changed ones
// as they were. Of those who are gone it counts the flags, which count as lost with them. A few numbers an attribute and a group, nothing a user.
type census struct {
	active, staff, superuser int
	unsaid                   [3]int   // users who may lose a flag of which nothing was said, by the number of the flag
	memberships, grouped     int      // memberships, and users who have any
	names                    []string // of attributes, as spelled, in the order in which they came up
	attributes               []int    // users with a value, beside names
	groups                   []int    // members, by the number of the group
	former                   map[string]int
}

// asIs counts a user who is as the stream says; groups are the numbers of her groups.
func (c *census) asIs(u *proto.User, groups []uint32) {
	c.user(u)
	for _, n := range groups {
		for int(n) >= len(c.groups) {
			c.groups = append(c.groups, make([]int, int(n)+1-len(c.groups))...)
		}
		c.groups[n]++
	}
}

// asWas counts a user who has changed as the stream last told of her.
func (c *census) asWas(was *proto.User) {
	c.user(was)
	if c.former == nil {
		c.former = map[string]int{}
	}
	for _, id := range was.GetGroupIds() {
		c.former[id]++
	}
}

// gone counts a user whom the directory doesn't have any more, by the flags that go with her.
func (c *census) gone(had privileges) {
	if had.staff {
		c.staff++
	}
	if had.superuser {
		c.superuser++
	}
}

func (c *census) user(u *proto.User) {
	if active(u) {
		c.active++
	}
	if u.GetStaff() {
		c.staff++
	}
	if u.GetSuperuser() {
		c.superuser++
	}
	if n := len(u.GetGroupIds()); n > 0 {
		c.memberships += n
		c.grouped++
	}
	next := 0
	for _, a := range u.GetAttributes() {
		if hasValue(a) {
			n := c.attribute(a.GetName(), next)
			c.attributes[n]++
			next = n + 1
		}
	}
}

// attribute returns the number of an attribute. Users have theirs in one order, so that it is mostly the next one.
func (c *census) attribute(name string, next int) int {
	for range c.names {
		if next >= len(c.names) {
			next = 0
		}
		if c.names[next] == name {
			return next
		}
		next++
	}
	c.names = append(c.names, strings.Clone(name))
	c.attributes = append(c.attributes, 0)
	return len(c.names) - 1
}

// of returns how many there are that could be lost in a respect of changed users. number tells the number of a group.
func (c *census) of(r respect, number func(id string) (uint32, bool)) int {
	switch r.change {
	case proto.ChangeActive:
		return c.active
	case proto.ChangeStaff:
		return c.staff + c.unsaid[flagStaff]
	case proto.ChangeSuperuser:
		return c.superuser + c.unsaid[flagSuperuser]
	case proto.ChangeMembership:
		if r.key == "" {
			return c.memberships
		}
		n := c.former[r.key]
		if i, ok := number(r.key); ok && int(i) < len(c.groups) {
			n += c.groups[i]
		}
		return n
	}
	n := 0
	for i, name := range c.names {
		if strings.EqualFold(name, r.key) {
			n += c.attributes[i]
		}
	}
	return n
}
