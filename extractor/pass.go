package extractor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// pass is one reading of the directory.
type pass struct {
	cfg      Config
	log      Log
	state    *state
	session  Session
	question *proto.Question
	out      outlet
	members  *memberships
	flags    [3]uint32               // numbers of the groups that give them, where groups do
	again    *memberships            // those groups, read once more
	flagged  flagged                 // how many of the listing have which flag
	spools   map[proto.Kind]*spool   // what has changed
	weighed  *spool                  // the changed users, and what they lose
	gone     map[proto.Kind][]*known // whom the second look didn't find either; after the judgement, those who may go
	waiting  []*known                // users who are missing, and whose grace isn't over
	young    int                     // the first so many of them have had no whole grace yet
	overdue  []*known                // those whose grace is over
	noID     map[proto.Kind]int
	empty    map[proto.Kind]bool // listings, whatever a second look found
	listed   uint64              // entries read, for progress
	sum      *Summary

	verdicts   []*proto.Verdict
	rulings    []*ruling
	changed    string // how the question has changed, if it has
	census     census
	privileged map[key]privileges // the flags of the users who are gone, of those who have any
	weights    map[respect]*weight
	goneGroups map[string]goneGroup // by their ids
	keptBy     map[string]bool      // ids of groups that held users would lose
	spelling   map[string]string    // of attributes, by their folded names
	making     map[making][]heldEntry
	held       holding   // from this pass on
	recent     tally     // see lately
	time       time.Time // see now
}

// read does all that lies between the brackets.
func (p *pass) read(ctx context.Context) error {
	defer p.spools[proto.KindUser].close()
	defer p.spools[proto.KindGroup].close()
	defer p.weighed.close()
	if err := p.readGroups(ctx); err != nil {
		return err
	}
	if err := p.readUsers(ctx); err != nil {
		return err
	}
	if err := p.judge(ctx); err != nil {
		return err
	}
	for _, publish := range []func(context.Context) error{p.publishDecided, p.publishHeld, p.publishChanges, p.publishGone} {
		if err := publish(ctx); err != nil {
			return err
		}
	}
	err := p.out.flush(ctx)
	p.progress()
	return err
}

func (p *pass) progress() {
	p.cfg.OnProgress(Progress{Read: p.listed, Published: p.out.published})
}

// readGroups lists the groups, publishes the new ones, and fills the table of memberships. The second look at missing groups
// comes before the users, who are joined to whatever it finds.
func (p *pass) readGroups(ctx context.Context) error {
	for i, rule := range p.cfg.Flags.rules() {
		if rule == nil || rule.Group == "" {
			continue
		}
		r, err := p.flagGroup(ctx, i, rule)
		if err != nil {
			return err
		}
		p.flags[i] = p.members.group("", r)
	}
	if p.cfg.Groups {
		for batch, err := range p.session.Groups(ctx) {
			if err != nil {
				return err
			}
			for i := range batch {
				if err := p.takeGroup(ctx, batch[i]); err != nil {
					return err
				}
			}
			p.progress()
		}
		if err := p.findMissing(ctx, proto.KindGroup); err != nil {
			return err
		}
	}
	p.members.sort()
	return p.out.flushGroups(ctx)
}

// flagGroup reads the group that gives flag number i.
func (p *pass) flagGroup(ctx context.Context, i int, rule *Flag) (Record, error) {
	r, err := p.session.Group(ctx, rule.Group)
	if errors.Is(err, proto.ErrNotFound) {
		return r, fault.New(fault.Directory, "check its DN, and that the bind account may read it: without it everybody would lose the flag",
			"flags.%s: there is no group %s", flagNames[i], rule.Group)
	}
	if err != nil {
		return r, fmt.Errorf("flags.%s: group %s: %w", flagNames[i], rule.Group, err)
	}
	return r, nil
}

func (p *pass) readUsers(ctx context.Context) error {
	if !p.cfg.Users {
		return nil
	}
	for batch, err := range p.session.Users(ctx) {
		if err != nil {
			return err
		}
		for i := range batch {
			if err := p.takeUser(ctx, batch[i]); err != nil {
				return err
			}
		}
		p.progress()
	}
	if err := p.findMissing(ctx, proto.KindUser); err != nil {
		return err
	}
	return p.out.flushUsers(ctx)
}

// identify gives a record the id of its source, and returns what the baseline knows of it. skip is why it can't be used.
func (p *pass) identify(kind proto.Kind, r *Record, names []string) (k *known, skip string) {
	name := firstOf(*r, names)
	if p.question.GetIdAttribute() == Username {
		r.ID = strings.ToLower(name)
	}
	if r.ID == "" {
		p.noID[kind]++
		p.sum.counts(kind).Read++
		return nil, "no " + p.idName(names)
	}
	b := p.state.kinds[kind]
	k = b.put(keyOf(r.ID))
	switch {
	case k.is(flagSeen) && !p.serverMakesIDs():
		p.sum.counts(kind).Read++
		return nil, "another entry has the same " + p.idName(names)
	case k.is(flagSeen):
		return nil, "" // it moved while the listing ran: the first one counts
	case r.Skip != "":
		skip = r.Skip
	case name == "":
		skip = "no " + strings.Join(names, " or ")
	}
	k.set(flagSeen)
	p.sum.counts(kind).Read++
	if skip != "" {
		k.set(flagSkipped)
	}
	return k, skip
}

