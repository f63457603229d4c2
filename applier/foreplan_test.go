package applier

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// seer is a memory that foretells what isn't there.
type seer struct {
	*memory
	version int // of what is there
	true    int // how many plans came true
	lies    bool
}

// farsighted makes the target foretell.
func (e *env) farsighted() *seer {
	s := &seer{memory: e.memory}
	e.through = s
	return s
}

func (s *seer) Update(ctx context.Context, fn func(Tx) error) error {
	err := s.memory.Update(ctx, func(tx Tx) error { return fn(&seerTx{memoryTx: tx.(memoryTx), seer: s}) })
	if err != nil {
		s.version++
	}
	return err
}

type seerTx struct {
	memoryTx
	seer     *seer
	foretold bool
}

func (t *seerTx) Savepoint(ctx context.Context, fn func() error) error {
	err := t.memoryTx.Savepoint(ctx, fn)
	if err != nil {
		t.seer.version++
		t.foretold = false
	}
	return err
}

func (t *seerTx) Write(ctx context.Context, kind proto.Kind, changes []Change) error {
	if !t.foretold {
		t.seer.version++
	}
	t.foretold = false
	return t.memoryTx.Write(ctx, kind, changes)
}

func (t *seerTx) Foretell(kind proto.Kind, changes []Change) Reader {
	if kind != proto.KindUser {
		return nil
	}
	t.seer.version++
	t.foretold = true
	s := &sight{version: t.seer.version, ids: map[string]bool{}, names: map[string]bool{}}
	for id := range t.overlay.links[kind] {
		s.ids[id] = true
	}
	for id := range t.overlay.letters[kind] {
		s.ids[id] = true
	}
	for _, row := range t.overlay.rows[kind] {
		s.names[Fold(row.Name)] = true
	}
	for _, c := range changes {
		s.ids[c.ID] = true
		if c.Values != nil {
			name, _ := c.Values[0].(string)
			s.names[Fold(name)] = true
		}
	}
	return s
}

func (t *seerTx) CameTrue(r Reader) bool {
	came := r.(*sight).version == t.seer.version && !t.seer.lies
	if came {
		t.seer.true++
	}
	return came
}

// sight knows what isn't there, and nothing about what is.
type sight struct {
	nothing
	version    int
	ids, names map[string]bool
}

var errUnseen = errors.New("ask the database")

func unless(known bool) error {
	if known {
		return errUnseen
	}
	return nil
}

func (s *sight) Links(_ context.Context, _ string, kind proto.Kind, ids []string) ([]Link, error) {
	known := kind != proto.KindUser && len(ids) > 0
	for _, id := range ids {
		known = known || s.ids[id]
	}
	return nil, unless(known)
}

func (s *sight) Letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	_, err := s.Links(ctx, q.Source, q.Kind, q.IDs)
	return nil, errors.Join(err, unless(len(q.Names) > 0))
}

func (s *sight) Named(_ context.Context, _ proto.Kind, names []string) ([]Row, error) {
	known := false
	for _, n := range names {
		known = known || s.names[Fold(n)]
	}
	return nil, unless(known)
}

func (s *sight) Rows(_ context.Context, _ proto.Kind, pks []string) ([]Row, error) {
	return nil, unless(len(pks) > 0)
}

// hire publishes n users, one a message, and returns what their rows should be.
func (e *env) hire(n int) (want []string) {
	for i := range n {
		e.upsert(fmt.Sprintf("user%d", i))
		want = append(want, fmt.Sprintf("%d user%d", i+1, i))
	}
	return want
}

func TestBatchesArePlannedAhead(t *testing.T) {
	for _, late := range []bool{false, true} { // a late target takes the state, another one the events
		e := newEnv(t)
		e.cfg.BatchEntries = 1
		s := e.farsighted()
		want := e.hire(9)
		if late {
			e.full(1)
		}
		e.mustApply()
		e.want(want...)
		if s.true < 7 {
			t.Errorf("late %v: %d plans were made ahead", late, s.true)
		}
	}
}

func TestAPlanThatDidNotComeTrueIsMadeAgain(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	s := e.farsighted()
	s.lies = true
	e.upsert("1:ada")
	e.upsert("2:eve")
	e.upsert("1:bob") // known by now: it can't be foretold
	e.upsert("3:ada")
	e.mustApply()
	e.want("1 bob", "2 eve", "3 ada")
	if s.true != 0 {
		t.Errorf("%d plans were taken for true", s.true)
	}
}

// A plan is filled in when it is written: it doesn't serve twice.
func TestATransactionThatIsRunAgainIsPlannedAgain(t *testing.T) {
	for failing := 1; failing < 10; failing++ {
		e := newEnv(t)
		e.cfg.BatchEntries = 1
		e.farsighted()
		want := e.hire(9)
		commits := 0
		e.fail = func() error {
			if commits++; commits == failing {
				return fault.Passing(fault.Database, "", "the network is down")
			}
			return nil
		}
		e.mustApply()
		var names []string
		for _, row := range e.over.rows[proto.KindUser] {
			names = append(names, row.Name)
		}
		if len(names) != len(want) || e.sum.Users.Created != 9 {
			t.Errorf("commit %d failed: %q; %+v", failing, names, e.sum.Users)
		}
	}
}

func TestARefusalSpoilsThePlanBehindIt(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 2
	s := e.farsighted()
	e.bad = "zz"
	e.upsert("1:ada", "2:eve")
	e.upsert("3:bob mail=zz", "4:kim")
	e.upsert("5:zoe", "6:lea")
	e.upsert("7:joe", "8:ann")
	e.mustApply()
	e.want("1 ada", "2 eve", "3 kim", "4 zoe", "5 lea", "6 joe", "7 ann")
	e.wantLetters("3 parked=false the database refuses it: refused")
	if s.true != 2 {
		t.Errorf("%d plans came true, not that of the batch behind the refusal", s.true)
	}
}
