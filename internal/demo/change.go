package demo

import (
	"strings"

	"ldapsync/internal/fault"
)

// Kind is what happened to somebody.
type Kind string

// What happens in the company.
const (
	Joined  Kind = "joins"
	Married Kind = "marries"
	Moved   Kind = "moves"
	Left    Kind = "leaves"
)

// Change is one thing that happened in the company.
type Change struct {
	Kind Kind
	Text string // one sentence without its full stop: "Ana Ferreira joins Platform in Lisbon"
	// The username before and after: Before is "" for who joins, After for who leaves. They differ only for who marries.
	Before, After string
}

// Usernames are the usernames concerned, before and after, each once.
func (c Change) Usernames() []string {
	switch {
	case c.Before == "" || c.Before == c.After:
		return []string{c.After}
	case c.After == "":
		return []string{c.Before}
	}
	return []string{c.Before, c.After}
}

// Change lets a day pass in the company: somebody joins, somebody marries (new surname, username, mail and DN; the same entryUUID), somebody
// moves to another team and somebody leaves, in this order, four different people. The same seed and number of days always
// give the same changes. A directory that isn't the company is an error, and so is a company that nothing is left to happen in.
func (d *Directory) Change() ([]Change, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.company == nil {
		return nil, fault.New(fault.Failed, "make the directory with NewDirectory", "%s: there is no company in this directory", d.base)
	}
	var changes []Change
	for _, happens := range []func() (Change, error){d.join, d.marry, d.move, d.leave} {
		change, err := happens()
		if err != nil {
			return changes, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (d *Directory) join() (Change, error) {
	c := d.company
	p := c.somebody()
	p.settled = true
	c.people = append(c.people, p)
	if err := d.add(p.dn, c.attributes(p)); err != nil {
		return Change{}, err
	}
	for _, cn := range []string{p.team.group, p.site.group} {
		if err := d.modify(groupDN(cn), Append("member", p.dn)); err != nil {
			return Change{}, err
		}
	}
	return Change{Joined, p.fullName() + " joins " + p.team.name + " in " + p.site.name, "", p.uid}, nil
}

func (d *Directory) marry() (Change, error) {
	c := d.company
	p, err := d.choose()
	if err != nil {
		return Change{}, err
	}
	was, from, uid := p.fullName(), p.dn, p.uid
	names := strings.Fields(p.culture.surnames)
	i := c.random.IntN(len(names))
	if surname(names[i], p.woman) == p.sur {
		i = (i + 1) % len(names)
	}
	c.name(p, names[i])
	if err := d.rename(from, p.dn); err != nil {
		return Change{}, err
	}
	var changes []Modification
	for name, values := range p.nameAttributes() {
		changes = append(changes, Put(name, values...))
	}
	if err := d.modify(p.dn, changes...); err != nil {
		return Change{}, err
	}
	return Change{Married, was + " marries and is " + p.fullName() + " now", uid, p.uid}, nil
}

func (d *Directory) move() (Change, error) {
	c := d.company
	p, err := d.choose()
	if err != nil {
		return Change{}, err
	}
	from := p.team
	for p.team.group == from.group {
		p.team = pick(c.random, teams())
	}
	if err := d.modify(groupDN(from.group), Remove("member", p.dn)); err != nil {
		return Change{}, err
	}
	if err := d.modify(groupDN(p.team.group), Append("member", p.dn)); err != nil {
		return Change{}, err
	}
	a := c.attributes(p)
	err = d.modify(p.dn, Put("title", a["title"]...), Put("department", a["department"]...), Put("manager", a["manager"]...))
	return Change{Moved, p.fullName() + " moves from " + from.name + " to " + p.team.name, p.uid, p.uid}, err
}

func (d *Directory) leave() (Change, error) {
	p, err := d.choose()
	if err != nil {
		return Change{}, err
	}
	return Change{Left, p.fullName() + " leaves " + p.team.name + " in " + p.site.name, p.uid, ""}, d.delete(p.dn)
}

// choose returns somebody who was in no change before and is still where the company knows her.
func (d *Directory) choose() (*person, error) {
	c := d.company
	start := c.random.IntN(len(c.people))
	for i := range c.people {
		p := c.people[(start+i)%len(c.people)]
		if _, err := d.find(p.dn); err == nil && !p.settled {
			p.settled = true
			return p, nil
		}
	}
	return nil, fault.New(fault.Failed, "begin with a new directory", "nobody is left in the company to whom something could happen")
}
