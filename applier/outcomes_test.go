package applier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldapsync/proto"
)

// told are the outcomes since the last call, as "type name columns +joined -left (reason)".
func (e *env) told() []string {
	var all []string
	for _, m := range e.outcomes {
		if m.GetSource() != e.cfg.Source || m.GetBy() != "apply" || m.GetSequence() == 0 || m.GetId() == "" {
			e.t.Errorf("%v", m)
		}
		for _, o := range m.GetOutcomes() {
			line := fmt.Sprintf("%s %s", m.GetType(), o.GetName())
			if len(o.GetColumns()) > 0 {
				line += " " + strings.Join(o.GetColumns(), ",")
			}
			for _, pk := range o.GetJoined() {
				line += " +" + pk
			}
			for _, pk := range o.GetLeft() {
				line += " -" + pk
			}
			if o.GetReason() != "" {
				line += " (" + o.GetReason() + ")"
			}
			all = append(all, line)
		}
	}
	e.outcomes = nil
	return all
}

func (e *env) wantTold(want ...string) {
	e.t.Helper()
	if got := e.told(); !slices.Equal(got, want) {
		e.t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOutcomesTellWhatWasDone(t *testing.T) {
	e := newEnv(t)
	e.cfg.Outcomes = "apply"
	e.local("Eve", false)
	e.upsert("ada", "eve", "long mail="+strings.Repeat("x", 21))
	e.mustApply()
	e.wantTold("user.created ada", "user.adopted eve username", "user.refused  (email: 21 characters, at most 20 fit)")
	e.upsert("ada", "eve")
	e.mustApply()
	e.wantTold() // nothing differs
	e.upsert("ada mail=new")
	e.mustApply()
	e.wantTold("user.updated ada email")
	e.remove("id-ada")
	e.mustApply()
	if got := e.told(); len(got) != 1 || !strings.HasPrefix(got[0], "user.removed ada") {
		t.Errorf("%q", got)
	}
}

// What a transaction did that wasn't committed isn't told.
func TestOutcomesAreCommittedWithTheirRows(t *testing.T) {
	e := newEnv(t)
	e.cfg.Outcomes = "apply"
	e.upsert("ada")
	e.fail = func() error { return errors.New("the disk is full") }
	if err := e.apply(); err == nil {
		t.Fatal("applied")
	}
	e.wantTold()
	e.fail = nil
	e.mustApply()
	e.wantTold("user.created ada")
}

func TestNoOutcomesUnlessTheyAreWanted(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.mustApply()
	e.wantTold()
}

func TestOutcomeTypes(t *testing.T) {
	letter, link := &Letter{}, &Link{}
	for _, c := range []struct {
		kind   proto.Kind
		change Change
		want   string
	}{
		{proto.KindUser, Change{Action: Unchanged}, ""},
		{proto.KindUser, Change{Action: Touch, Link: link}, ""},
		{proto.KindUser, Change{Action: Miss, Link: link}, ""},
		{proto.KindUser, Change{Action: Update, Link: link, Join: []string{"1"}}, "user.updated"},
		{proto.KindUser, Change{Action: Update, Link: link, Set: []int{2}, Deactivate: true}, "user.deactivated"},
		{proto.KindUser, Change{Action: Update, Link: link, Set: []int{1, 2}, Reactivate: true}, "user.reactivated"},
		{proto.KindUser, Change{Action: Relink, Link: link, Set: []int{2}, Reactivate: true}, "user.adopted user.reactivated"},
		{proto.KindUser, Change{Action: Create, Link: link, Join: []string{"1"}}, "user.created"},
		{proto.KindUser, Change{Action: Park, Letter: letter, Leave: []string{"1"}}, "user.refused user.updated"},
		{proto.KindUser, Change{Action: Skip}, ""},
		{proto.KindUser, Change{Action: Remove, Link: link}, "user.removed"},
		{proto.KindGroup, Change{Action: Create, Link: link}, "group.created"},
		{proto.KindGroup, Change{Action: Adopt, Link: link}, "group.adopted"},
		{proto.KindGroup, Change{Action: Update, Link: link, Set: []int{0}}, "group.updated"},
		{proto.KindGroup, Change{Action: Remove, Link: link}, "group.removed"},
		{proto.KindGroup, Change{Action: Remove, Link: link, DeleteRow: true}, "group.deleted"},
		{proto.KindGroup, Change{Action: Skip, Letter: letter}, "group.refused"},
	} {
		var got []string
		for _, t := range c.change.outcomes(c.kind) {
			got = append(got, string(t))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s: %q, want %q", c.kind, c.change.Action, got, c.want)
		}
	}
}
