package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

func (e *env) wantText(want, query string, args ...any) {
	e.Helper()
	if got := strings.TrimSpace(e.db.Text(query, args...)); got != want {
		e.Errorf("%s:\n%s\nwant\n%s", query, got, want)
	}
}

func update(c applier.Change, set ...int) applier.Change {
	c.Action, c.Set = applier.Update, set
	for _, i := range set {
		c.Rename = c.Rename || i == 0
	}
	return c
}

func renamed(c applier.Change, name string) applier.Change {
	c = update(c, 0)
	c.Values = append([]any{name}, c.Values[1:]...)
	l := *c.Link
	l.Name = applier.Fold(name)
	c.Name, c.Link = name, &l
	return c
}

func TestNamesSwapAndChain(t *testing.T) {
	e := site(t)
	u := e.write(proto.KindUser, newUser("a"), newUser("b"), newUser("c"), newUser("d"))
	c := newUser("c")
	c.ID, c.Link.ID = "5", "5"
	e.write(proto.KindUser, renamed(u[0], "b"), renamed(u[1], "a"), renamed(u[2], "d"), renamed(u[3], "e"), c)
	e.wantText("b\na\nd\ne\nc", "SELECT username FROM auth_user ORDER BY id")
}

func TestPlaceholdersFitShortNames(t *testing.T) {
	if p := placeholder("a3f1c2d4-0000-4000-8000-000000000000", 30); len(p) > 30 || p == placeholder("a3f1c2d4-0000-4000-8000-000000000001", 30) {
		t.Errorf("placeholder %q", p)
	}
}

func TestNoIDIsTakenForARowThatExists(t *testing.T) {
	e := site(t)
	made := e.write(proto.KindUser, users(50)...)
	before := e.db.Text("SELECT last_value FROM auth_user_id_seq")
	for i := range made {
		made[i] = update(made[i], 1)
		made[i].Values[1] = "Changed"
	}
	e.write(proto.KindUser, made...)
	if after := e.db.Text("SELECT last_value FROM auth_user_id_seq"); after != before {
		t.Errorf("the sequence went from %s to %s", before, after)
	}
	e.wantText("50", "SELECT count(*) FROM auth_user WHERE first_name = 'Changed'")
}

// A bad entry is found by halving: the ids that its refused statements took are used by the next ones.
func TestUndoneSavepointsGiveTheirIDsBack(t *testing.T) {
	e := site(t)
	e.update(func(ctx context.Context, tx applier.Tx) error {
		for range 10 {
			list := append(users(20), newUser("user000003"))
			err := tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, list) })
			var data *applier.DataError
			if !errors.As(err, &data) || !strings.Contains(err.Error(), "auth_user_username_key") || strings.Contains(err.Error(), "user000003") {
				return fmt.Errorf("want a DataError that names the constraint, got %w", err)
			}
		}
		return tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, users(21)) })
	})
	e.wantText("21 | 21", "SELECT max(id), (SELECT last_value FROM auth_user_id_seq) FROM auth_user")
}

func TestValuesAreNeverCut(t *testing.T) {
	e := site(t)
	u := newUser("ada")
	u.Values[1] = strings.Repeat("x", 151)
	err := e.store.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, []applier.Change{u}) })
	var data *applier.DataError
	if !errors.As(err, &data) {
		t.Errorf("want a DataError, got %v", err)
	}
	e.wantText("0", "SELECT count(*) FROM auth_user")
}

