package applier

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ldapsync/proto"
)

var long = strings.Repeat("x", 30)

// A gone account returns in the batch of another entry of its name, listed first.
func TestReturnerAndNewcomerOfOneNameDoNotShareARow(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada")
	e.mustApply()
	e.remove("1")
	e.mustApply()
	e.upsert("2:ada", "1:ada")
	e.mustApply()
	owners := map[string][]string{}
	for id, l := range e.over.links[proto.KindUser] {
		if l.PK != "" {
			owners[l.PK] = append(owners[l.PK], fmt.Sprintf("%s %s", id, l.State))
		}
	}
	for pk, o := range owners {
		if len(o) > 1 {
			t.Errorf("row %s: %q", pk, o)
		}
	}
}

// Else the callbacks would act on somebody who is in the directory.
func TestWhoReturnsWithABadValueIsPresent(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.mustApply()
	e.remove("id-ada")
	e.mustApply()
	e.upsert("ada mail=" + long)
	e.mustApply()
	if l := e.over.links[proto.KindUser]["id-ada"]; l.State != Present {
		t.Errorf("in the directory, but link: %+v", l)
	}
}

// The new stream may not have their entries at all.
func TestAcceptedStreamForgetsLetters(t *testing.T) {
	e := newEnv(t)
	e.bad = "secret"
	e.upsert("ada", "kim mail=secret")
	e.mustApply()
	e.wantLetters("id-kim parked=false the database refuses it: refused")
	e.stream = &stream{id: "s2"}
	e.cfg.AcceptStream = true
	e.bad = ""
	e.upsert("ada", "bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("2 ada", "3 bob")
}

// As the end of a snapshot does.
func TestPreviewTriesLetters(t *testing.T) {
	e := newEnv(t)
	e.local("root", true)
	e.upsert("root")
	e.commitSnapshot()
	e.mustApply()
	e.cfg.Adopt.Privileged = true
	var got []string
	_, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(func(proto.Event) error) error { return nil },
		func(_ proto.Kind, c Change) { got = append(got, string(c.Action)+" "+c.Name) })
	if err != nil {
		t.Fatal(err)
	}
	e.commitSnapshot()
	e.mustApply()
	if fmt.Sprint(got) != fmt.Sprint(e.did) {
		t.Errorf("preview %q, run %q", got, e.did)
	}
}

// Rule 7 of the design; and each attempt may cost an id.
func TestRule7RefusedLetterIsNotTriedByDeltas(t *testing.T) {
	e := newEnv(t)
	e.bad = "m"
	e.upsert("ada mail=m")
	e.commitSnapshot()
	e.mustApply()
	u, w := e.updates, e.writes
	e.commitSnapshot()
	e.mustApply()
	if e.updates != u {
		t.Errorf("%d transactions, %d attempts to write", e.updates-u, e.writes-w)
	}
}

type refusing struct{ *memory }

func (r refusing) Update(ctx context.Context, fn func(Tx) error) error {
	return r.memory.Update(ctx, func(tx Tx) error { return fn(refusingTx{tx}) })
}

type refusingTx struct{ Tx }

func (t refusingTx) Write(ctx context.Context, kind proto.Kind, changes []Change) error {
	for _, c := range changes {
		if c.DeleteRow {
			return &DataError{errors.New("another table refers to it")}
		}
	}
	return t.Tx.Write(ctx, kind, changes)
}

// Another table refers to the group: its row stays, and the link is gone.
func TestRemovalWhoseRowMustStayIsCarriedOut(t *testing.T) {
	e := newEnv(t)
	e.cfg.DeleteGroups = true
	e.group("dev")
	e.mustApply()
	g := &proto.Group{Id: "gid-dev", Dn: "cn=dev", Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"dev"}}}}
	e.publish(proto.TypeGroupRemoved, &proto.GroupRemoved{Group: g, Reason: "not found"})
	a := New(e.cfg, refusing{e.memory}, e.stream)
	if err := a.Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	e.commitSnapshot()
	a = New(e.cfg, refusing{e.memory}, e.stream)
	if err := a.Run(t.Context()); !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	l := e.over.links[proto.KindGroup]["gid-dev"]
	letter := e.over.letters[proto.KindGroup]["gid-dev"]
	if l.State != Gone || l.PK == "" || letter != nil {
		t.Errorf("link %+v, letter %v", l, letter)
	}
	if notes := a.Summary().Notes; len(notes) != 0 {
		t.Errorf("the second run repeats %q", notes)
	}
}

