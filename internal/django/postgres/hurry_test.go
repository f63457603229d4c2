package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

// fragile is a store on a server that can crash.
func fragile(t *testing.T) (*env, *testenv.Fragile) {
	t.Helper()
	server := testenv.NewFragile(t)
	testenv.DjangoTables(t, server.DSN())
	return open(t, server.DSN(), settings()), server
}

// empty makes all tables empty again, for a store that knows nothing of a crash before.
func (e *env) empty() {
	e.Helper()
	e.db.Exec("TRUNCATE auth_user, auth_group, ldapsync.link, ldapsync.membership, ldapsync.checkpoint CASCADE")
	e.db.Exec("DO $$ BEGIN ALTER FUNCTION emit_nothing RENAME TO pg_logical_emit_message; EXCEPTION WHEN undefined_function THEN NULL; END $$")
	e.store.Refresh()
	e.store.pool.Reset()
}

// usernames are those of all accounts, with spaces between.
func (e *env) usernames() string {
	e.Helper()
	return strings.TrimSpace(e.db.Text("SELECT coalesce(string_agg(username, ' ' ORDER BY username), '') FROM auth_user"))
}

func (e *env) writeBy(update applier.Updater, names ...string) error {
	return update(e.Context(), func(tx applier.Tx) error {
		changes := make([]applier.Change, len(names))
		for i, name := range names {
			changes[i] = first(newUser(name))
		}
		return tx.Write(e.Context(), proto.KindUser, changes)
	})
}

func TestHurry(t *testing.T) {
	e, server := fragile(t)
	unsure := func(err error) bool {
		var u *applier.UnsureError
		return errors.As(err, &u)
	}
	for name, c := range map[string]struct {
		fn     func(update applier.Updater) error
		unsure bool
		want   string // who is there after a crash
	}{
		"a crash takes what was hurried": {func(update applier.Updater) error {
			if err := e.writeBy(update, "ada"); err != nil {
				return err
			}
			server.Crash()
			return e.writeBy(update, "bob")
		}, true, ""},
		"also behind the last commit": {func(update applier.Updater) error {
			err := e.writeBy(update, "ada")
			server.Crash()
			return err
		}, true, ""},
		"a commit in the usual way keeps what was hurried before": {func(update applier.Updater) error {
			err := errors.Join(e.writeBy(update, "ada"), e.writeBy(e.store.Update, "bob"))
			server.Crash()
			return err
		}, true, "ada bob"},
		"a pooler leads to another session, there may have been a crash": {func(update applier.Updater) error {
			return errors.Join(e.writeBy(update, "ada"), update(t.Context(), func(x applier.Tx) error {
				_, err := x.(*tx).tx.Exec(t.Context(), "RESET ldapsync.session")
				return err
			}), e.writeBy(e.store.Update, "bob"))
		}, true, "ada bob"},
		"the message that ends it is refused": {func(update applier.Updater) error {
			err := e.writeBy(update, "ada")
			e.db.Exec("ALTER FUNCTION pg_logical_emit_message(boolean, text, text) RENAME TO emit_nothing")
			return err
		}, true, "ada"},
		"what ends well is on disk": {func(update applier.Updater) error {
			return errors.Join(e.writeBy(update, "ada"), e.writeBy(update, "bob"))
		}, false, "ada bob"},
	} {
		t.Run(name, func(t *testing.T) {
			e.empty()
			err := e.store.Hurry(t.Context(), c.fn)
			if unsure(err) != c.unsure || err != nil && !c.unsure {
				t.Errorf("it ended with %v", err)
			}
			server.Crash()
			if got := e.usernames(); got != c.want {
				t.Errorf("%q are there", got)
			}
		})
	}
	t.Run("a first load survives a crash behind each commit", func(t *testing.T) { e.loadThroughCrashes(t, server) })
}

// Callbacks and the like share the pool, and a first load takes minutes.
func TestHurryLeavesAConnectionToOthers(t *testing.T) {
	e := site(t)
	few := open(t, e.dsn+"&pool_max_conns=2", settings())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := few.store.Hurry(ctx, func(first applier.Updater) error {
		return few.store.Hurry(ctx, func(second applier.Updater) error {
			return errors.Join(few.writeBy(first, "ada"), few.writeBy(second, "bob"), errorOf(few.store.Checkpoint(ctx, "corp")))
		})
	})
	if err != nil {
		t.Error(err)
	}
	if got := e.usernames(); got != "ada bob" {
		t.Errorf("%q are there", got)
	}
}