func TestReadingWritesNothing(t *testing.T) {
	e := site(t)
	list := users(2000)
	e.write(proto.KindUser, list...)
	ids, pks := make([]string, len(list)), make([]string, len(list))
	for i, c := range list {
		ids[i], pks[i] = c.ID, c.PK
	}
	e.update(func(ctx context.Context, tx applier.Tx) error {
		links, err := tx.Links(ctx, "corp", proto.KindUser, ids)
		if err != nil || len(links) != len(ids) {
			return fmt.Errorf("%d links, %w", len(links), err)
		}
		rows, err := tx.Rows(ctx, proto.KindUser, pks)
		if err != nil || len(rows) != len(ids) {
			return fmt.Errorf("%d rows, %w", len(rows), err)
		}
		for i := range list {
			list[i].Action, list[i].Link, list[i].Values, list[i].Set = applier.Unchanged, nil, nil, nil
		}
		if err := tx.Write(ctx, proto.KindUser, list); err != nil {
			return err
		}
		// PostgreSQL gives a transaction an id when it writes for the first time; without one it makes no WAL.
		if n := countInside(ctx, t, tx, "SELECT count(*) FROM pg_current_xact_id_if_assigned() AS id WHERE id IS NOT NULL"); n != 0 {
			t.Error("the transaction wrote something")
		}
		return nil
	})
}

// countInside runs a query that returns one number in the transaction of r.
func countInside(ctx context.Context, t *testing.T, r applier.Reader, query string) (n int64) {
	t.Helper()
	var db querier
	switch r := r.(type) {
	case *tx:
		db = r.db
	case *reader:
		db = r.db
	}
	if err := db.QueryRow(ctx, query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamedDoesNotScanForEachCall(t *testing.T) {
	e := site(t)
	e.db.Exec("INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined) " +
		"SELECT 'Old' || n, '!', false, '', '', '', false, true, now() FROM generate_series(1, 5000) n")
	e.db.Exec("ANALYZE auth_user")
	const scans = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables WHERE relname = 'auth_user'"
	named := func(name string) (scanned int64) {
		t.Helper()
		e.view(func(ctx context.Context, r applier.Reader) error {
			rows, err := r.Named(ctx, proto.KindUser, []string{name})
			if err != nil || len(rows) != 1 || applier.Fold(rows[0].Name) != applier.Fold(name) {
				t.Errorf("Named(%s) = %v, %v", name, rows, err)
			}
			scanned = countInside(ctx, t, r, scans)
			return nil
		})
		return scanned
	}
	// The server adds up what it hasn't yet published of one connection, and begins at 0 when it has.
	last := named("oLD7")
	if last != 5000 {
		t.Errorf("the first call read %d rows", last)
	}
	for i := range 20 {
		n := named(fmt.Sprintf("OLD%d", i+1))
		if n > last {
			t.Errorf("call %d read %d rows from end to end", i, n-last)
		}
		last = n
	}
	e.db.Exec("UPDATE auth_user SET username = 'Newcomer' WHERE username = 'Old9'")
	e.store.Refresh()
	named("NEWCOMER")
}

func TestCustomModel(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoCustom(t, dsn)
	s := django.Settings{Users: django.Users{UsernameField: "login", Columns: []string{"email", "employee_number"}, Defaults: map[string]string{"full_name": ""}},
		Groups: django.Groups{Membership: true}}
	e := open(t, dsn, s)
	if e.store.Users().Name != "people_person" {
		t.Fatalf("users are in %s", e.store.Users())
	}
	g := e.write(proto.KindGroup, newGroup("staff"))
	u := applier.Change{Action: applier.Create, Source: "corp", ID: "1", Link: link(proto.KindUser, "1", "", "ada"), Join: []string{g[0].PK},
		Values: []any{"ada", nil, int64(7), true}, Pending: []string{"later"}}
	made := e.write(proto.KindUser, u)
	other := u
	other.ID, other.Link, other.Values = "2", link(proto.KindUser, "2", "", "bob"), []any{"bob", nil, int64(8), applier.Keep{}}
	other.Join, other.Pending = nil, nil
	made = append(made, e.write(proto.KindUser, other)...)
	e.write(proto.KindUser, renamed(made[0], "bob"), renamed(made[1], "ada"))
	e.write(proto.KindGroup, newGroup("later"))
	e.wantText("ada | 8 | true\nbob | 7 | true", "SELECT login, employee_number, is_active FROM people_person ORDER BY login")
	e.wantText("bob | later\nbob | staff", "SELECT p.login, g.name FROM people_person p JOIN people_person_groups m ON m.person_id = p.id JOIN auth_group g ON g.id = m.group_id ORDER BY 2")
	e.wantText("0", "SELECT count(*) FROM ldapsync.pending_membership")
	people := testenv.DjangoPeople(t, dsn)
	if people.HasUsablePassword("ada") {
		t.Error("ada has a usable password")
	}
}

func TestIdentityAndSerial(t *testing.T) {
	for name, statement := range map[string]string{
		"serial":    "SELECT 1",
		"identity":  `ALTER TABLE auth_user ALTER id DROP DEFAULT; DROP SEQUENCE auth_user_id_seq; ALTER TABLE auth_user ALTER id ADD GENERATED BY DEFAULT AS IDENTITY`,
		"always":    `ALTER TABLE auth_user ALTER id DROP DEFAULT; DROP SEQUENCE auth_user_id_seq; ALTER TABLE auth_user ALTER id ADD GENERATED ALWAYS AS IDENTITY`,
		"not owned": `ALTER SEQUENCE auth_user_id_seq OWNED BY NONE`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := testenv.Postgres(t)
			testenv.DjangoTables(t, dsn)
			db := testenv.DB(t, dsn)
			for _, s := range strings.Split(statement, ";") {
				db.Exec(s)
			}
			e := open(t, dsn, settings())
			made := e.write(proto.KindUser, users(3)...)
			if made[2].PK != "3" {
				t.Errorf("pk %s", made[2].PK)
			}
		})
	}
}

