package applier

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"ldapsync/proto"
)

// memory is a Store that is an overlay over nothing.
type memory struct {
	over       *overlay
	checkpoint *Checkpoint
	pk         int
	writes     int // changes written
	updates    int // transactions committed
	bad        string
	fail       func() error // called before each commit
	held       []Held
	complete   map[string]bool
	outcomes   []*proto.Outcomes // the outbox
}

type nothing struct{}

func (nothing) Links(context.Context, string, proto.Kind, []string) ([]Link, error) { return nil, nil }
func (nothing) LinksAfter(context.Context, string, proto.Kind, string, int) ([]Link, error) {
	return nil, nil
}
func (nothing) LinksOf(context.Context, proto.Kind, []string) ([]Link, error)       { return nil, nil }
func (nothing) Rows(context.Context, proto.Kind, []string) ([]Row, error)           { return nil, nil }
func (nothing) Named(context.Context, proto.Kind, []string) ([]Row, error)          { return nil, nil }
func (nothing) Memberships(context.Context, string, []string) ([]Membership, error) { return nil, nil }
func (nothing) Letters(context.Context, LetterQuery) ([]Letter, error)              { return nil, nil }
func (nothing) ActiveSuperusers(context.Context) ([]string, error)                  { return nil, nil }

func (nothing) ListUnlinked(context.Context) ([]Row, int, error) { return nil, 0, nil }
func (nothing) HeldRows(context.Context) ([]Held, error)         { return nil, nil }
func (nothing) Complete(context.Context) ([]string, error)       { return nil, nil }

func newMemory() *memory { return &memory{over: newOverlay(nothing{})} }

func (m *memory) Checkpoint(context.Context, string) (*Checkpoint, error) { return m.checkpoint, nil }

func (m *memory) Refresh() {}

func (m *memory) View(_ context.Context, fn func(Reader) error) error {
	return fn(memoryTx{m, m.over.clone()})
}

func (m *memory) Update(_ context.Context, fn func(Tx) error) error {
	before, cp, held, outcomes := m.over.clone(), m.checkpoint, m.held, m.outcomes
	err := fn(memoryTx{m, m.over})
	if err == nil && m.fail != nil {
		err = m.fail()
	}
	if err != nil {
		m.over, m.checkpoint, m.held, m.outcomes = before, cp, held, outcomes
		return err
	}
	m.updates++
	return nil
}

// memoryTx reads rows' privileges from their values: is_staff is column 3.
type memoryTx struct {
	*memory
	*overlay
}

func (t memoryTx) Advance(_ context.Context, prev *Checkpoint, next Checkpoint) error {
	if (prev == nil) != (t.checkpoint == nil) || prev != nil && (prev.Sequence != t.checkpoint.Sequence || prev.StreamID != t.checkpoint.StreamID || prev.Mode != t.checkpoint.Mode) {
		return ErrMoved
	}
	t.checkpoint = &next
	t.memory.checkpoint = &next
	return nil
}

func (t memoryTx) LinksAfter(_ context.Context, source string, kind proto.Kind, after string, limit int) (links []Link, err error) {
	for _, id := range slices.Sorted(maps.Keys(t.overlay.links[kind])) {
		l := t.overlay.links[kind][id]
		if l.Source == source && id > after && (l.State == Present || l.State == Missing) && len(links) < limit {
			links = append(links, l)
		}
	}
	return links, nil
}

func (t memoryTx) Savepoint(_ context.Context, fn func() error) error {
	before := t.overlay.clone()
	err := fn()
	if err != nil {
		*t.overlay = *before
	}
	return err
}

func (t memoryTx) Write(_ context.Context, kind proto.Kind, changes []Change) error {
	linked := map[string]bool{}
	for i := range changes {
		c := &changes[i]
		t.writes++
		if c.Link != nil {
			if linked[c.Source+" "+c.ID] {
				return fmt.Errorf("the link of %s is written twice", c.ID) // PostgreSQL refuses that
			}
			linked[c.Source+" "+c.ID] = true
		}
		if c.Values != nil && slices.Contains(c.Values, any(t.bad)) && t.bad != "" {
			return &DataError{errors.New("refused")}
		}
		if c.Action == Create {
			t.memory.pk++
			c.PK = fmt.Sprint(t.memory.pk)
			c.Link.PK = c.PK
			for j, v := range c.Values {
				if v == (Keep{}) {
					c.Values[j] = j == 2 // only active by default
				}
			}
		}
		action := c.Action
		c.Action = Update // absorb makes no key of its own then
		t.absorb(kind, []Change{*c})
		c.Action = action
	}
	seen := map[string]bool{}
	for _, row := range t.overlay.rows[kind] {
		if seen[row.Name] {
			return &DataError{fmt.Errorf("duplicate %s", row.Name)}
		}
		seen[row.Name] = true
	}
	return nil
}

