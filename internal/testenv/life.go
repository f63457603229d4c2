package testenv

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// Life is a company that lives: people join, move, marry, leave and return, teams come and go. It is a directory (extractor.Directory), and
// it remembers nothing: Truth says how it is now. The same seed lives the same life.
type Life struct {
	rng    *rand.Rand
	people map[string]*person // by id
	former []*person          // who left and may return
	teams  map[string]*team   // by id
	born   int                // people and teams so far
	hidden map[string]bool    // ids that an accident keeps from those who read
}

type person struct {
	id, uid, first, last string
	disabled             bool
}

type team struct {
	id, name string
	members  map[string]bool // ids
}

// NewLife founds a company of n people.
func NewLife(seed uint64, n int) *Life {
	l := &Life{rng: rand.New(rand.NewPCG(seed, 1)), people: map[string]*person{}, teams: map[string]*team{}, hidden: map[string]bool{}}
	for range max(2, n/25) {
		l.found()
	}
	for range n {
		l.hire()
	}
	return l
}

// Day lets a day pass: a few people in a hundred come, go or change.
func (l *Life) Day() {
	for range 1 + len(l.people)/100 {
		switch n := l.rng.IntN(100); {
		case n < 18:
			l.hire()
		case n < 32:
			l.leave()
		case n < 38:
			l.comeBack()
		case n < 52:
			l.rename()
		case n < 56:
			l.swapNames()
		case n < 84:
			l.move()
		case n < 88:
			p := l.anybody()
			p.disabled = !p.disabled
		case n < 91:
			l.found()
		case n < 93:
			l.dissolve()
		default: // nothing happens
		}
	}
}

// Accident hides every second person from those who read, until Recover.
func (l *Life) Accident() {
	for i, id := range slices.Sorted(maps.Keys(l.people)) {
		l.hidden[id] = i%2 == 0
	}
}

// Recover ends an accident.
func (l *Life) Recover() { clear(l.hidden) }

// Truth is everybody, a line each, sorted: "username|first|last|mail|active|team,team".
func (l *Life) Truth() []string {
	lines := make([]string, 0, len(l.people))
	for _, p := range l.people {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%v|%s", p.uid, p.first, p.last, p.mail(), !p.disabled, strings.Join(l.teamsOf(p.id), ",")))
	}
	slices.Sort(lines)
	return lines
}

func (p *person) mail() string { return p.uid + "@example.com" }

func (p *person) dn() string { return "uid=" + p.uid + ",ou=people,dc=example,dc=com" }

