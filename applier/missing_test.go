package applier

import (
	"slices"
	"testing"
	"time"

	"ldapsync/proto"
)

func (e *env) miss(id string) {
	e.publish(proto.TypeUserMissing, &proto.UserMissing{User: &proto.User{Id: id}, Reason: "not found"})
}

// retain publishes a user as a full snapshot carries somebody who is missing.
func (e *env) retain(spec string) { e.retainAs(proto.Retained_RETAINED_MISSING, spec) }

func (e *env) retainAs(why proto.Retained, spec string) {
	u := user(spec)
	d := proto.DigestUser(u)
	e.publish(proto.TypeUserUpserted, &proto.UserUpserted{DigestVersion: proto.DigestVersion, Users: []*proto.User{u}, Ids: []string{u.Id}, Digests: d[:],
		Retained: []proto.Retained{why}})
}

func (e *env) link(id string) Link { return e.over.links[proto.KindUser][id] }

// deactivate does what the callback does.
func (e *env) deactivate(id string) {
	l := e.link(id)
	l.DeactivatedBy, l.DeactivatedAt = "sync", time.Unix(1, 0)
	e.over.links[proto.KindUser][id] = l
	row := e.over.rows[proto.KindUser][l.PK]
	row.Values = slices.Clone(row.Values)
	row.Values[2] = false
	e.over.rows[proto.KindUser][l.PK] = row
}

func (e *env) wantLink(id string, state LinkState, gone uint64, by string) {
	e.t.Helper()
	if l := e.link(id); l.State != state || l.GoneSequence != gone || l.DeactivatedBy != by {
		e.t.Errorf("link of %s: %s at %d, deactivated by %q; want %s at %d, %q", id, l.State, l.GoneSequence, l.DeactivatedBy, state, gone, by)
	}
}

func TestWhoIsMissingKeepsHerRow(t *testing.T) {
	e := newEnv(t)
	e.group("dev")
	e.upsert("ada mail=a@x in dev")
	e.miss("id-ada")
	e.mustApply()
	e.want("2 ada a@x in dev")
	e.wantLink("id-ada", Missing, 3, "")
	if e.sum.Users.Missing != 1 || e.sum.Users.Removed != 0 || !slices.Contains(e.did, "missing ada") {
		t.Errorf("%+v, %v", e.sum.Users, e.did)
	}
	e.miss("id-ada") // each full repeats it
	e.mustApply()
	e.wantLink("id-ada", Missing, 3, "")
	e.upsert("ada mail=a@x in dev") // she is published again as she was
	e.mustApply()
	e.want("2 ada a@x in dev")
	e.wantLink("id-ada", Present, 0, "")
}

func TestAFullSnapshotKeepsWhoIsMissing(t *testing.T) {
	for _, size := range []int{1, 2000} {
		e := newEnv(t)
		e.cfg.BatchEntries = size
		e.upsert("ada", "bob")
		e.miss("id-ada")
		e.mustApply()
		e.deactivate("id-ada")
		e.retain("ada mail=new@x")
		e.upsert("bob")
		e.miss("id-ada")
		e.mustApply()
		e.want("1 ada inactive", "2 bob")
		e.wantLink("id-ada", Missing, 2, "sync")
		// A target that begins with the full snapshot has her, too.
		e.memory, e.stream.events = newMemory(), nil
		e.retain("ada")
		e.upsert("bob")
		e.miss("id-ada")
		e.mustApply()
		e.want("1 ada", "2 bob")
		e.wantLink("id-ada", Missing, 3, "")
	}
}

func TestWhoIsRemovedAfterHerGraceStaysDeactivated(t *testing.T) {
	for name, c := range map[string]struct {
		by   string
		want string
	}{"deactivated": {"sync", "sync"}, "taken back": {"restored", "restored"}, "never": {"", ""}} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.upsert("ada")
			e.miss("id-ada")
			e.mustApply()
			l := e.link("id-ada")
			l.DeactivatedBy, l.DeactivatedAt = c.by, time.Unix(1, 0)
			e.over.links[proto.KindUser]["id-ada"] = l
			e.remove("id-ada")
			e.mustApply()
			e.wantLink("id-ada", Gone, 3, c.want)
			if got := e.link("id-ada").DeactivatedAt; !got.Equal(l.DeactivatedAt) {
				t.Errorf("deactivated at %s", got)
			}
			e.miss("id-ada") // nobody becomes missing who is gone
			e.mustApply()
			e.wantLink("id-ada", Gone, 3, c.want)
			// Back, the next absence is another one.
			e.upsert("ada")
			e.mustApply()
			e.remove("id-ada")
			e.mustApply()
			e.wantLink("id-ada", Gone, 6, "")
		})
	}
}

