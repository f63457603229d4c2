package postgres

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/proto"
)

// leave makes users' links gone.
func (e *env) leave(made ...applier.Change) []callbacks.Account {
	e.Helper()
	var list []callbacks.Account
	for _, c := range made {
		l := *c.Link
		l.State, l.GoneSequence, l.GoneReason = applier.Gone, 9, "not found"
		e.write(proto.KindUser, applier.Change{Action: applier.Remove, Source: "corp", ID: c.ID, Link: &l})
		list = append(list, callbacks.Account{Key: callbacks.Key{Source: "corp", ID: c.ID}, PK: c.PK, GoneSequence: 9})
	}
	return list
}

// The applier has read that ada is gone and not deactivated, and brings her back; meanwhile the callback deactivates her. One of them sees what the other did.
func TestReturningAndDeactivatingDoNotMiss(t *testing.T) {
	e := site(t)
	made := e.write(proto.KindUser, newUser("ada"))
	accounts := e.leave(made...)
	runs := 0
	e.update(func(ctx context.Context, tx applier.Tx) error {
		runs++
		links, err := tx.Links(ctx, "corp", proto.KindUser, []string{"ada"})
		if err != nil {
			return err
		}
		if runs == 1 {
			if _, err := e.store.Deactivate(ctx, accounts); err != nil {
				return err
			}
		}
		l := links[0]
		c := update(made[0])
		if l.DeactivatedBy == "sync" {
			c = update(made[0], 4)
			c.Values = append(c.Values[:4:4], true)
		}
		l.State, l.DeactivatedBy, c.Link = applier.Present, "", &l
		return tx.Write(ctx, proto.KindUser, []applier.Change{c})
	})
	if runs != 2 {
		t.Errorf("%d runs", runs)
	}
	e.wantText("true | present", "SELECT u.is_active, l.state FROM auth_user u JOIN ldapsync.link l ON l.pk = u.id::text")
}

func TestTwoServicesDoNotTakeTheLastTwoSuperusers(t *testing.T) {
	e := site(t)
	made := e.write(proto.KindUser, newUser("ada"), newUser("bob"))
	e.db.Exec("UPDATE auth_user SET is_superuser = true")
	accounts := e.leave(made...)
	outcomes := make(chan callbacks.Outcome)
	for _, a := range accounts {
		go func() {
			results, err := e.store.Deactivate(t.Context(), []callbacks.Account{a})
			if err != nil {
				t.Error(err)
				outcomes <- ""
				return
			}
			outcomes <- results[0].Outcome
		}()
	}
	got := map[callbacks.Outcome]int{}
	got[<-outcomes]++
	got[<-outcomes]++
	if got[callbacks.Deactivated] != 1 || got[callbacks.Refused] != 1 {
		t.Errorf("%v", got)
	}
	e.wantText("1", "SELECT count(*) FROM auth_user WHERE is_active")
}

func TestDeleteSeesEverySchema(t *testing.T) {
	e := site(t)
	e.db.Exec("CREATE SCHEMA shop")
	e.db.Exec("CREATE TABLE shop.purchase (id serial PRIMARY KEY, buyer varchar(150) REFERENCES auth_user (username) DEFERRABLE INITIALLY DEFERRED)")
	made := e.write(proto.KindUser, newUser("ada"), newUser("bob"))
	e.db.Exec("INSERT INTO shop.purchase (buyer) VALUES ('ada')")
	results, err := e.store.Delete(t.Context(), e.leave(made...), 0)
	if err != nil || results[0].Outcome != callbacks.Refused || results[1].Outcome != callbacks.Removed {
		t.Errorf("%+v, %v", results, err)
	}
	e.wantText("ada", "SELECT username FROM auth_user")
}

// The applier has read that ada is gone and deactivated, and brings her back; meanwhile a person restores her.
func TestReturningAndRestoringDoNotMiss(t *testing.T) {
	e := site(t)
	made := e.write(proto.KindUser, newUser("ada"))
	accounts := e.leave(made...)
	if _, err := e.store.Deactivate(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
	runs := 0
	e.update(func(ctx context.Context, tx applier.Tx) error {
		runs++
		links, err := tx.Links(ctx, "corp", proto.KindUser, []string{"ada"})
		if err != nil {
			return err
		}
		if runs == 1 {
			if results, err := e.store.Restore(ctx, accounts, "grace"); err != nil || results[0].Outcome != callbacks.Restored {
				t.Errorf("%+v, %v", results, err)
			}
		} else if links[0].DeactivatedBy != "restored" {
			t.Errorf("%+v", links[0])
		}
		l := links[0]
		l.State, l.GoneSequence, l.DeactivatedBy = applier.Present, 0, ""
		c := update(made[0])
		c.Link = &l
		return tx.Write(ctx, proto.KindUser, []applier.Change{c})
	})
	if runs != 2 {
		t.Errorf("%d runs", runs)
	}
	e.wantText("true | present", "SELECT u.is_active, l.state FROM auth_user u JOIN ldapsync.link l ON l.pk = u.id::text")
	if results, err := e.store.Restore(t.Context(), accounts, "grace"); err != nil || results[0].Outcome != callbacks.Returned {
		t.Errorf("%+v, %v", results, err)
	}
}

// However a person's restore and the callbacks' transactions meet, who was restored stays active, and nobody is deleted who is active.
func TestRestoringBesideTheCallbacks(t *testing.T) {
	e := site(t)
	var names []applier.Change
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		names = append(names, newUser(name))
	}
	accounts := e.leave(e.write(proto.KindUser, names...)...)
	if _, err := e.store.Deactivate(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	restored := make([]callbacks.Outcome, len(accounts))
	for i, a := range accounts {
		one := []callbacks.Account{a}
		work.Go(func() {
			results, err := e.store.Restore(t.Context(), one, "grace")
			if err != nil {
				t.Error(err)
				return
			}
			restored[i] = results[0].Outcome
		})
		work.Go(func() {
			if _, err := e.store.Deactivate(t.Context(), one); err != nil {
				t.Error(err)
			}
		})
		work.Go(func() {
			if _, err := e.store.Delete(t.Context(), one, 0); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	n := 0
	for _, outcome := range restored {
		if outcome == callbacks.Restored {
			n++
		} else if outcome != callbacks.Returned {
			t.Errorf("%q", outcome)
		}
	}
	e.wantText(fmt.Sprintf("%d | %d", n, n), "SELECT count(*), count(*) FILTER (WHERE is_active) FROM auth_user")
}
