package applier

import (
	"context"
	"errors"
	"testing"

	"ldapsync/proto"
)

// listing counts the pages of links that are listed.
type listing struct {
	*memory
	pages int
}

type listingReader struct {
	Reader
	pages *int
}

func (l *listing) View(ctx context.Context, fn func(Reader) error) error {
	return l.memory.View(ctx, func(r Reader) error { return fn(listingReader{r, &l.pages}) })
}

func (r listingReader) LinksAfter(ctx context.Context, source string, kind proto.Kind, after string, limit int) ([]Link, error) {
	if limit > 1 {
		*r.pages++
	}
	return r.Reader.LinksAfter(ctx, source, kind, after, limit)
}

func TestATargetThatHeldNoLinksIsNotSearchedForStrays(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob")
	e.full(1)
	store := &listing{memory: e.memory}
	if err := New(e.cfg, store, e.stream).Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	e.wantPresent("id-ada", "id-bob")
	if e.checkpoint.Mode != modeLive || store.pages != 0 {
		t.Errorf("checkpoint %+v; %d pages of links were listed", e.checkpoint, store.pages)
	}
}

// The checkpoint is lost, and with it what was seen: links and letters from before are searched for strays.
func TestATargetThatLostItsCheckpointIsSwept(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob", "eve")
	e.full(1)
	e.mustApply()
	e.checkpoint = nil
	e.stream = &stream{id: "s1"}
	e.upsert("ada", "eve")
	e.full(1)
	e.mustApply()
	e.wantPresent("id-ada", "id-eve")
	if l := e.link("id-bob"); l.State != Gone || l.GoneReason != sweptBecause {
		t.Errorf("bob's link: %+v", l)
	}
}

// A sweep that was held before is over when nothing is left to be swept.
func TestNothingIsHeldOfATargetThatHeldNoLinks(t *testing.T) {
	e := newEnv(t)
	e.memory.held = []Held{{Source: "corp", Change: ChangeSweep, Hash: "x", Count: 3, Decision: Rejected}}
	e.upsert("ada")
	e.full(1)
	e.mustApply()
	if len(e.held) != 0 {
		t.Errorf("held: %+v", e.held)
	}
}