func (o *overlay) clone() *overlay {
	c := newOverlay(o.Reader)
	for kind := range o.links {
		maps.Copy(c.links[kind], o.links[kind])
		maps.Copy(c.rows[kind], o.rows[kind])
		maps.Copy(c.letters[kind], o.letters[kind])
		for k, v := range o.byName[kind] {
			c.byName[kind][k] = maps.Clone(v)
		}
		for k, v := range o.owned[kind] {
			c.owned[kind][k] = maps.Clone(v)
		}
	}
	for k, v := range o.joined {
		c.joined[k] = maps.Clone(v)
	}
	return c
}

// table has username, email and is_active.
type table struct{}

func (table) ColumnNames() []string { return []string{"username", "email", "is_active"} }
func (table) ActiveColumn() int     { return 2 }
func (table) Convert(column string, value any) (any, error) {
	s, _ := value.(string)
	switch {
	case column == "username" && s == "":
		return nil, fmt.Errorf("username: there is none")
	case len(s) > 20:
		return nil, fmt.Errorf("%s: %d characters, at most 20 fit", column, len(s))
	}
	return s, nil
}

type groupTable struct{}

func (groupTable) ColumnNames() []string                { return []string{"name"} }
func (groupTable) ActiveColumn() int                    { return -1 }
func (groupTable) Convert(_ string, v any) (any, error) { return v, nil }

// stream is a source's stream in memory. Follow ends with errEnd behind the last event.
type stream struct {
	id     string
	events []proto.Event
	cut    uint64 // what is before this sequence was cut off
}

var errEnd = errors.New("end of the stream")

func (s *stream) StreamID() string { return s.id }
func (s *stream) Bounds(context.Context) (uint64, uint64, error) {
	return max(1, s.cut), uint64(len(s.events)), nil
}
func (s *stream) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for seq := max(from, s.cut); seq <= to && seq <= uint64(len(s.events)); seq++ {
			if !yield(s.events[seq-1], nil) {
				return
			}
		}
	}
}
func (s *stream) Follow(_ context.Context, from uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for seq := from; seq <= uint64(len(s.events)); seq++ {
			e := s.events[seq-1]
			e.Pending = uint64(len(s.events)) - seq
			if !yield(e, nil) {
				return
			}
		}
		yield(proto.Event{}, errEnd)
	}
}
func (s *stream) LastOf(_ context.Context, t proto.Type) (proto.Event, error) {
	for _, e := range slices.Backward(s.events) {
		if e.Type == t {
			return e, nil
		}
	}
	return proto.Event{}, proto.ErrNotFound
}

// env is a stream, a target and an applier between them.
type env struct {
	*stream
	*memory
	t       *testing.T
	through Store // what the target is applied to; nil: memory
	cfg     Config
	sum     Summary
	did     []string // what was done by the last apply
}

