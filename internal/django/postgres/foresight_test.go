package postgres

import (
	"context"
	"errors"
	"testing"

	"ldapsync/applier"
	"ldapsync/proto"
)

// foretold writes a user in a transaction from one sequence to the next, and returns what that foretold.
func (e *env) foretold(from, to uint64, name string) (r applier.Reader) {
	e.Helper()
	changes := []applier.Change{first(newUser(name))}
	e.advance(from, to, func(ctx context.Context, tx applier.Tx) error {
		found(ctx, e.T, tx, proto.KindUser, "nobody") // reads the rows without links
		r = tx.(applier.Foreteller).Foretell(proto.KindUser, changes)
		return nil
	}, proto.KindUser, changes...)
	return r
}

// cameTrue tells whether the next transaction finds what was foretold.
func (e *env) cameTrue(from, to uint64, r applier.Reader) (came bool) {
	e.Helper()
	e.advance(from, to, func(_ context.Context, tx applier.Tx) error {
		came = tx.(applier.Foreteller).CameTrue(r)
		return nil
	}, proto.KindUser)
	return came
}

func TestWhatIsForetoldKnowsWhatIsWrittenAndAsksNobody(t *testing.T) {
	e := site(t)
	e.advance(0, 1, nil, proto.KindGroup, first(newGroup("staff")))
	r := e.foretold(1, 2, "ada")
	if r == nil {
		t.Fatal("nothing is foretold")
	}
	ctx := t.Context()
	if links, err := r.Links(ctx, "corp", proto.KindUser, []string{"bob"}); err != nil || len(links) != 0 {
		t.Errorf("bob: %v, %v", links, err)
	}
	if rows, err := r.Named(ctx, proto.KindUser, []string{"Bob"}); err != nil || len(rows) != 0 {
		t.Errorf("bob: %v, %v", rows, err)
	}
	if groups, err := r.(applier.GroupReader).Groups(ctx, "corp", []string{"staff", "dev"}); err != nil || len(groups) != 1 || groups[0].PK == "" {
		t.Errorf("groups: %v, %v", groups, err)
	}
	for what, err := range map[string]error{
		"her link": errorOf(r.Links(ctx, "corp", proto.KindUser, []string{"ada"})),
		"her name": errorOf(r.Named(ctx, proto.KindUser, []string{"ADA"})),
		"a row":    errorOf(r.Rows(ctx, proto.KindUser, []string{"1"})),
		"letters":  errorOf(r.Letters(ctx, applier.LetterQuery{Source: "corp", Kind: proto.KindUser, Names: []string{"ada"}})),
	} {
		if !errors.Is(err, errUnforeseen) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !e.cameTrue(2, 3, r) {
		t.Error("it didn't come true")
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestWhatIsForetoldDoesNotComeTrueWhen(t *testing.T) {
	zoe := first(newUser("zoe"))
	for name, between := range map[string]func(e *env, rival *env){
		"a rival moved the checkpoint":    func(_, rival *env) { rival.advance(2, 3, nil, proto.KindUser) },
		"something else was written":      func(e, _ *env) { e.advance(2, 3, nil, proto.KindUser, zoe) },
		"something else was foretold":     func(e, _ *env) { e.foretold(2, 3, "zoe") },
		"the rows without links are read": func(e, _ *env) { e.advance(2, 3, nil, proto.KindUser); e.store.Refresh() },
		"something was refused": func(e, _ *env) {
			e.advance(2, 3, func(ctx context.Context, tx applier.Tx) error {
				_ = tx.Savepoint(ctx, func() error { return errors.New("refused") })
				return nil
			}, proto.KindUser)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := site(t)
			rival := open(t, e.dsn, settings())
			e.advance(0, 1, nil, proto.KindGroup, first(newGroup("staff")))
			r := e.foretold(1, 2, "ada")
			between(e, rival)
			if e.cameTrue(3, 4, r) {
				t.Error("it came true")
			}
		})
	}
}

func TestNothingIsForetold(t *testing.T) {
	e := site(t)
	foretell := func(kind proto.Kind) (r applier.Reader) {
		e.update(func(ctx context.Context, tx applier.Tx) error {
			cp := applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: 1, Mode: "live"}
			prev := &cp
			if e.db.Int("SELECT count(*) FROM ldapsync.checkpoint") == 0 {
				prev = nil
			}
			if err := tx.Advance(ctx, prev, cp); err != nil {
				return err
			}
			r = tx.(applier.Foreteller).Foretell(kind, nil)
			return nil
		})
		return r
	}
	if foretell(proto.KindGroup) != nil {
		t.Error("the keys of groups that are about to be made are foretold")
	}
	if foretell(proto.KindUser) == nil {
		t.Error("nothing is foretold of users: this test shows nothing")
	}
	e.store.Refresh()
	if foretell(proto.KindUser) != nil {
		t.Error("where nothing is remembered something is foretold")
	}
}
