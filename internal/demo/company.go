package demo

import (
	"fmt"
	"math/rand/v2"
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

// What userAccountControl says of an account, as Active Directory does: a normal one, and one with bit 2 set.
const (
	accountNormal   = "512"
	accountDisabled = "514"
)

// company is what the directory's entries don't say of the people in them.
type company struct {
	random    *rand.Rand
	people    []*person
	usernames map[string]bool // ever given out
	hired     int             // the last employee number
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
	err := d.modify(Base, Put("o", "Kestrel Instruments"))
	for _, ou := range []string{"people", "groups", "services"} {
		if err == nil {
			err = d.add("ou="+ou+","+Base, Attributes{"objectClass": {"top", "organizationalUnit"}})
		}
	}
	if err == nil {
		err = d.add(BindDN, Attributes{"objectClass": {"top", "applicationProcess"}, "description": {"Reads the directory for Django"}})
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
		p.account, p.settled = accountDisabled, true
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
		site: sites()[where], account: accountNormal, employeeType: "employee",
	}
	p.team = teams()[weighted(c.random, teams(), func(t team) int { return t.weight })]
	given := p.culture.men
	if p.woman {
		given = p.culture.women
	}
	p.given = parseName(pick(c.random, strings.Fields(given)))
	c.name(p, pick(c.random, strings.Fields(p.culture.surnames)))
	c.hired++
	p.number = c.hired
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
