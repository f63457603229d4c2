package applier

import (
	"context"
	"maps"
	"slices"

	"ldapsync/proto"
)

func (t memoryTx) ListUnlinked(context.Context) ([]Row, int, error) {
	var rows []Row
	all := t.overlay.rows[proto.KindUser]
	for _, pk := range slices.Sorted(maps.Keys(all)) {
		if len(t.overlay.owned[proto.KindUser][pk]) == 0 {
			rows = append(rows, all[pk])
		}
	}
	return rows, len(all), nil
}

func (t memoryTx) HeldRows(context.Context) ([]Held, error) { return slices.Clone(t.held), nil }

func (t memoryTx) Complete(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(t.complete)), nil
}

func (t memoryTx) PutOutcomes(_ context.Context, messages []*proto.Outcomes) error {
	t.memory.outcomes = append(t.memory.outcomes, messages...)
	return nil
}

func (t memoryTx) PutHeld(ctx context.Context, h Held) error {
	_ = t.DropHeld(ctx, h)
	t.memory.held = append(t.memory.held, h)
	return nil
}

func (t memoryTx) DropHeld(_ context.Context, h Held) error {
	t.memory.held = slices.DeleteFunc(slices.Clone(t.held), func(o Held) bool { return o.Source == h.Source && o.Change == h.Change && o.Hash == h.Hash })
	return nil
}

func (t memoryTx) SetComplete(_ context.Context, source string) error {
	if t.complete == nil {
		t.memory.complete = map[string]bool{}
	}
	t.complete[source] = true
	return nil
}