func (l *Life) teamsOf(id string) (names []string) {
	for _, t := range l.teams {
		if t.members[id] {
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	return names
}

func (l *Life) number() int { l.born++; return l.born }

func (l *Life) hire() {
	n := l.number()
	p := &person{id: fmt.Sprintf("10000000-0000-4000-8000-%012d", n), uid: fmt.Sprintf("p%d", n), first: l.pick("Ada", "Bob", "Çiğdem", "Đorđe", "Eve"), last: l.pick("Lovelace", "Ng", "O'Brien", "Müller", "李")}
	if len(l.former) > 0 && l.rng.IntN(4) == 0 { // a name that somebody had before
		if uid := l.former[l.rng.IntN(len(l.former))].uid; l.free(uid) {
			p.uid = uid
		}
	}
	l.people[p.id] = p
	for range l.rng.IntN(3) {
		l.anyTeam().members[p.id] = true
	}
}

func (l *Life) leave() {
	if len(l.people) < 3 {
		return
	}
	p := l.anybody()
	delete(l.people, p.id)
	for _, t := range l.teams {
		delete(t.members, p.id)
	}
	l.former = append(l.former, p)
}

func (l *Life) comeBack() {
	if len(l.former) == 0 {
		return
	}
	i := l.rng.IntN(len(l.former))
	p := l.former[i]
	if !l.free(p.uid) {
		return
	}
	l.former = slices.Delete(l.former, i, i+1)
	l.people[p.id] = p
}

func (l *Life) rename() {
	p := l.anybody()
	p.last = l.pick("Babbage", "Hopper", "Kovalevskaya", "Noether")
	if l.rng.IntN(2) == 0 {
		p.uid = fmt.Sprintf("p%d", l.number())
	}
}

func (l *Life) swapNames() {
	p, q := l.anybody(), l.anybody()
	p.uid, q.uid = q.uid, p.uid
}

func (l *Life) move() {
	p := l.anybody()
	if from := l.anyTeam(); from.members[p.id] {
		delete(from.members, p.id)
	}
	l.anyTeam().members[p.id] = true
}

func (l *Life) found() {
	n := l.number()
	t := &team{id: fmt.Sprintf("20000000-0000-4000-8000-%012d", n), name: fmt.Sprintf("team %d", n), members: map[string]bool{}}
	l.teams[t.id] = t
}

// dissolve ends the smallest team.
func (l *Life) dissolve() {
	if len(l.teams) < 3 {
		return
	}
	teams := slices.SortedFunc(maps.Values(l.teams), func(a, b *team) int {
		return 2*(len(a.members)-len(b.members)) + strings.Compare(a.id, b.id)
	})
	delete(l.teams, teams[0].id)
}

func (l *Life) free(uid string) bool {
	for _, p := range l.people {
		if p.uid == uid {
			return false
		}
	}
	return true
}

func (l *Life) anybody() *person {
	ids := slices.Sorted(maps.Keys(l.people))
	return l.people[ids[l.rng.IntN(len(ids))]]
}

func (l *Life) anyTeam() *team {
	ids := slices.Sorted(maps.Keys(l.teams))
	return l.teams[ids[l.rng.IntN(len(ids))]]
}

func (l *Life) pick(from ...string) string { return from[l.rng.IntN(len(from))] }

// Open implements extractor.Directory.
func (l *Life) Open(context.Context, string) (extractor.Session, error) { return lifeSession{l}, nil }

type lifeSession struct{ *Life }

func (l lifeSession) Close() error { return nil }

func (l lifeSession) Info() extractor.Info {
	return extractor.Info{Server: "ldap://life", Question: &proto.Question{
		Bases: []string{"dc=example,dc=com"}, UserFilter: "(uid=*)", GroupFilter: "(cn=*)", Scope: "sub", IdAttribute: "entryUUID",
		Attributes: []string{"cn", "givenname", "mail", "sn", "uid", "useraccountcontrol"}, NamingContext: "dc=example,dc=com",
	}}
}

// Users lists in pages of 50, in the order of the ids.
func (l lifeSession) Users(context.Context) iter.Seq2[[]extractor.Record, error] {
	return pages(slices.Sorted(maps.Keys(l.people)), l.user)
}

// Groups lists the teams likewise.
func (l lifeSession) Groups(context.Context) iter.Seq2[[]extractor.Record, error] {
	return pages(slices.Sorted(maps.Keys(l.teams)), l.group)
}

func pages(ids []string, record func(id string) (extractor.Record, bool)) iter.Seq2[[]extractor.Record, error] {
	return func(yield func([]extractor.Record, error) bool) {
		for page := range slices.Chunk(ids, 50) {
			var batch []extractor.Record
			for _, id := range page {
				if r, ok := record(id); ok {
					batch = append(batch, r)
				}
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

func (l lifeSession) user(id string) (extractor.Record, bool) {
	p, ok := l.people[id]
	if !ok || l.hidden[id] {
		return extractor.Record{}, false
	}
	control := "512"
	if p.disabled {
		control = "514"
	}
	return extractor.Record{ID: p.id, DN: p.dn(), UID: p.uid, Attributes: []extractor.Attribute{
		{Name: "uid", Values: []string{p.uid}}, {Name: "givenName", Values: []string{p.first}}, {Name: "sn", Values: []string{p.last}},
		{Name: "mail", Values: []string{p.mail()}}, {Name: "userAccountControl", Values: []string{control}},
	}}, true
}

func (l lifeSession) group(id string) (extractor.Record, bool) {
	t, ok := l.teams[id]
	if !ok {
		return extractor.Record{}, false
	}
	r := extractor.Record{ID: t.id, DN: "cn=" + t.name + ",ou=teams,dc=example,dc=com", Attributes: []extractor.Attribute{{Name: "cn", Values: []string{t.name}}}}
	for _, member := range slices.Sorted(maps.Keys(t.members)) {
		if p, ok := l.people[member]; ok {
			r.Members = append(r.Members, p.dn())
		}
	}
	return r, true
}

// Lookup finds whom the listing would have had.
func (l lifeSession) Lookup(_ context.Context, kind proto.Kind, ids []string) (found []extractor.Record, err error) {
	record := l.user
	if kind == proto.KindGroup {
		record = l.group
	}
	for _, id := range ids {
		if r, ok := record(id); ok {
			found = append(found, r)
		}
	}
	return found, nil
}

// GroupsOf finds the teams that name a person.
func (l lifeSession) GroupsOf(_ context.Context, user extractor.Record) (found []extractor.Record, err error) {
	for _, id := range slices.Sorted(maps.Keys(l.teams)) {
		if l.teams[id].members[user.ID] {
			r, _ := l.group(id)
			found = append(found, r)
		}
	}
	return found, nil
}

// Group finds no group by its DN: no flag depends on one here.
func (l lifeSession) Group(context.Context, string) (extractor.Record, error) {
	return extractor.Record{}, proto.ErrNotFound
}