// serverMakesIDs tells whether the server itself sees to it that no two entries have one id.
func (p *pass) serverMakesIDs() bool {
	switch strings.ToLower(p.question.GetIdAttribute()) {
	case "entryuuid", "objectguid", "nsuniqueid":
		return true
	}
	return false
}

func (p *pass) idName(names []string) string {
	if id := p.question.GetIdAttribute(); id != Username {
		return id
	}
	return strings.Join(names, " or ")
}

func (p *pass) takeGroup(ctx context.Context, r Record) error {
	p.listed++
	k, skip := p.identify(proto.KindGroup, &r, p.cfg.GroupName)
	if r.ID != "" && (k != nil || skip != "") {
		n := p.members.group(r.ID, r)
		p.members.names[n] = strings.Clone(firstOf(r, p.cfg.GroupName))
	}
	if skip != "" {
		p.sum.skip(proto.KindGroup, r.DN, skip)
		return nil
	}
	if k == nil {
		return nil
	}
	g := &proto.Group{Id: r.ID, Dn: r.DN, Attributes: attributes(r)}
	d := proto.DigestGroup(g)
	if what, err := p.compare(proto.KindGroup, k, d, r, g); err != nil || !p.goesNow(what) {
		return err
	}
	return p.out.group(ctx, k, g, d, proto.Retained_RETAINED_UNSPECIFIED)
}

func (p *pass) takeUser(ctx context.Context, r Record) error {
	p.listed++
	k, skip := p.identify(proto.KindUser, &r, p.cfg.Username)
	if skip != "" {
		p.sum.skip(proto.KindUser, r.DN, skip)
		return nil
	}
	if k == nil {
		return nil
	}
	u, groups := p.user(r)
	p.flagged.add(u)
	d := proto.DigestUser(u)
	what, err := p.compare(proto.KindUser, k, d, r, u)
	if what == unchanged {
		p.census.asIs(u, groups)
	}
	if err != nil || !p.goesNow(what) {
		return err
	}
	return p.out.user(ctx, k, u, d, proto.Retained_RETAINED_UNSPECIFIED, nil)
}

// outcome is what comparing an entry with the baseline says.
type outcome int

const (
	later     outcome = iota // it is skipped, or waits in a spool
	added                    // it is new, or was missing
	unchanged                // it is as the stream says
)

// goesNow tells whether an entry is published as soon as it is read.
func (p *pass) goesNow(o outcome) bool { return o == added || o == unchanged && p.sum.Full }

// compare tells what becomes of an entry that was read.
func (p *pass) compare(kind proto.Kind, k *known, d proto.Digest, r Record, m proto.Message) (outcome, error) {
	c := p.sum.counts(kind)
	if !p.out.fits(m) {
		k.set(flagSkipped)
		p.sum.skip(kind, r.DN, fmt.Sprintf("too large for a message: %d bytes", proto.Size(m)))
		return later, nil
	}
	switch {
	case k.is(flagRemoved): // new: nothing is known of it
		c.Added++
		p.state.kinds[kind].live++
		k.clear(flagRemoved | flagMissing)
		k.digest = d
		return added, nil
	case k.digest == d && kind == proto.KindUser && !p.cfg.Groups && (p.sum.Full || k.is(flagMissing)):
		// She is published with the groups that she was last known in: they are in the stream.
	case k.digest == d && k.is(flagMissing): // back as she was: others are judged by what has changed
		c.Changed++
		return added, nil
	case k.digest == d:
		c.Unchanged++
		return unchanged, nil
	}
	c.Changed++
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		return later, fmt.Errorf("%s: %w", r.DN, err)
	}
	return later, p.spools[kind].add(spooled{key: k.key, join: r, entry: data})
}

// user normalizes a record, and returns the numbers of her groups with it.
func (p *pass) user(r Record) (*proto.User, []uint32) {
	groups := p.members.of(r, p.cfg.Nested)
	no := false
	u := &proto.User{
		Id: r.ID, Dn: r.DN, Attributes: attributes(r),
		Active:        p.cfg.Flags.Active.of(r, groups, p.flags[flagActive], nil),
		Staff:         p.cfg.Flags.Staff.of(r, groups, p.flags[flagStaff], &no),
		Superuser:     p.cfg.Flags.Superuser.of(r, groups, p.flags[flagSuperuser], &no),
		GroupsUnknown: !p.cfg.Groups,
	}
	if p.cfg.Groups {
		u.GroupIds = p.groupIDs(groups)
	}
	return u, groups
}

// groupIDs returns the ids of the groups with these numbers, sorted, without those that only give flags.
func (p *pass) groupIDs(numbers []uint32) []string {
	var ids []string
	for _, n := range numbers {
		if id := p.members.ids[n]; id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
