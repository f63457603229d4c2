package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ldapsync/applier"
	"ldapsync/proto"
)

// advance writes changes in a transaction that moves the checkpoint from one sequence to the next, 0 being none, after look has had a look.
func (e *env) advance(from, to uint64, look func(ctx context.Context, tx applier.Tx) error, kind proto.Kind, changes ...applier.Change) {
	e.Helper()
	e.update(func(ctx context.Context, tx applier.Tx) error {
		var prev *applier.Checkpoint
		if from > 0 {
			prev = &applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: from, Mode: "live"}
		}
		err := tx.Advance(ctx, prev, applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: to, Mode: "live"})
		if err == nil && look != nil {
			err = look(ctx, tx)
		}
		if err != nil || len(changes) == 0 {
			return err
		}
		return tx.Savepoint(ctx, func() error { return tx.Write(ctx, kind, changes) })
	})
}

func first(c applier.Change) applier.Change {
	c.NewLink = true
	return c
}

// found is what is there of some entries and names, and how many look-ups in the table of links it took.
func found(ctx context.Context, t *testing.T, r applier.Reader, kind proto.Kind, texts ...string) (ids, names int, lookups int64) {
	t.Helper()
	const scans = `SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_xact_user_tables WHERE schemaname = 'ldapsync' AND relname = 'link'`
	before := countInside(ctx, t, r, scans)
	links, err := r.Links(ctx, "corp", kind, texts)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := r.Named(ctx, kind, texts)
	if err != nil {
		t.Fatal(err)
	}
	return len(links), len(rows), countInside(ctx, t, r, scans) - before
}

func groupsIn(ctx context.Context, t *testing.T, tx applier.Tx, ids ...string) []applier.Link {
	t.Helper()
	groups, err := tx.(applier.GroupReader).Groups(ctx, "corp", ids)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestAFirstLoadLooksUpOnlyWhatMayBeThere(t *testing.T) {
	e := site(t)
	e.db.Exec("INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined) " +
		"VALUES ('Root', '!', true, '', '', '', true, true, now())")
	e.advance(0, 1, nil, proto.KindGroup, first(newGroup("staff")))
	e.advance(1, 2, func(ctx context.Context, tx applier.Tx) error {
		found(ctx, t, tx, proto.KindUser, "ada") // reads the rows without links, as does the next
		found(ctx, t, tx, proto.KindGroup, "dev")
		return nil
	}, proto.KindUser, first(newUser("ada")), first(newUser("bob")))
	e.advance(2, 3, func(ctx context.Context, tx applier.Tx) error {
		if ids, names, lookups := found(ctx, t, tx, proto.KindUser, "cleo", "dora", "ROOT"); ids != 0 || names != 1 || lookups != 0 {
			t.Errorf("new ones: %d links, %d rows, %d look-ups", ids, names, lookups)
		}
		if ids, names, _ := found(ctx, t, tx, proto.KindUser, "ada", "BOB", "dora"); ids != 1 || names != 2 {
			t.Errorf("known ones: %d links, %d rows", ids, names)
		}
		if groups := groupsIn(ctx, t, tx, "staff", "dev", "staff"); len(groups) != 1 || groups[0].PK == "" {
			t.Errorf("groups: %v", groups)
		}
		return nil
	}, proto.KindUser, first(newUser("cleo")))
	e.store.Refresh()
	e.advance(3, 4, func(ctx context.Context, tx applier.Tx) error {
		if ids, names, _ := found(ctx, t, tx, proto.KindUser, "cleo", "Cleo", "dora"); ids != 1 || names != 1 {
			t.Errorf("after Refresh: %d links, %d rows", ids, names)
		}
		if _, _, lookups := found(ctx, t, tx, proto.KindUser, "dora"); lookups == 0 {
			t.Error("after Refresh nothing is looked up")
		}
		return nil
	}, proto.KindUser)
}

func TestWhatIsRememberedEndsWhenARivalMovesTheCheckpoint(t *testing.T) {
	e := site(t)
	rival := open(t, e.dsn, settings())
	e.advance(0, 1, nil, proto.KindUser, first(newUser("ada")))
	rival.advance(1, 2, nil, proto.KindUser, first(newUser("bob")))
	e.advance(2, 3, func(ctx context.Context, tx applier.Tx) error {
		if ids, names, _ := found(ctx, t, tx, proto.KindUser, "ada", "bob"); ids != 2 || names != 2 {
			t.Errorf("%d links, %d rows", ids, names)
		}
		return nil
	}, proto.KindUser)
}

func TestWhatIsRememberedEndsBesideAnotherSource(t *testing.T) {
	e := site(t)
	rival := open(t, e.dsn, settings()) // in a process of its own, it could be
	e.advance(0, 1, nil, proto.KindUser, first(newUser("ada")))
	bob := first(newUser("Bob"))
	bob.Source, bob.Link.Source = "other", "other"
	rival.update(func(ctx context.Context, tx applier.Tx) error {
		if err := tx.Advance(ctx, nil, applier.Checkpoint{Source: "other", StreamID: "y", Sequence: 1, Mode: "live"}); err != nil {
			return err
		}
		return tx.Write(ctx, proto.KindUser, []applier.Change{bob})
	})
	e.advance(1, 2, func(ctx context.Context, tx applier.Tx) error {
		if _, names, _ := found(ctx, t, tx, proto.KindUser, "bob"); names != 1 {
			t.Errorf("%d rows", names)
		}
		return nil
	}, proto.KindUser)
}

func TestWhatIsRememberedIsDoubtedOnceSomethingIsRefused(t *testing.T) {
	e := site(t)
	e.advance(0, 1, nil, proto.KindUser, first(newUser("ada")))
	e.advance(1, 2, func(ctx context.Context, tx applier.Tx) error {
		found(ctx, t, tx, proto.KindUser, "bob") // reads the rows without links
		return nil
	}, proto.KindUser)
	e.db.Exec("INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined) " +
		"VALUES ('zoe', '!', false, '', '', '', false, true, now())")
	e.advance(2, 3, func(ctx context.Context, tx applier.Tx) error {
		err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, []applier.Change{first(newUser("zoe"))}) })
		if data := (*applier.DataError)(nil); !errors.As(err, &data) {
			return fmt.Errorf("want a DataError, got %w", err)
		}
		if _, names, _ := found(ctx, t, tx, proto.KindUser, "zoe"); names != 1 {
			t.Errorf("%d rows are named zoe", names)
		}
		return nil
	}, proto.KindUser)
}