func newEnv(t *testing.T) *env {
	users, err := NewMapping(table{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := NewMapping(groupTable{}, []Field{{Column: "name", From: []string{"cn"}}})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{stream: &stream{id: "s1"}, memory: newMemory(), t: t}
	e.cfg = Config{Target: "default", Source: "corp", Users: users, Groups: groups, Memberships: true, Adopt: Adoption{Existing: true}}
	return e
}

func (e *env) publish(t proto.Type, m proto.Message) {
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		e.t.Fatal(err)
	}
	e.events = append(e.events, proto.Event{Type: t, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: uint64(len(e.events) + 1)})
}

// user makes a user: "ada" or "ada mail=x in dev ops" with id "id-ada", or "7:ada" with id "7".
func user(spec string) *proto.User {
	words := strings.Fields(spec)
	id, uid, ok := strings.Cut(words[0], ":")
	if !ok {
		id, uid = "id-"+words[0], words[0]
	}
	u := &proto.User{Id: id, Dn: "uid=" + uid, Attributes: []*proto.Attribute{{Name: "UID", Values: []string{uid}}}}
	for i, w := range words[1:] {
		switch {
		case w == "in":
			for _, g := range words[i+2:] {
				u.GroupIds = append(u.GroupIds, "gid-"+g)
			}
			return u
		case w == "active", w == "inactive":
			active := w == "active"
			u.Active = &active
		default:
			u.Attributes = append(u.Attributes, &proto.Attribute{Name: "mail", Values: []string{strings.TrimPrefix(w, "mail=")}})
		}
	}
	return u
}

// upsert publishes users in one message.
func (e *env) upsert(specs ...string) {
	m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
	for _, spec := range specs {
		u := user(spec)
		d := proto.DigestUser(u)
		m.Users, m.Ids, m.Digests = append(m.Users, u), append(m.Ids, u.Id), append(m.Digests, d[:]...)
	}
	e.publish(proto.TypeUserUpserted, m)
}

func (e *env) group(names ...string) {
	m := &proto.GroupUpserted{DigestVersion: proto.DigestVersion}
	for _, name := range names {
		g := &proto.Group{Id: "gid-" + name, Dn: "cn=" + name, Attributes: []*proto.Attribute{{Name: "cn", Values: []string{name}}}}
		d := proto.DigestGroup(g)
		m.Groups, m.Ids, m.Digests = append(m.Groups, g), append(m.Ids, g.Id), append(m.Digests, d[:]...)
	}
	e.publish(proto.TypeGroupUpserted, m)
}

func (e *env) remove(id string) {
	e.publish(proto.TypeUserRemoved, &proto.UserRemoved{User: &proto.User{Id: id}, Reason: "not found"})
}

func (e *env) commitSnapshot() {
	e.publish(proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{FullSequence: 1})
}

// local makes an account that sync doesn't know.
func (e *env) local(name string, privileged bool) string {
	e.memory.pk++
	pk := fmt.Sprint(e.memory.pk)
	e.over.rows[proto.KindUser][pk] = Row{PK: pk, Name: name, Privileged: privileged, Superuser: privileged, Values: []any{name, "", true}}
	put(e.over.byName[proto.KindUser], Fold(name), pk)
	return pk
}

// apply applies everything, and returns the error that isn't the stream's end.
func (e *env) apply() error {
	e.did = nil
	cfg := e.cfg
	cfg.OnChange = func(_ proto.Kind, c Change) { e.did = append(e.did, string(c.Action)+" "+c.Name) }
	var store Store = e.memory
	if e.through != nil {
		store = e.through
	}
	a := New(cfg, store, e.stream)
	err := a.Run(e.t.Context())
	e.sum = a.Summary()
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

func (e *env) mustApply() {
	e.t.Helper()
	if err := e.apply(); err != nil {
		e.t.Fatal(err)
	}
}

// want compares the rows: "pk name email", by pk.
func (e *env) want(lines ...string) {
	e.t.Helper()
	var got []string
	for pk, row := range e.over.rows[proto.KindUser] {
		line := pk + " " + row.Name
		if row.Values[1] != "" {
			line += " " + fmt.Sprint(row.Values[1])
		}
		if row.Values[2] != true {
			line += " inactive"
		}
		var groups []string
		for g, is := range e.over.joined[pk] {
			if is {
				groups = append(groups, e.over.rows[proto.KindGroup][g].Name)
			}
		}
		slices.Sort(groups)
		if len(groups) > 0 {
			line += " in " + strings.Join(groups, " ")
		}
		got = append(got, line)
	}
	slices.Sort(got)
	if !slices.Equal(got, lines) {
		e.t.Errorf("rows:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

func (e *env) wantLetters(lines ...string) {
	e.t.Helper()
	var got []string
	for id, l := range e.over.letters[proto.KindUser] {
		if l != nil {
			got = append(got, fmt.Sprintf("%s parked=%v %s", id, l.Parked, l.Reason))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, lines) {
		e.t.Errorf("letters:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}
