package applier

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// interrupted is a stream at the call of whose Read with a number something else happens first. Nobody else looks at the stream then.
type interrupted struct {
	*stream
	call  int
	first func()
}

func (s *interrupted) Read(ctx context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	if s.call--; s.call == 0 {
		s.first()
	}
	return s.stream.Read(ctx, from, to)
}

func (e *env) letter(id string) *Letter { return e.over.letters[proto.KindUser][id] }

// What is applied to it is ahead of its checkpoint: a repair would take that back.
func TestATargetThatCatchesUpIsNotVerified(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.upsert("ada", "bob", "eve")
	e.full(1)
	// A late target, killed after it has applied everybody but before it is live.
	commits := 0
	e.fail = func() error {
		if commits++; commits == 5 {
			return errors.New("killed")
		}
		return nil
	}
	if err := e.apply(); err == nil {
		t.Fatal("not killed")
	}
	e.fail = nil
	e.wantPresent("id-ada", "id-bob", "id-eve")
	for _, repair := range []bool{false, true} {
		_, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: repair}, nil)
		if class, hint := fault.Of(err); err == nil || fault.IsPermanent(err) || class != fault.Database || !strings.Contains(hint, "ldapsync run") {
			t.Errorf("repair %v: %v (%v, %q)", repair, err, class, hint)
		}
	}
	e.wantPresent("id-ada", "id-bob", "id-eve")
}

func TestRepairAfterAKilledReleaseTakesNobody(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.upsert("ada", "bob")
	first := e.full(1)
	e.mustApply()
	e.upsert("kim") // hired since
	e.full(1)
	e.mustApply()
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	e.wantPresent("id-ada", "id-bob")
	commits := 0
	e.fail = func() error {
		if commits++; commits == 5 {
			return errors.New("killed")
		}
		return nil
	}
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err == nil {
		t.Fatal("not killed")
	}
	e.fail = nil
	e.wantPresent("id-ada", "id-bob", "id-kim")
	if _, err := New(e.cfg, e.memory, e.stream).Verify(t.Context(), VerifyOptions{Repair: true}, nil); err == nil {
		t.Error("verified")
	}
	e.wantPresent("id-ada", "id-bob", "id-kim")
}

func TestTwoWhoCatchUpDoNotSweepEachOthersUsers(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.upsert("ada", "bob")
	first := e.full(1)
	e.mustApply()
	e.upsert("eve")
	e.full(1)
	e.mustApply()
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	cfg := e.cfg
	var removed []string
	cfg.OnChange = func(_ proto.Kind, c Change) {
		if c.Action == Remove {
			removed = append(removed, c.Name)
		}
	}
	// The entries are read after the state. The service has seen that the target isn't pinned any more, and a pass has published zoe.
	stream := &interrupted{stream: e.stream, call: 2, first: func() {
		e.upsert("zoe")
		e.full(1) // the whole history tells the state
		there := false
		e.fail = func() error {
			if there {
				return errors.New("slow: still at work")
			}
			there = e.link("id-zoe").State == Present
			return nil
		}
		if err := e.apply(); err == nil {
			t.Error("the service has ended")
		}
		e.fail = nil
		if e.link("id-zoe").State != Present {
			t.Errorf("zoe isn't there yet: %+v", e.link("id-zoe"))
		}
	}}
	if _, err := New(cfg, e.memory, stream).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(removed) > 0 {
		t.Errorf("made gone, a work item of the callbacks: %q (%+v)", removed, e.link("id-zoe"))
	}
	e.wantPresent("id-ada", "id-bob", "id-eve", "id-zoe")
}

func TestCatchingUpForgetsTheLettersOfWhoLeft(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:ada") // the second one is parked
	e.full(1)
	e.mustApply()
	e.remove("2") // seen by nobody: it is cut off
	e.upsert("1:ada")
	e.full(4)
	e.stream.cut = 4
	e.wantLetters("2 parked=false \"ada\" is taken by uid=ada")
	var planned []string
	_, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(apply func(proto.Event) error) error {
		e.upsert("1:adele")
		return apply(e.events[len(e.events)-1])
	},
		func(_ proto.Kind, c Change) { planned = append(planned, string(c.Action)+" "+c.Name) })
	if err != nil || !slices.Equal(planned, []string{"update adele"}) {
		t.Errorf("planned: %q, %v", planned, err)
	}
	e.events = e.events[:len(e.events)-1]
	e.mustApply()
	if l := e.letter("2"); l != nil {
		t.Errorf("a letter of somebody who isn't in the directory: %+v", l)
	}
	e.upsert("1:adele") // sets the name free
	e.commitSnapshot()
	e.mustApply()
	e.want("1 adele")
	e.wantPresent("1")
}

func TestReleaseForgetsTheLettersOfThePast(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:ada")
	first := e.full(1)
	e.remove("2")
	e.full(1)
	e.mustApply()
	if _, err := New(e.cfg, e.memory, e.stream).Replay(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := New(e.cfg, e.memory, e.stream).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.upsert("1:adele")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 adele")
	e.wantPresent("1")
}

func TestACutWhileCatchingUpStartsOver(t *testing.T) {
	e := newEnv(t)
	e.cfg.BatchEntries = 1
	e.group("dev")
	e.upsert("ada", "bob")
	e.full(1)
	// The users are read after the state and the groups.
	stream := &interrupted{stream: e.stream, call: 3, first: func() {
		from := uint64(len(e.events) + 1)
		e.group("dev")
		e.upsert("ada", "bob")
		e.full(from)
		e.stream.cut = from
	}}
	if err := New(e.cfg, e.memory, stream).Run(t.Context()); !errors.Is(err, errEnd) {
		t.Error(err)
	}
	e.wantPresent("id-ada", "id-bob")
}

func TestAHistoryThatStaysDamagedEndsTheApplier(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.full(1)
	e.stream.cut = 2
	if err := e.apply(); !errors.Is(err, proto.ErrCut) {
		t.Error(err)
	}
	e.wantPresent()
}
