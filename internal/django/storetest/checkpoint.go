package storetest

import (
	"errors"
	"sync"

	"ldapsync/applier"
	"ldapsync/proto"
)

func at(seq uint64) applier.Checkpoint {
	return applier.Checkpoint{Source: source, StreamID: "s1", Sequence: seq, Mapping: "m1", Mode: "live"}
}

func (s *suite) advance(store Store, prev *applier.Checkpoint, next applier.Checkpoint, changes ...applier.Change) error {
	return store.Update(s.Context(), func(tx applier.Tx) error {
		if err := tx.Advance(s.Context(), prev, next); err != nil {
			return err
		}
		return tx.Write(s.Context(), proto.KindUser, changes)
	})
}

func (s *suite) wantCheckpoint(want applier.Checkpoint) {
	s.Helper()
	got, err := s.Store.Checkpoint(s.Context(), want.Source)
	if err != nil || got == nil || *got != want {
		s.Errorf("checkpoint: %+v, %v; want %+v", got, err, want)
	}
	if n, err := s.Store.Position(s.Context(), want.Source); err != nil || n != want.Sequence {
		s.Errorf("position: %d, %v; want %d", n, err, want.Sequence)
	}
}

var checkpointCases = map[string]func(*suite){
	"CheckpointMoves": func(s *suite) {
		if p, err := s.Store.Checkpoint(s.Context(), source); p != nil || err != nil {
			s.Fatalf("a checkpoint before the first: %v, %v", p, err)
		}
		first, second := at(10), at(1<<53)
		second.StreamID, second.Mapping, second.Mode = "s2", "m2", "pinned 7"
		if err := s.advance(s.Store, nil, first); err != nil {
			s.Fatal(err)
		}
		s.wantCheckpoint(first)
		if err := s.advance(s.Store, &first, second); err != nil {
			s.Fatal(err)
		}
		s.wantCheckpoint(second)
		for _, mode := range []string{"catching up 12", "replaying 12", "pinned 12", "live", "pinned 7"} { // those of applier
			next := second
			next.Mode = mode
			if err := s.advance(s.Store, &second, next); err != nil {
				s.Fatalf("mode %q: %v", mode, err)
			}
			s.wantCheckpoint(next)
			second = next
		}
		other := at(3)
		other.Source = "lab"
		if err := s.advance(s.Store, nil, other); err != nil {
			s.Fatal(err)
		}
		s.wantCheckpoint(other)
		s.wantCheckpoint(second)
	},
	"OfTwoAppliersOneMovesTheCheckpoint": func(s *suite) {
		rival := s.open()
		p10, p20, p30 := at(10), at(20), at(30)
		if err := s.advance(s.Store, nil, p10); err != nil {
			s.Fatal(err)
		}
		if err := s.advance(rival, nil, p20); !errors.Is(err, applier.ErrMoved) {
			s.Errorf("a second first checkpoint: %v", err)
		}
		if err := s.advance(rival, &p10, p20); err != nil {
			s.Fatal(err)
		}
		err := s.advance(s.Store, &p10, p30, s.create(proto.KindUser, "ada", "ada", nil))
		if !errors.Is(err, applier.ErrMoved) {
			s.Errorf("from a position that isn't: %v", err)
		}
		s.want("SELECT username FROM auth_user")
		for what, differ := range map[string]func(*applier.Checkpoint){
			"stream":  func(cp *applier.Checkpoint) { cp.StreamID = "another" },
			"mapping": func(cp *applier.Checkpoint) { cp.Mapping = "another" },
			"mode":    func(cp *applier.Checkpoint) { cp.Mode = "pinned 1" },
		} {
			from := p20
			differ(&from)
			if err := s.advance(s.Store, &from, p30); !errors.Is(err, applier.ErrMoved) {
				s.Errorf("from another %s: %v", what, err)
			}
		}
		s.wantCheckpoint(p20)
	},
	"ARaceHasOneWinner": func(s *suite) {
		stores := []Store{s.Store, s.open()}
		p := at(1)
		if err := s.advance(s.Store, nil, p); err != nil {
			s.Fatal(err)
		}
		for round := range uint64(10) {
			var wg sync.WaitGroup
			errs := make([]error, len(stores))
			for i, store := range stores {
				wg.Go(func() { errs[i] = s.advance(store, &p, at(p.Sequence+1)) })
			}
			wg.Wait()
			winners := 0
			for _, err := range errs {
				if err == nil {
					winners++
				} else if !errors.Is(err, applier.ErrMoved) {
					s.Fatalf("round %d: %v", round, err)
				}
			}
			if winners != 1 {
				s.Fatalf("round %d: %d winners", round, winners)
			}
			p = at(p.Sequence + 1)
		}
	},
	"RollbackLeavesNothing": func(s *suite) {
		groups := s.found("staff")
		broken := errors.New("broken")
		err := s.Store.Update(s.Context(), func(tx applier.Tx) error {
			if err := tx.Advance(s.Context(), nil, at(5)); err != nil {
				return err
			}
			c := s.create(proto.KindUser, "ada", "ada", nil)
			c.Join, c.Pending = []string{groups["staff"]}, []string{"later"}
			d := applier.Change{Action: applier.Skip, Source: source, ID: "bob", Letter: letter("bob", "bob", false)}
			if err := tx.Write(s.Context(), proto.KindUser, []applier.Change{c, d}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			s.Fatalf("fn's error isn't passed on: %v", err)
		}
		if p, err := s.Store.Checkpoint(s.Context(), source); p != nil || err != nil {
			s.Errorf("checkpoint: %v, %v", p, err)
		}
		s.want("SELECT username FROM auth_user")
		s.want("SELECT user_id FROM auth_user_groups")
		if n := len(s.links(proto.KindUser, "ada")); n != 0 {
			s.Error("a link is left")
		}
		if n := len(s.letters(applier.LetterQuery{All: true})); n != 0 {
			s.Error("a letter is left")
		}
		s.want("SELECT name FROM auth_group", "staff")
	},
	"SavepointsNest": func(s *suite) {
		broken := errors.New("broken")
		s.update(func(tx applier.Tx) error {
			ctx := s.Context()
			make := func(name string) error {
				return tx.Write(ctx, proto.KindUser, []applier.Change{s.create(proto.KindUser, name, name, nil)})
			}
			err := tx.Savepoint(ctx, func() error {
				if err := make("outer"); err != nil {
					return err
				}
				if err := tx.Savepoint(ctx, func() error { return errors.Join(make("inner"), broken) }); !errors.Is(err, broken) {
					s.Errorf("inner: %v", err)
				}
				return tx.Savepoint(ctx, func() error { return make("second") })
			})
			if err != nil {
				return err
			}
			err = tx.Savepoint(ctx, func() error {
				return errors.Join(tx.Savepoint(ctx, func() error { return make("deep") }), broken)
			})
			if !errors.Is(err, broken) {
				s.Errorf("outer: %v", err)
			}
			return make("last")
		})
		s.want("SELECT username FROM auth_user ORDER BY username", "last", "outer", "second")
	},
}