func TestWhomSyncDeactivatedWhileMissingIsReactivated(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.miss("id-ada")
	e.mustApply()
	e.deactivate("id-ada")
	e.want("1 ada inactive")
	e.upsert("ada")
	e.mustApply()
	e.want("1 ada")
	e.wantLink("id-ada", Present, 0, "")
}

func TestWhoWasRestoredAndDeactivatedByAPersonStaysSo(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada")
	e.mustApply()
	e.remove("id-ada")
	e.mustApply()
	e.deactivate("id-ada")
	l := e.link("id-ada")
	l.DeactivatedBy = "restored"
	e.over.links[proto.KindUser]["id-ada"] = l
	e.upsert("ada")
	e.mustApply()
	e.want("1 ada inactive")
}

func TestAnAccountMadeAgainTakesTheRowOfWhoIsMissing(t *testing.T) {
	for _, before := range []bool{true, false} {
		e := newEnv(t)
		e.upsert("1:ada")
		e.mustApply()
		if before {
			e.miss("1")
			e.mustApply()
			e.upsert("2:ada")
		} else {
			e.upsert("2:ada") // additions come first
			e.miss("1")
		}
		e.mustApply()
		e.want("1 ada")
		if a, b := e.link("1"), e.link("2"); a.State != Deleted || a.PK != "" || b.State != Present || b.PK != "1" || b.How != Relinked {
			t.Errorf("%+v\n%+v", a, b)
		}
		e.remove("1") // her grace is over
		e.mustApply()
		e.wantLink("2", Present, 0, "")
		if l := e.link("1"); l.State != Deleted {
			t.Errorf("%+v", l)
		}
	}
}

func TestADeadEntryThatGoesMissingIsForgotten(t *testing.T) {
	e := newEnv(t)
	e.upsert("1:ada", "2:ADA")
	e.mustApply()
	e.wantLetters(`2 parked=true "ADA" is taken by uid=ada`)
	e.miss("2")
	e.mustApply()
	e.wantLetters()
	e.want("1 ada")
}

func TestAPreviewTellsWhoIsMissing(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob")
	e.mustApply()
	e.miss("id-ada")
	e.remove("id-bob")
	var did []string
	sum, err := New(e.cfg, e.memory, e.stream).Preview(t.Context(), func(func(proto.Event) error) error { return nil },
		func(_ proto.Kind, c Change) { did = append(did, string(c.Action)+" "+c.Name) })
	if err != nil || !slices.Equal(did, []string{"missing ada", "remove bob"}) || sum.Users.Missing != 1 || sum.Users.Removed != 1 {
		t.Errorf("%v, %+v, %v", did, sum.Users, err)
	}
}

func TestAChangedMappingLeavesWhoIsMissing(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada mail=a@x", "bob mail=b@x")
	e.mustApply()
	e.miss("id-ada")
	e.commitSnapshot()
	e.mustApply()
	e.deactivate("id-ada")
	e.cfg.Users, _ = NewMapping(table{}, []Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}, Upper: true}})
	e.mustApply()
	e.want("1 ada a@x inactive", "2 bob B@X")
	e.wantLink("id-ada", Missing, 2, "sync")
	e.upsert("ada mail=a@x")
	e.mustApply()
	e.want("1 ada A@X", "2 bob B@X")
}

func TestWhoIsMissingInTheStateIsNotGone(t *testing.T) {
	e := newEnv(t)
	e.upsert("ada", "bob")
	e.mustApply()
	e.remove("id-ada")
	e.mustApply()
	e.full(1)
	e.wantLink("id-ada", Gone, 2, "")
	e.upsert("ada") // she returned, and is missing again: cut off
	e.miss("id-ada")
	e.retain("ada")
	e.miss("id-ada")
	e.upsert("bob")
	e.full(6)
	e.stream.cut = 6
	e.mustApply()
	e.wantLink("id-ada", Missing, 7, "")
}

// Whom a full snapshot carries as last known may have been read before an attribute was mapped: its column isn't cleared.
func TestWhatWasNotAskedForIsNotCleared(t *testing.T) {
	for _, why := range []proto.Retained{proto.Retained_RETAINED_HELD, proto.Retained_RETAINED_SKIPPED} {
		e := newEnv(t)
		e.upsert("ada mail=a@x")
		e.full(1)
		e.mustApply()
		e.retainAs(why, "ada") // as she was before the mail was asked for
		e.full(3)
		e.mustApply()
		e.want("1 ada a@x")
		if got := e.differences(true); got != nil {
			t.Errorf("false alarm: %q", got)
		}
		e.want("1 ada a@x")
		e.upsert("ada") // she was read: she has none
		e.mustApply()
		e.want("1 ada")
	}
}