// What a transaction wrote that was undone isn't remembered as if it were there.
func TestGroupsOfAnUndoneTransactionAreForgotten(t *testing.T) {
	e := site(t)
	e.advance(0, 1, nil, proto.KindUser, first(newUser("ada")))
	undone := errors.New("undone")
	at := func(n uint64) applier.Checkpoint {
		return applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: n, Mode: "live"}
	}
	one := at(1)
	err := e.store.Update(t.Context(), func(tx applier.Tx) error {
		if err := tx.Advance(t.Context(), &one, at(2)); err != nil {
			return err
		}
		if err := tx.Write(t.Context(), proto.KindGroup, []applier.Change{first(newGroup("staff"))}); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	e.advance(1, 2, func(ctx context.Context, tx applier.Tx) error {
		if groups := groupsIn(ctx, t, tx, "staff"); len(groups) != 0 {
			t.Errorf("groups: %v", groups)
		}
		return nil
	}, proto.KindUser)
}

// Whoever deletes the row of a remembered group makes the database refuse her members; looked up, it isn't there.
func TestARememberedGroupThatIsDeletedIsRefused(t *testing.T) {
	e := site(t)
	e.advance(0, 1, nil, proto.KindGroup, first(newGroup("staff")))
	e.db.Exec("DELETE FROM auth_group")
	e.advance(1, 2, func(ctx context.Context, tx applier.Tx) error {
		groups := groupsIn(ctx, t, tx, "staff")
		if len(groups) != 1 {
			return fmt.Errorf("%d groups are remembered", len(groups))
		}
		ada := first(newUser("ada"))
		ada.Join = []string{groups[0].PK}
		err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, []applier.Change{ada}) })
		if data := (*applier.DataError)(nil); !errors.As(err, &data) {
			return fmt.Errorf("want a DataError, got %w", err)
		}
		if groups := groupsIn(ctx, t, tx, "staff"); len(groups) != 0 {
			t.Errorf("%d groups are there", len(groups))
		}
		return nil
	}, proto.KindUser)
}

// Two processes catch up with the same checkpoint, which neither moves: what one remembers isn't all that is there.
func TestMemoryEndsWhereAnotherHasWritten(t *testing.T) {
	e := site(t)
	cp := applier.Checkpoint{Source: "corp", StreamID: "x", Mode: "catching up"}
	var staff applier.Change
	e.update(func(ctx context.Context, tx applier.Tx) error {
		if err := tx.Advance(ctx, nil, cp); err != nil {
			return err
		}
		list := []applier.Change{first(newGroup("staff"))}
		err := tx.Write(ctx, proto.KindGroup, list)
		staff = list[0]
		return err
	})
	other := open(t, e.dsn, settings())
	other.update(func(ctx context.Context, tx applier.Tx) error {
		if err := tx.Advance(ctx, &cp, cp); err != nil {
			return err
		}
		l := *staff.Link
		l.State, l.GoneSequence = applier.Gone, 9
		return tx.Write(ctx, proto.KindGroup, []applier.Change{{Action: applier.Remove, Source: "corp", ID: staff.ID, PK: staff.PK, Link: &l}})
	})
	e.update(func(ctx context.Context, tx applier.Tx) error {
		if err := tx.Advance(ctx, &cp, cp); err != nil {
			return err
		}
		if groups := groupsIn(ctx, t, tx, "staff"); len(groups) > 0 {
			t.Errorf("a group that is gone is remembered as present: %+v", groups[0])
		}
		return nil
	})
}