// A crash takes the numbers of transactions, too: whoever comes next gets them again.
func TestAHurryThatFailsLeavesNothingRemembered(t *testing.T) {
	e, server := fragile(t)
	e.advance(0, 1, nil, proto.KindUser, first(newUser("ada")))
	at := applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: 1, Mode: "live"}
	failed := errors.New("the history was cut")
	err := e.store.Hurry(t.Context(), func(update applier.Updater) error {
		return errors.Join(update(t.Context(), func(tx applier.Tx) error {
			if err := tx.Advance(t.Context(), &at, at); err != nil {
				return err
			}
			return tx.Write(t.Context(), proto.KindGroup, []applier.Change{first(newGroup("staff"))})
		}), failed)
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	server.Crash()
	e.store.pool.Reset()
	rival := open(t, e.dsn, settings())
	rival.advance(1, 1, nil, proto.KindUser)
	e.advance(1, 1, func(ctx context.Context, tx applier.Tx) error {
		if groups := groupsIn(ctx, t, tx, "staff"); len(groups) != 0 {
			t.Errorf("a group that a crash took is remembered: %+v", groups)
		}
		return nil
	}, proto.KindUser)
}

// tale is a stream that is told to its end.
type tale []proto.Event

var errEnd = errors.New("the end")

func (s tale) StreamID() string                                       { return "x" }
func (s tale) Bounds(context.Context) (first, last uint64, err error) { return 1, uint64(len(s)), nil }
func (s tale) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range s[from-1 : to] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s tale) Follow(_ context.Context, from uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range s[min(int(from)-1, len(s)):] {
			e.Pending = uint64(len(s)) - e.Sequence
			if !yield(e, nil) {
				return
			}
		}
		yield(proto.Event{}, errEnd)
	}
}

func (s tale) LastOf(_ context.Context, t proto.Type) (proto.Event, error) {
	for _, e := range slices.Backward(s) {
		if e.Type == t {
			return e, nil
		}
	}
	return proto.Event{}, proto.ErrNotFound
}

func (s *tale) tell(t *testing.T, kind proto.Type, m proto.Message) {
	t.Helper()
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, proto.Event{Type: kind, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: uint64(len(*s) + 1)})
}

// company tells of a group and n members of it, five at a time.
func company(t *testing.T, n int) tale {
	t.Helper()
	var s tale
	g := &proto.Group{Id: "staff", Dn: "cn=staff", Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"staff"}}}}
	d := proto.DigestGroup(g)
	s.tell(t, proto.TypeGroupUpserted, &proto.GroupUpserted{Groups: []*proto.Group{g}, Ids: []string{"staff"}, Digests: d[:], DigestVersion: proto.DigestVersion})
	for i := 0; i < n; {
		m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
		for ; i < n && len(m.Users) < 5; i++ {
			name := fmt.Sprintf("user%03d", i)
			u := &proto.User{Id: name, Dn: "uid=" + name, Attributes: []*proto.Attribute{{Name: "uid", Values: []string{name}}}, GroupIds: []string{"staff"}}
			d := proto.DigestUser(u)
			m.Users, m.Ids, m.Digests = append(m.Users, u), append(m.Ids, name), append(m.Digests, d[:]...)
		}
		s.tell(t, proto.TypeUserUpserted, m)
	}
	s.tell(t, proto.TypeSnapshotCommitted, &proto.SnapshotCommitted{Full: true, FullSequence: 1})
	return s
}

func (e *env) applying(batch int) applier.Config {
	e.Helper()
	users, err := applier.NewMapping(e.store.Users(), []applier.Field{{Column: "username", From: []string{"uid"}}})
	if err != nil {
		e.Fatal(err)
	}
	groups, err := applier.NewMapping(e.store.Groups(), []applier.Field{{Column: "name", From: []string{"cn"}}})
	if err != nil {
		e.Fatal(err)
	}
	return applier.Config{Target: "django", Source: "corp", Users: users, Groups: groups, Memberships: true, BatchEntries: batch}
}

// loadThroughCrashes has the server crash behind each of the commits of a first load, and take those before with it.
func (e *env) loadThroughCrashes(t *testing.T, server *testenv.Fragile) {
	const n = 20
	stream := company(t, n)
	for crash := 1; ; crash++ {
		e.empty()
		cfg := e.applying(5)
		commits := 0
		cfg.OnProgress = func(uint64) {
			if commits++; commits == crash {
				server.Crash()
			}
		}
		if err := applier.New(cfg, e.store, stream).Run(t.Context()); !errors.Is(err, errEnd) {
			t.Fatalf("crash behind commit %d: %v", crash, err)
		}
		users, members, links := e.db.Int("SELECT count(*) FROM auth_user"), e.db.Int("SELECT count(*) FROM auth_user_groups"), e.db.Int("SELECT count(*) FROM ldapsync.link")
		if cp, err := e.store.Checkpoint(t.Context(), "corp"); err != nil || !cp.Live() || users != n || members != n || links != n+1 {
			t.Fatalf("crash behind commit %d: %d users, %d memberships, %d links; checkpoint %+v, %v", crash, users, members, links, cp, err)
		}
		if commits < crash {
			if crash < 7 {
				t.Errorf("only %d commits", commits)
			}
			return
		}
	}
}
