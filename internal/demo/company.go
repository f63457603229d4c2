package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a client of the company needs to know. The password opens nothing but this demonstration.
const (
	Base         = "dc=kestrel,dc=example"
	PeopleBase   = "ou=people," + Base
	GroupsBase   = "ou=groups," + Base
	BindDN       = "cn=django,ou=services," + Base
	BindPassword = "demo"
	UserFilter   = "(objectClass=inetOrgPerson)" // username: uid; also givenName, sn, mail, title, department, l, userAccountControl
	GroupFilter  = "(objectClass=groupOfNames)"  // name: cn; member
	StaffGroup   = "cn=django-staff," + GroupsBase
)

// The company's size.
const (
	people   = 1000
	disabled = 5
)

// company is what the directory's entries don't say of the people in them.
type company struct {
	random    *rand.Rand
	people    []*person
	usernames map[string]bool // ever given out
	hired     int             // the last employee number
}

type person struct {
	dn           string
	uid          string
	woman        bool
	native       bool // in the script of her culture
	culture      culture
	given, sur   name
	site         site
	team         team
	settled      bool // isn't chosen for a change: leads a team, is staff, has no account, or was chosen before
	account      string
	employeeType string
}

// NewDirectory returns the directory of Kestrel Instruments: 1,000 people, five of them with a disabled account (userAccountControl 514), and 40
// groups (teams, sites, roles, django-staff). The same seed gives the same directory.
func NewDirectory(seed uint64) *Directory {
	d, err := Empty(Base, seed)
	if err == nil {
		d.now = func() time.Time { return time.Date(2026, time.January, 5, 7, 30, 0, 0, time.UTC) }
		d.company = &company{random: rand.New(rand.NewPCG(seed, 0x6b657374)), usernames: map[string]bool{}, hired: 10000}
		err = d.found()
		d.now = time.Now
	}
	if err != nil {
		panic(fmt.Sprintf("demo: the company contradicts itself: %v", err)) // nothing from outside goes into it
	}
	return d
}

// found fills the directory.
func (d *Directory) found() error {
	err := d.Modify(Base, Put("o", "Kestrel Instruments"))
	for _, ou := range []string{"people", "groups", "services"} {
		if err == nil {
			err = d.Add("ou="+ou+","+Base, Attributes{"objectClass": {"top", "organizationalUnit"}})
		}
	}
	if err == nil {
		err = d.Add(BindDN, Attributes{"objectClass": {"top", "applicationProcess"}, "description": {"Reads the directory for Django"}})
	}
	if err != nil {
		return err
	}
	c := d.company
	for i := range people {
		p := c.somebody()
		if i < len(teams()) {
			p.team, p.settled = teams()[i], true
		}
		c.people = append(c.people, p)
	}
	for i := range disabled {
		p := c.people[len(teams())+7+i*191]
		p.account, p.settled = "514", true
	}
	groups := c.groups()
	for _, p := range c.people {
		if err := d.add(p.dn, c.attributes(p)); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := d.add(g.dn, g.attributes); err != nil {
			return err
		}
	}
	return nil
}

// somebody makes a person who isn't in the directory yet.
func (c *company) somebody() *person {
	where := weighted(c.random, sites(), func(s site) int { return s.weight })
	home := where
	if c.random.IntN(5) == 0 {
		home = c.random.IntN(len(sites()))
	}
	p := &person{
		woman: c.random.IntN(2) == 0, native: c.random.IntN(2) == 0, culture: cultures()[home],
		site: sites()[where], account: "512", employeeType: "employee",
	}
	p.team = teams()[weighted(c.random, teams(), func(t team) int { return t.weight })]
	given := p.culture.men
	if p.woman {
		given = p.culture.women
	}
	p.given = parseName(pick(c.random, strings.Fields(given)))
	c.name(p, pick(c.random, strings.Fields(p.culture.surnames)))
	c.hired++
	return p
}

// name gives a person a surname, and the username and DN that go with it.
func (c *company) name(p *person, family string) {
	p.sur = surname(family, p.woman)
	uid := plain(p.given.latin) + "." + plain(p.sur.latin)
	for n := 2; c.usernames[uid]; n++ {
		uid = plain(p.given.latin) + "." + plain(p.sur.latin) + strconv.Itoa(n)
	}
	c.usernames[uid] = true
	p.uid = uid
	p.dn = "uid=" + uid + "," + PeopleBase
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
	a["employeeNumber"] = []string{strconv.Itoa(c.number(p))}
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
	return p.team.titles[1+c.number(p)%(len(p.team.titles)-1)]
}

// number is a person's employee number.
func (c *company) number(p *person) int {
	if i := slices.Index(c.people, p); i >= 0 {
		return c.hired - len(c.people) + 1 + i
	}
	return c.hired
}

// lead is who leads a team: the first people of the company, in the order of the teams.
func (c *company) lead(t team) *person {
	for _, p := range c.people[:min(len(teams()), len(c.people))] {
		if p.team.group == t.group {
			return p
		}
	}
	return nil
}

func pick[T any](random *rand.Rand, list []T) T { return list[random.IntN(len(list))] }

// weighted chooses an index, each as often as its weight says.
func weighted[T any](random *rand.Rand, list []T, weight func(T) int) int {
	total := 0
	for _, x := range list {
		total += weight(x)
	}
	n := random.IntN(total)
	for i, x := range list {
		if n -= weight(x); n < 0 {
			return i
		}
	}
	return len(list) - 1
}
