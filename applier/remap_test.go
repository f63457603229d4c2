package applier

import (
	"errors"
	"slices"
	"testing"

	"ldapsync/proto"
)

// emailFrom maps the email from an attribute.
func (e *env) emailFrom(attribute string) {
	m, err := NewMapping(table{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{attribute}}})
	if err != nil {
		e.t.Fatal(err)
	}
	e.cfg.Users = m
}

// preview returns what is planned: for what isn't applied yet, then for what other publishes.
func (e *env) preview(cfg Config, other func(*env)) (plan []string) {
	e.t.Helper()
	_, err := New(cfg, e.memory, e.stream).Preview(e.t.Context(), func(apply func(proto.Event) error) error {
		fed := &env{stream: &stream{}, t: e.t}
		other(fed)
		for _, event := range fed.events {
			if err := apply(event); err != nil {
				return err
			}
		}
		return nil
	}, func(_ proto.Kind, c Change) { plan = append(plan, string(c.Action)+" "+c.Name) })
	if err != nil {
		e.t.Fatal(err)
	}
	return plan
}

func nothingElse(*env) {}

// What lies before the full snapshot that was asked for what is newly mapped clears nobody's column, wherever the applier goes on, and isn't shown to.
func TestWhatWasReadBeforeItWasMappedClearsNothing(t *testing.T) {
	for crash := range 4 {
		e := newEnv(t)
		e.cfg.BatchEntries = 1
		e.emailFrom("uid")
		e.upsert("ada", "bob")
		e.full(1)
		e.mustApply()
		e.upsert("ada active") // nobody asked for her mail yet
		e.upsert("ada inactive")
		e.upsert("ada active")
		from := uint64(len(e.events) + 1)
		e.retainAs(proto.Retained_RETAINED_HELD, "ada active")
		e.upsert("bob mail=b@x")
		e.full(from)
		e.emailFrom("mail")
		if plan := e.preview(e.cfg, nothingElse); !slices.Equal(plan, []string{"update ada", "update ada", "update bob"}) {
			t.Errorf("plan: %q", plan)
		}
		commits := 0
		e.fail = func() error {
			if commits++; commits == crash {
				return errors.New("killed")
			}
			return nil
		}
		if err := e.apply(); crash > 0 && err == nil {
			t.Fatalf("wasn't killed at commit %d", crash)
		}
		e.fail = nil
		e.mustApply()
		e.want("1 ada ada", "2 bob b@x")
		e.upsert("ada active") // she is read: she has none
		e.mustApply()
		e.want("1 ada", "2 bob b@x")
	}
}

// In the middle of a full snapshot the new mapping is applied to what has come of it, and not to what comes again.
func TestMappingChangesInTheMiddleOfAFullSnapshot(t *testing.T) {
	e := newEnv(t)
	e.emailFrom("uid")
	e.upsert("ada", "bob", "eve")
	e.full(1)
	e.upsert("ada mail=a@x")
	e.mustApply()
	e.upsert("bob mail=b@x")
	e.retainAs(proto.Retained_RETAINED_HELD, "eve")
	e.full(3)
	e.emailFrom("mail")
	want := []string{"update ada", "update bob"}
	if plan := e.preview(e.cfg, nothingElse); !slices.Equal(plan, want) {
		t.Errorf("plan: %q", plan)
	}
	e.mustApply()
	if !slices.Equal(e.did, want) {
		t.Errorf("did: %q", e.did)
	}
	e.want("1 ada a@x", "2 bob b@x", "3 eve eve")
}

// Groups come first, also where the stream tells of them later: who names them joins them.
func TestNewlyMappedGroupsAreJoined(t *testing.T) {
	e := newEnv(t)
	groups := e.cfg.Groups
	e.cfg.Groups = nil
	e.upsert("ada in dev")
	e.group("dev")
	e.full(1)
	e.mustApply()
	e.cfg.Groups = groups
	want := []string{"create dev", "update ada"}
	if plan := e.preview(e.cfg, nothingElse); !slices.Equal(plan, want) {
		t.Errorf("plan: %q", plan)
	}
	e.mustApply()
	e.want("1 ada in dev")
}

// A history that is cut while it is read isn't taken for a smaller one: who was left out would keep the old mapping.
func TestACutHistoryIsNotRemapped(t *testing.T) {
	e := newEnv(t)
	e.emailFrom("uid")
	e.upsert("ada mail=a@x")
	e.upsert("bob mail=b@x")
	e.full(1)
	e.mustApply()
	e.emailFrom("mail")
	e.stream.cut = 2 // against the rules: not before a full snapshot
	if err := e.apply(); !errors.Is(err, proto.ErrCut) {
		t.Errorf("err = %v", err)
	}
	if e.checkpoint.Mapping == e.cfg.hash() {
		t.Error("the mapping counts as applied")
	}
}

// A letter keeps the entry as it was read, which may be before an attribute was mapped.
func TestALetterFromBeforeClearsNothing(t *testing.T) {
	e := newEnv(t)
	e.emailFrom("uid")
	e.upsert("1:ada", "2:bob")
	e.full(1)
	e.mustApply()
	e.upsert("1:bob")
	e.mustApply()
	e.wantLetters(`1 parked=true "bob" is taken by uid=bob`)
	e.emailFrom("mail")
	e.retainAs(proto.Retained_RETAINED_HELD, "1:bob")
	e.upsert("2:bob mail=b@x")
	e.full(4)
	e.mustApply()
	e.want("1 ada ada", "2 bob b@x")
	e.upsert("2:eve mail=b@x")
	plan := e.preview(e.cfg, nothingElse)
	e.mustApply()
	if !slices.Equal(plan, e.did) {
		t.Errorf("planned %q, did %q", plan, e.did)
	}
	e.want("1 bob ada", "2 eve b@x")
	e.wantLetters()
	e.upsert("1:bob") // he is read: he has none
	e.mustApply()
	e.want("1 bob", "2 eve b@x")
}

// Where the mapping is the same, a letter takes away what the directory took.
func TestALetterClearsWhatIsGone(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada mail=a@x", "2:bob")
	e.mustApply()
	e.upsert("1:bob")
	e.mustApply()
	e.upsert("2:eve")
	e.mustApply()
	e.want("1 bob", "2 eve")
}

// A preview that is fed the full snapshot which reads what is newly mapped first plans what a run does, which waits for it.
func TestPreviewOfAMappingThatTheStreamDoesNotCover(t *testing.T) {
	for name, behind := range map[string]bool{"live": false, "catching up": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.emailFrom("uid")
			e.upsert("ada", "bob", "eve")
			e.full(1)
			e.mustApply()
			e.upsert("eve active")
			if behind {
				e.checkpoint.Mode = modeBehind
			}
			e.emailFrom("mail")
			cfg := e.cfg
			cfg.Uncovered = true
			full := func(e *env) {
				e.retainAs(proto.Retained_RETAINED_HELD, "ada")
				e.upsert("bob mail=b@x")
				e.retainAs(proto.Retained_RETAINED_HELD, "eve active")
			}
			if plan := e.preview(cfg, full); !slices.Equal(plan, []string{"update bob"}) {
				t.Errorf("plan: %q", plan)
			}
			full(e)
			e.full(4)
			e.mustApply()
			if !slices.Equal(e.did, []string{"update bob"}) {
				t.Errorf("did: %q", e.did)
			}
			e.want("1 ada ada", "2 bob b@x", "3 eve eve")
		})
	}
}