func TestEveryTypeReadsBackAsConverted(t *testing.T) {
	dsn := testenv.Postgres(t)
	testenv.DjangoTables(t, dsn)
	db := testenv.DB(t, dsn)
	values := map[string]string{"c_int": "42", "c_small": "-7", "c_float": "0.1", "c_num": "12.50", "c_bare": "1000.001", "c_date": "18151210", "c_tz": "20261123034633.123456Z",
		"c_ts": "2026-11-23 03:46:33", "c_uuid": "{0123ABCD-0000-1000-8000-00805F9B34FB}", "c_text": "é\n", "c_char": "ab", "c_flag": "TRUE"}
	types := map[string]string{"c_int": "bigint", "c_small": "smallint", "c_float": "double precision", "c_num": "numeric(8,3)", "c_bare": "numeric", "c_date": "date",
		"c_tz": "timestamptz", "c_ts": "timestamp", "c_uuid": "uuid", "c_text": "text", "c_char": "char(4)", "c_flag": "boolean"}
	s := settings()
	for name, typ := range types {
		db.Exec("ALTER TABLE auth_user ADD " + name + " " + typ)
		s.Users.Columns = append(s.Users.Columns, name)
	}
	e := open(t, dsn, s)
	full, empty := newUser("full"), newUser("empty")
	full.Values, empty.Values = nil, nil
	for _, c := range e.store.Users().Columns {
		for _, row := range []*applier.Change{&full, &empty} {
			var in any
			if text, ok := values[c.Name]; ok && row == &full {
				in = text
			} else if !ok && c.Type == django.Bool {
				in = true
			} else if !ok {
				in = row.Name
			}
			v, err := e.store.Users().Convert(c.Name, in)
			if err != nil {
				t.Fatal(err)
			}
			row.Values = append(row.Values, v)
		}
	}
	made := e.write(proto.KindUser, full, empty)
	check := func() {
		t.Helper()
		for _, c := range made {
			e.view(func(ctx context.Context, r applier.Reader) error {
				rows, err := r.Rows(ctx, proto.KindUser, []string{c.PK})
				if err != nil || len(rows) != 1 {
					t.Fatalf("Rows: %v, %v", rows, err)
				}
				for i, column := range e.store.Users().Columns {
					if rows[0].Values[i] != c.Values[i] {
						t.Errorf("%s of %s: %#v, want %#v", column.Name, c.Name, rows[0].Values[i], c.Values[i])
					}
				}
				return nil
			})
		}
	}
	check()
	for i := range made {
		made[i].Action, made[i].Set = applier.Update, []int{}
		for j := 1; j < len(made[i].Values); j++ {
			made[i].Set = append(made[i].Set, j)
		}
	}
	made[0].Values, made[1].Values = append([]any{made[0].Values[0]}, made[1].Values[1:]...), append([]any{made[1].Values[0]}, made[0].Values[1:]...)
	e.write(proto.KindUser, made...)
	check()
}

