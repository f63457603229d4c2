package history

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"ldapsync/proto"
)

// Hits are entries of a state that were searched for: which events carry them. About 100 bytes an entry; the entries themselves aren't held.
type Hits struct {
	log    Log
	events map[proto.Kind]map[string]uint64 // the sequence of the event with the last word on an entry, by its id
}

// Search finds the entries that are there at a point and wanted. It reads every event once and decodes none; wanted is asked of each entry of
// each event, also of what isn't the last word on it, and must say the same of the same.
func (h *History) Search(ctx context.Context, p Point, wanted func(kind proto.Kind, x proto.Encoded) bool) (*Hits, error) {
	r := uncut{h.log}
	if err := r.check(ctx, p.From); err != nil {
		return nil, err
	}
	hits := &Hits{log: h.log, events: map[proto.Kind]map[string]uint64{proto.KindUser: {}, proto.KindGroup: {}}}
	var scanner proto.Scanner
	for e, err := range r.Read(ctx, p.From, p.To) {
		if err == nil && e.Type.Entry() {
			err = hits.note(&scanner, e, wanted)
		}
		if err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// note takes what an event says of entries that are wanted, or were as an event before it has them.
func (h *Hits) note(scanner *proto.Scanner, e proto.Event, wanted func(proto.Kind, proto.Encoded) bool) error {
	entries, err := scanner.Scan(e)
	if err != nil {
		return err
	}
	kind := e.Type.Kind()
	removed := e.Type == proto.TypeUserRemoved || e.Type == proto.TypeGroupRemoved
	found := h.events[kind]
	for _, x := range entries {
		switch _, was := found[string(x.ID)]; {
		case !removed && wanted(kind, x):
			found[string(x.ID)] = e.Sequence
		case was:
			delete(found, string(x.ID))
		}
	}
	return nil
}

// Entries hands out those of a kind whose ids are wanted (nil: all of them), in the order of the events that carry them. It asks for one such
// event after the other. The sequence ends with an error, which is a proto.ErrCut if an entry is no longer there, or complete.
func (h *Hits) Entries(ctx context.Context, kind proto.Kind, wanted func(id string) bool) iter.Seq2[proto.StateEntry, error] {
	ids := map[uint64]map[string]bool{} // by the sequence of the event
	for id, sequence := range h.events[kind] {
		if wanted != nil && !wanted(id) {
			continue
		}
		if ids[sequence] == nil {
			ids[sequence] = map[string]bool{}
		}
		ids[sequence][id] = true
	}
	sequences := slices.Sorted(maps.Keys(ids))
	return func(yield func(proto.StateEntry, error) bool) {
		for _, sequence := range sequences {
			entries, err := h.carried(ctx, sequence, ids[sequence])
			if err != nil {
				yield(proto.StateEntry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// carried decodes entries of one event.
func (h *Hits) carried(ctx context.Context, sequence uint64, ids map[string]bool) ([]proto.StateEntry, error) {
	e, err := h.log.Get(ctx, sequence)
	var entries []proto.StateEntry
	if err == nil {
		entries, err = proto.ReadEntries(e, func(id string) bool { return ids[id] })
	} else if errors.Is(err, proto.ErrNotFound) {
		err = nil
	}
	if err == nil && len(entries) != len(ids) {
		err = lost("%d entries of sequence %d are no longer in the stream", len(ids)-len(entries), sequence)
	}
	return entries, err
}
