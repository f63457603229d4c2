package sqlite

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/applier"
	"ldapsync/proto"
)

// tx is a read-write transaction of the applier.
type tx struct {
	*reader
	depth int // of savepoints
}

var _ applier.Tx = (*tx)(nil)

// Advance compares the whole state, not the sequence alone: also pinning a target, or another mapping, moves it.
func (t *tx) Advance(ctx context.Context, prev *applier.Checkpoint, next applier.Checkpoint) error {
	var changed int64
	var err error
	if prev == nil {
		changed, _, err = t.run(ctx, `INSERT INTO ldapsync_checkpoint (source, stream_id, seq, mapping, mode) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (source) DO NOTHING`, next.Source, next.StreamID, int64(next.Sequence), next.Mapping, mode(next.Mode))
	} else {
		changed, _, err = t.run(ctx, `UPDATE ldapsync_checkpoint SET complete = complete AND stream_id = ?1, stream_id = ?1, seq = ?2, mapping = ?3, mode = ?4
			WHERE source = ? AND stream_id = ? AND seq = ? AND mapping = ? AND mode = ?`,
			next.StreamID, int64(next.Sequence), next.Mapping, mode(next.Mode),
			prev.Source, prev.StreamID, int64(prev.Sequence), prev.Mapping, mode(prev.Mode))
	}
	if err == nil && changed == 0 {
		return applier.ErrMoved
	}
	return err
}

// mode is a checkpoint's mode; live if it isn't set.
func mode(m string) string {
	if m == "" {
		return "live"
	}
	return m
}

func (t *tx) Savepoint(ctx context.Context, fn func() error) (err error) {
	t.depth++
	defer func() { t.depth-- }()
	name := fmt.Sprintf("ldapsync_%d", t.depth)
	names := t.store.names.mark()
	if err := t.exec(ctx, "SAVEPOINT "+name); err != nil {
		return err
	}
	released := false
	defer func() {
		if released {
			return
		}
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, t.exec(ctx, "ROLLBACK TO "+name), t.exec(ctx, "RELEASE "+name))
		t.store.names.rewind(names)
	}()
	if err := fn(); err != nil {
		return err
	}
	if err := t.exec(ctx, "RELEASE "+name); err != nil {
		return err
	}
	released = true
	return nil
}

// checkEvery is how many rows are written between two looks at whether the context is done.
const checkEvery = 256

// Write goes through changes once for each kind of statement. Names are freed before they are taken.
func (t *tx) Write(ctx context.Context, kind proto.Kind, changes []applier.Change) error {
	table := t.store.tables[kind]
	if table == nil {
		return fmt.Errorf("%ss are skipped by the settings, but were written", kind)
	}
	// A statement by itself is short: it isn't worth watching the context for each.
	quick := context.WithoutCancel(ctx)
	steps := []func() error{
		func() error { return t.removeGroups(quick, kind, changes) },
		func() error { return t.placeholders(quick, table, changes) },
		func() error { return t.updateRows(quick, table, changes) },
		func() error { return t.createRows(ctx, table, changes) },
		func() error { return t.putLinks(quick, kind, changes) },
		func() error { return t.putLetters(quick, kind, changes) },
		func() error { return t.writeMemberships(quick, kind, changes) },
		func() error { return t.resolved() },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// resolved refuses a row that refers to one that isn't there, now and not when it is committed.
func (t *tx) resolved() error {
	broken, err := t.unresolved()
	if broken {
		return &applier.DataError{Err: errors.New("a row refers to one that isn't there (FOREIGN KEY)")}
	}
	return err
}