func TestLockedRowsAreTriedAgain(t *testing.T) {
	e := site(t)
	made := e.write(proto.KindUser, newUser("ada"))
	e.store.cfg.LockTimeout = 50 * time.Millisecond
	tx, err := e.store.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SELECT FROM auth_user FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	tries := 0
	e.update(func(ctx context.Context, w applier.Tx) error {
		if tries++; tries == 2 {
			if err := tx.Commit(ctx); err != nil {
				return err
			}
		}
		c := made[0]
		c.Values = append([]any{c.Values[0], "Changed"}, c.Values[2:]...)
		return w.Write(ctx, proto.KindUser, []applier.Change{update(c, 1)})
	})
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
	e.wantText("Changed", "SELECT first_name FROM auth_user")
}

func TestOfTwoAppliersOneMoves(t *testing.T) {
	e := site(t)
	at := func(n uint64) applier.Checkpoint {
		return applier.Checkpoint{Source: "corp", StreamID: "x", Sequence: n, Mode: "live"}
	}
	e.update(func(ctx context.Context, tx applier.Tx) error { return tx.Advance(ctx, nil, at(1)) })
	one := at(1)
	runs := 0
	err := e.store.Update(t.Context(), func(tx applier.Tx) error {
		runs++
		if _, err := tx.Links(t.Context(), "corp", proto.KindUser, []string{"x"}); err != nil {
			return err
		}
		if runs == 1 {
			e.update(func(ctx context.Context, rival applier.Tx) error { return rival.Advance(ctx, &one, at(5)) })
		}
		return tx.Advance(t.Context(), &one, at(2))
	})
	if !errors.Is(err, applier.ErrMoved) {
		t.Errorf("want ErrMoved, got %v", err)
	}
	if n, err := e.store.Position(t.Context(), "corp"); n != 5 || err != nil {
		t.Errorf("position %d, %v", n, err)
	}
}

// Projects do so for a group of everybody.
func TestATriggerMayGiveNewUsersAGroup(t *testing.T) {
	e := site(t)
	e.write(proto.KindGroup, first(newGroup("staff")))
	e.db.Exec(`CREATE FUNCTION everybody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO auth_user_groups (user_id, group_id) SELECT NEW.id, id FROM auth_group WHERE name = 'staff'; RETURN NEW; END $$`)
	e.db.Exec(`CREATE TRIGGER everybody AFTER INSERT ON auth_user FOR EACH ROW EXECUTE FUNCTION everybody()`)
	c := first(newUser("ada"))
	pk := e.db.Text("SELECT id FROM auth_group WHERE name = 'staff'")
	c.Join = []string{strings.TrimSpace(pk)}
	err := e.store.Update(t.Context(), func(tx applier.Tx) error { return tx.Write(t.Context(), proto.KindUser, []applier.Change{c}) })
	if err != nil {
		t.Fatal(err)
	}
	e.wantText("1", "SELECT count(*) FROM auth_user_groups")
	e.wantText("0", "SELECT count(*) FROM ldapsync.membership") // sync didn't make it, and won't take it
}
