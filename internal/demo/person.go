package demo

import "strconv"

// person is somebody of the company.
type person struct {
	dn           string
	uid          string
	woman        bool
	native       bool // in the script of her culture
	culture      culture
	given, sur   name
	site         site
	team         team
	number       int
	settled      bool // isn't chosen for a change: leads a team, is staff, has no account, or was chosen before
	account      string
	employeeType string
}

// written is a name as the person writes it.
func (p *person) written(n name) string {
	if p.culture.script && !p.native {
		return n.latin
	}
	return n.native
}

// fullName is the name as people say it, in the order of its culture.
func (p *person) fullName() string {
	if p.culture.family && p.native {
		return p.written(p.sur) + " " + p.written(p.given)
	}
	return p.written(p.given) + " " + p.written(p.sur)
}

// nameAttributes are the attributes that change with a surname.
func (p *person) nameAttributes() Attributes {
	a := Attributes{
		"sn": {p.written(p.sur)}, "cn": {p.fullName()}, "displayName": {p.fullName()}, "mail": {p.uid + "@kestrel.example"},
	}
	if latin := p.given.latin + " " + p.sur.latin; latin != p.fullName() {
		a["cn"] = append(a["cn"], latin)
	}
	return a
}

func (c *company) attributes(p *person) Attributes {
	a := p.nameAttributes()
	a["objectClass"] = []string{"top", "person", "organizationalPerson", "inetOrgPerson"}
	a["uid"] = []string{p.uid}
	a["givenName"] = []string{p.written(p.given)}
	a["title"] = []string{c.title(p)}
	a["department"] = []string{p.team.department}
	a["l"] = []string{p.site.city}
	a["employeeNumber"] = []string{strconv.Itoa(p.number)}
	a["employeeType"] = []string{p.employeeType}
	a["preferredLanguage"] = []string{p.culture.language}
	a["userAccountControl"] = []string{p.account}
	if lead := c.lead(p.team); lead != nil && lead != p {
		a["manager"] = []string{lead.dn}
	}
	return a
}

// title is what a person does in her team.
func (c *company) title(p *person) string {
	if c.lead(p.team) == p {
		return p.team.titles[0]
	}
	return p.team.titles[1+p.number%(len(p.team.titles)-1)]
}