// Also of rows that it has planned a change of.
func TestPreviewRemembersWhoIsPrivileged(t *testing.T) {
	mk := func() *env {
		e := newEnv(t)
		e.cfg.Adopt.Privileged = true
		e.local("root", true)
		e.upsert("1:root")
		e.mustApply()
		// the memory store forgets the privilege too: put it back
		row := e.over.rows[proto.KindUser]["1"]
		row.Privileged, row.Superuser = true, true
		e.over.rows[proto.KindUser]["1"] = row
		e.cfg.Adopt.Privileged = false
		return e
	}
	e := mk()
	other := newEnv(t)
	other.upsert("1:root mail=x")
	other.group("g")
	other.remove("1")
	other.group("h")
	other.upsert("2:root")
	var got []string
	_, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(apply func(proto.Event) error) error {
		for _, ev := range other.events {
			if err := apply(ev); err != nil {
				return err
			}
		}
		return nil
	}, func(k proto.Kind, c Change) {
		if k == proto.KindUser {
			got = append(got, string(c.Action)+" "+c.Name)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got[len(got)-1] != "skip root" {
		t.Errorf("preview: %q", got)
	}
}

// What is parked is the name.
func TestParkedEntryIsDeactivatedAllTheSame(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada active", "2:bob active")
	e.mustApply()
	e.upsert("2:ada inactive")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 ada", "2 bob inactive")
}

// Removed, deactivated by sync, back with a bad value, activated by a person, removed again: the second absence is one of its own.
func TestEachAbsenceIsHandledAnew(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.mustApply()
	e.remove("id-ada")
	e.mustApply()
	l := e.over.links[proto.KindUser]["id-ada"]
	l.DeactivatedBy = "other"
	e.over.links[proto.KindUser]["id-ada"] = l
	e.upsert("ada mail=" + long)
	e.mustApply()
	e.remove("id-ada")
	e.mustApply()
	if l := e.over.links[proto.KindUser]["id-ada"]; l.State != Gone || l.DeactivatedBy != "" {
		t.Errorf("link: %+v", l)
	}
}

func TestWhoGivesUpANameGetsOneThatIsFree(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:bob")
	e.mustApply()
	e.local("Bob-Gone-2", false)
	e.local("bob-gone-2-2", false)
	e.remove("2")
	e.commitSnapshot()
	e.mustApply()
	e.deactivate("2")
	e.upsert("1:bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 bob", "2 bob-gone-2-3 inactive", "3 Bob-Gone-2", "4 bob-gone-2-2")
}

// The account of somebody who is gone keeps its name from others only while it is active. Should she return, she has her own name again.
func TestANameIsGivenUpByWhoIsGoneAndDeactivated(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:bob")
	e.commitSnapshot()
	e.mustApply()
	e.remove("2")
	e.upsert("1:bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 ada", "2 bob")
	e.wantLetters(`1 parked=false "bob" is still the name of uid=bob, who is gone: rename or delete that row (id 2)`)

	e.deactivate("2")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 bob", "2 bob-gone-2 inactive")
	e.wantLetters()

	e.upsert("2:bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 bob", "2 bob-gone-2")
	e.wantLetters(`2 parked=false "bob" is taken by uid=bob`)
	e.upsert("1:ada")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 ada", "2 bob")
	e.wantLetters()
}

// An account whose entries are gone, but which is a superuser's, or which another source still has, keeps its name.
func TestANameIsNotGivenUpByAPrivilegedAccount(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:bob")
	e.commitSnapshot()
	e.mustApply()
	e.remove("2")
	e.mustApply()
	e.deactivate("2")
	row := e.over.rows[proto.KindUser]["2"]
	row.Privileged = true
	e.over.rows[proto.KindUser]["2"] = row
	e.upsert("1:bob")
	e.commitSnapshot()
	e.mustApply()
	e.want("1 ada", "2 bob inactive")
	e.wantLetters(`1 parked=false "bob" is still the name of uid=bob, who is gone: rename or delete that row (id 2)`)
}
