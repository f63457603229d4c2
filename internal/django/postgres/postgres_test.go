package postgres

import (
	"context"
	"fmt"
	"testing"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// env is a store on a database that Django made.
type env struct {
	*testing.T
	dsn   string
	db    *testenv.Database
	store *Store
}

func settings() django.Settings {
	return django.Settings{
		Users:  django.Users{Columns: []string{"first_name", "last_name", "email"}},
		Groups: django.Groups{Membership: true},
	}
}

// site is a database with Django's own tables and ours.
func site(t *testing.T) *env {
	t.Helper()
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	return open(t, dsn, settings())
}

func open(t *testing.T, dsn string, s django.Settings) *env {
	t.Helper()
	e := &env{T: t, dsn: dsn, db: testenv.DB(t, dsn)}
	var err error
	if e.store, err = Open(t.Context(), Config{DSN: dsn, Settings: s}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.store.Close() })
	if err := e.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *env) update(fn func(ctx context.Context, tx applier.Tx) error) {
	e.Helper()
	if err := e.store.Update(e.Context(), func(tx applier.Tx) error { return fn(e.Context(), tx) }); err != nil {
		e.Fatal(err)
	}
}

func (e *env) view(fn func(ctx context.Context, r applier.Reader) error) {
	e.Helper()
	if err := e.store.View(e.Context(), func(r applier.Reader) error { return fn(e.Context(), r) }); err != nil {
		e.Fatal(err)
	}
}

func (e *env) write(kind proto.Kind, changes ...applier.Change) []applier.Change {
	e.Helper()
	e.update(func(ctx context.Context, tx applier.Tx) error { return tx.Write(ctx, kind, changes) })
	return changes
}

func link(kind proto.Kind, id, pk, name string) *applier.Link {
	return &applier.Link{Source: "corp", Kind: kind, ID: id, PK: pk, DN: "cn=" + id, Name: applier.Fold(name), State: applier.Present, Mapping: "m", Sequence: 1, How: applier.Created}
}

// newUser makes a user whose id is her name.
func newUser(name string) applier.Change {
	return applier.Change{Action: applier.Create, Source: "corp", ID: name, Name: name, Link: link(proto.KindUser, name, "", name),
		Values: []any{name, "First", "Last", name + "@example.com", true}}
}

func newGroup(name string) applier.Change {
	return applier.Change{Action: applier.Create, Source: "corp", ID: name, Name: name, Link: link(proto.KindGroup, name, "", name), Values: []any{name}}
}

func users(n int) []applier.Change {
	list := make([]applier.Change, n)
	for i := range list {
		list[i] = newUser(fmt.Sprintf("user%06d", i))
	}
	return list
}

func TestCreateAndRead(t *testing.T) {
	e := site(t)
	groups := e.write(proto.KindGroup, newGroup("staff"), newGroup("dev"))
	ada := newUser("ada")
	ada.Join = []string{groups[0].PK}
	made := e.write(proto.KindUser, ada, newUser("Bob"))
	if made[0].PK == "" || made[0].Link.PK != made[0].PK {
		t.Fatalf("made %+v", made)
	}
	e.view(func(ctx context.Context, r applier.Reader) error {
		rows, err := r.Named(ctx, proto.KindUser, []string{"ADA", "bob", "eve"})
		if err != nil || len(rows) != 2 {
			t.Errorf("Named: %v, %v", rows, err)
		}
		links, err := r.Links(ctx, "corp", proto.KindUser, []string{"ada", "Bob", "eve"})
		if err != nil || len(links) != 2 || links[0].State != applier.Present {
			t.Errorf("Links: %v, %v", links, err)
		}
		m, err := r.Memberships(ctx, "corp", []string{made[0].PK, made[1].PK})
		if err != nil || len(m) != 1 || m[0] != (applier.Membership{User: made[0].PK, Group: groups[0].PK}) {
			t.Errorf("Memberships: %v, %v", m, err)
		}
		return nil
	})
}
