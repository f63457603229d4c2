package demo

import "slices"

// group is a group of the company before it is in the directory.
type group struct {
	dn         string
	attributes Attributes
}

// groups makes the groups of the people there are.
func (c *company) groups() []group {
	var list []group
	for _, t := range teams() {
		list = append(list, c.group(t.group, t.name, func(p *person) bool { return p.team.group == t.group }))
	}
	for _, s := range sites() {
		list = append(list, c.group(s.group, "Everybody in "+s.name, func(p *person) bool { return p.site.group == s.group }))
	}
	for _, r := range roles() {
		list = append(list, c.group(r.group, r.description, func(p *person) bool {
			switch {
			case r.oneIn == 0:
				return c.lead(p.team) == p
			case r.group == apprentices && (p.settled || p.employeeType == "apprentice"):
				return p.employeeType == "apprentice"
			}
			has := c.random.IntN(r.oneIn) == 0
			if has && r.group == apprentices {
				p.employeeType = "apprentice"
			}
			return has
		}))
	}
	staff := 0
	return append(list, c.group("django-staff", "May use the admin site of the intranet", func(p *person) bool {
		if staff == 12 || p.account == accountDisabled || p.team.group != "team-it-operations" {
			return false
		}
		staff++
		p.settled = true
		return true
	}))
}

func (c *company) group(cn, description string, has func(*person) bool) group {
	var members []string
	for _, p := range c.people {
		if has(p) {
			members = append(members, p.dn)
		}
	}
	return group{groupDN(cn), Attributes{
		"objectClass": {"top", "groupOfNames"}, "cn": {cn}, "description": {description}, "member": slices.Clip(members),
	}}
}

func groupDN(cn string) string { return "cn=" + cn + "," + GroupsBase }
