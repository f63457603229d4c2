package history_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"ldapsync/internal/history"
	"ldapsync/proto"
)

// shrinking is a tape that is cut off before sequence 12 while it is read from its beginning: behind the first event that it hands out.
type shrinking struct {
	*tape
	cuts int // how often that happens: each cut but the last one is taken back when the reading ends
}

func (s *shrinking) Since(ctx context.Context, from time.Time, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for e, err := range s.tape.Since(ctx, from, types...) {
			if !yield(e, err) {
				return
			}
			if s.cuts > 0 && s.first < 12 {
				s.cuts--
				s.first = 12
			}
		}
	}
}

// Bounds takes a cut back once it was told, unless it was the last one: the next reading meets another.
func (s *shrinking) Bounds(ctx context.Context) (first, last uint64, err error) {
	first, last, err = s.tape.Bounds(ctx)
	if s.cuts > 0 {
		s.first = 1
	}
	return first, last, err
}

func TestOpenLooksAgainWhereTheHistoryIsCut(t *testing.T) {
	h, err := history.Open(t.Context(), &shrinking{life(t), 1})
	if err != nil {
		t.Fatal(err)
	}
	if !h.Cut() || len(h.Snapshots) != 2 || h.Snapshots[0].Number != 4 {
		t.Errorf("%d snapshots, the first of them %d", len(h.Snapshots), h.Snapshots[0].Number)
	}
	_, err = history.Open(t.Context(), &shrinking{life(t), 1000})
	wantCut(t, err)
}

// What is told from the beginning on ends with an error where the beginning was cut off meanwhile.
func TestWhatIsToldFromTheBeginningIsToldWhole(t *testing.T) {
	for name, read := range map[string]func(h *history.History) error{
		"life": func(h *history.History) (err error) {
			for _, err = range h.Life(t.Context(), proto.KindUser, "ada") {
			}
			return err
		},
		"removed": func(h *history.History) (err error) {
			for _, err = range h.Removed(t.Context(), nil) {
			}
			return err
		},
		"details": func(h *history.History) error {
			_, err := h.Details(t.Context(), &h.Snapshots[0])
			return err
		},
	} {
		s := life(t)
		h := s.open()
		if err := read(h); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.first = 12
		t.Run(name, func(t *testing.T) { wantCut(t, read(h)) })
	}
}
