package applier

import (
	"context"
	"errors"
	"testing"

	"ldapsync/proto"
)

// hasty is a memory that crashes behind a commit that was made in a hurry, and loses all of them.
type hasty struct {
	*memory
	crash   int // behind which
	commits int
	hurried int
}

func (h *hasty) Hurry(_ context.Context, fn func(update Updater) error) error {
	before, cp, writes := h.over.clone(), h.checkpoint, h.memory.pk
	crashed := false
	err := fn(func(ctx context.Context, change func(Tx) error) error {
		if crashed {
			return &UnsureError{errors.New("no connection")}
		}
		err := h.memory.Update(ctx, change)
		h.hurried++
		if h.commits++; h.commits == h.crash {
			crashed = true
			h.memory.over, h.memory.checkpoint, h.memory.pk = before, cp, writes
		}
		return err
	})
	if crashed {
		return &UnsureError{errors.New("no connection")}
	}
	return err
}

func TestWhatACrashTakesInAHurryIsDoneAgain(t *testing.T) {
	for crash := 1; ; crash++ {
		e := newEnv(t)
		e.cfg.BatchEntries = 1
		h := &hasty{memory: e.memory, crash: crash}
		e.through = h
		e.group("dev")
		e.upsert("ada in dev", "bob", "eve in dev")
		e.full(1)
		e.mustApply()
		e.want("2 ada in dev", "3 bob", "4 eve in dev")
		e.wantPresent("id-ada", "id-bob", "id-eve")
		if e.checkpoint.Mode != modeLive || e.checkpoint.Sequence != 3 {
			t.Fatalf("crash behind commit %d: %+v", crash, e.checkpoint)
		}
		if h.commits < crash {
			if h.commits < 4 {
				t.Errorf("only %d commits in a hurry", h.commits)
			}
			return
		}
	}
}

// The checkpoint tells others what is done: it moves without hurry.
func TestTheCheckpointMovesWithoutHurry(t *testing.T) {
	e := newEnv(t)
	h := &hasty{memory: e.memory}
	e.through = h
	e.upsert("ada")
	e.full(1)
	var hurried []Checkpoint
	e.fail = func() error {
		if e.checkpoint != nil && e.checkpoint.Live() && h.hurried == 0 {
			t.Error("live before anything was applied")
		}
		hurried = append(hurried, *e.checkpoint)
		return nil
	}
	e.mustApply()
	e.upsert("bob") // the live applier doesn't hurry
	e.mustApply()
	if h.hurried != 1 || len(hurried) != 4 || hurried[0] != hurried[1] || !hurried[2].Live() {
		t.Errorf("%d in a hurry; %+v", h.hurried, hurried)
	}
}

// Outcomes are published as soon as they are seen, and told once.
func TestOutcomesAreNotHurried(t *testing.T) {
	e := newEnv(t)
	e.cfg.Outcomes = "apply"
	h := &hasty{memory: e.memory}
	e.through = h
	e.upsert("ada")
	e.full(1)
	e.mustApply()
	e.want("1 ada")
	if h.hurried != 0 || len(e.outcomes) != 1 || e.outcomes[0].GetType() != string(proto.OutcomeUserCreated) {
		t.Errorf("%d in a hurry, %d outcomes", h.hurried, len(e.outcomes))
	}
}
