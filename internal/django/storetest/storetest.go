package storetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// Store is what the suite tries.
type Store interface {
	applier.Store
	callbacks.Accounts
	callbacks.Restorer
	HeldRows(context.Context) ([]applier.Held, error)
	DecideHeld(ctx context.Context, hash string, d applier.Decision, by, why string) (bool, error)
	Orphans(context.Context) iter.Seq2[django.Orphan, error]
	Profiles(ctx context.Context, source string, kind proto.Kind, ids []string) ([]django.Profile, error)
	Forget(ctx context.Context, source, id string) (django.Forgotten, error)
	Users() *django.Table
	Groups() *django.Table
	Migrate(context.Context) error
	Migrated(context.Context) (bool, error)
	// Refresh makes Named see what was renamed behind the store's back.
	Refresh()
	// The commands' view of letters.
	Letters(context.Context, django.LetterFilter, int) ([]django.Letter, error)
	DropLetters(context.Context, django.LetterFilter) (int, error)
	RetryLetters(context.Context, django.LetterFilter) (int, error)
	Stats(context.Context) ([]django.Stats, error)
	Outbox(ctx context.Context, limit int) ([]proto.Unpublished, error)
	DropOutbox(ctx context.Context, published proto.Unpublished) error
	OutboxOf(ctx context.Context, source, id string) ([]proto.Unpublished, error)
	ForgetOutbox(ctx context.Context, source, id string) (int64, error)
	Close() error
}

// DB changes and reads the database behind the store's back. Placeholders are $1, $2, …; testenv.Database is one.
type DB interface {
	Exec(statement string, args ...any) int64
	// Text returns rows as lines, their values separated by " | ".
	Text(query string, args ...any) string
}

// Env is a fresh database with the tables of Django's auth and admin, and none of ldapsync's.
type Env struct {
	// Open opens the database, as another process would. The test closes it.
	Open func(*testing.T, django.Settings) (Store, error)
	DB   DB
}

// Settings are those that the store is opened with.
func Settings() django.Settings {
	return django.Settings{
		Users:  django.Users{Columns: []string{"first_name", "last_name", "email", "is_staff", "last_login"}},
		Groups: django.Groups{Membership: true, Delete: true},
	}
}

// source is the source of everything, unless a test says otherwise.
const source = "corp"

// Run tries everything, each case in a database of its own.
func Run(t *testing.T, env func(*testing.T) Env) {
	for _, group := range []map[string]func(*suite){
		schemaCases, checkpointCases, linkCases, rowCases, renameCases, nameCases, memberCases, letterCases, refusalCases,
		dueCases, deactivateCases, deleteCases, missingCases, restoreCases, laterCases, referenceCases, peopleCases, heldCases, forgetCases,
		outcomeCases, scanCases,
	} {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			try := group[name]
			t.Run(name, func(t *testing.T) {
				s := &suite{T: t, Env: env(t)}
				s.Store = s.open()
				if err := s.Store.Migrate(s.Context()); err != nil {
					t.Fatal(err)
				}
				try(s)
			})
		}
	}
	runPoor(t, env)
	for name, try := range bareCases {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, Env: env(t)}
			s.Store = s.open()
			try(s)
		})
	}
}

// suite is one case's database, and the words that cases are told in.
type suite struct {
	*testing.T
	Env
	Store Store
}

// open opens the database once more; the test's end closes it.
func (s *suite) open() Store {
	s.Helper()
	return s.openWith(Settings())
}

func (s *suite) openWith(settings django.Settings) Store {
	s.Helper()
	store, err := s.Open(s.T, settings)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return store
}

// update runs fn in one transaction, which must succeed.
func (s *suite) update(fn func(applier.Tx) error) {
	s.Helper()
	if err := s.Store.Update(s.Context(), fn); err != nil {
		s.Fatalf("update: %v", err)
	}
}

// view runs fn, which must succeed.
func (s *suite) view(fn func(applier.Reader) error) {
	s.Helper()
	if err := s.Store.View(s.Context(), fn); err != nil {
		s.Fatalf("view: %v", err)
	}
}

// write writes changes in one transaction. It returns them as Write left them.
func (s *suite) write(kind proto.Kind, changes ...applier.Change) []applier.Change {
	s.Helper()
	s.update(func(tx applier.Tx) error { return tx.Write(s.Context(), kind, changes) })
	return changes
}

// table is the table of a kind.
func (s *suite) table(kind proto.Kind) *django.Table {
	if kind == proto.KindGroup {
		return s.Store.Groups()
	}
	return s.Store.Users()
}

// values is a row's values: those given, and Keep.
func (s *suite) values(kind proto.Kind, given map[string]any) []any {
	s.Helper()
	t := s.table(kind)
	values := make([]any, len(t.Columns))
	for i := range values {
		values[i] = applier.Keep{}
	}
	for column, v := range given {
		i := t.Index(column)
		if i < 0 {
			s.Fatalf("no column %s in %v", column, t.ColumnNames())
		}
		values[i] = v
	}
	return values
}

// link is a link as the applier would write it.
func link(kind proto.Kind, id, pk, name string) *applier.Link {
	return &applier.Link{
		Source: source, Kind: kind, ID: id, PK: pk, DN: "cn=" + id + ",dc=example", Name: applier.Fold(name), State: applier.Present,
		Digest: proto.Digest{1, 2, 3}, Mapping: "m1", Sequence: 7, How: applier.Created,
	}
}

// create is a change that makes a row.
func (s *suite) create(kind proto.Kind, id, name string, given map[string]any) applier.Change {
	s.Helper()
	all := map[string]any{s.table(kind).NameColumn().Name: name}
	for column, v := range given {
		all[column] = v
	}
	l := link(kind, id, "", name)
	return applier.Change{Action: applier.Create, Source: source, ID: id, DN: l.DN, Name: name, Values: s.values(kind, all), Link: l, NewLink: true}
}

// set is a change that writes columns of a row that is there.
func (s *suite) set(kind proto.Kind, id, pk string, given map[string]any) applier.Change {
	s.Helper()
	t := s.table(kind)
	c := applier.Change{Action: applier.Update, Source: source, ID: id, PK: pk, Values: s.values(kind, given)}
	for i, v := range c.Values {
		if _, keep := v.(applier.Keep); !keep {
			c.Set = append(c.Set, i)
		}
	}
	if name, ok := given[t.NameColumn().Name].(string); ok {
		c.Name, c.Rename = name, true
		c.Link = link(kind, id, pk, name)
	}
	return c
}

// hire makes users with these names, whose ids are their names, and returns their primary keys.
func (s *suite) hire(names ...string) map[string]string {
	s.Helper()
	return s.make(proto.KindUser, names)
}

// found makes groups likewise.
func (s *suite) found(names ...string) map[string]string {
	s.Helper()
	return s.make(proto.KindGroup, names)
}

func (s *suite) make(kind proto.Kind, names []string) map[string]string {
	s.Helper()
	var changes []applier.Change
	for _, name := range names {
		changes = append(changes, s.create(kind, name, name, nil))
	}
	pks := map[string]string{}
	for _, c := range s.write(kind, changes...) {
		pks[c.ID] = c.PK
	}
	return pks
}

// byHand makes a user without a link, as an administrator would, and returns the primary key.
func (s *suite) byHand(username string, superuser, active bool) string {
	s.Helper()
	word := map[bool]string{true: "TRUE", false: "FALSE"}
	s.DB.Exec(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
		VALUES ('x', `+word[superuser]+`, $1, '', '', '', FALSE, `+word[active]+`, '2024-01-02 03:04:05')`, username)
	return s.pk("auth_user", "username", username)
}

func (s *suite) pk(table, column, value string) string {
	s.Helper()
	return strings.TrimSpace(s.DB.Text("SELECT id FROM "+table+" WHERE "+column+" = $1", value))
}

// links reads links by their ids.
func (s *suite) links(kind proto.Kind, ids ...string) map[string]applier.Link {
	s.Helper()
	found := map[string]applier.Link{}
	s.view(func(r applier.Reader) error {
		links, err := r.Links(s.Context(), source, kind, ids)
		for _, l := range links {
			if _, twice := found[l.ID]; twice {
				s.Errorf("link %s came twice", l.ID)
			}
			found[l.ID] = l
		}
		return err
	})
	return found
}

// want compares lines that the database gives with those wanted.
func (s *suite) want(query string, lines ...string) {
	s.Helper()
	got := strings.TrimSuffix(s.DB.Text(query), "\n")
	if want := strings.Join(lines, "\n"); got != want {
		s.Errorf("%s\n got: %q\nwant: %q", query, got, want)
	}
}

// day is a time that is told apart to the microsecond.
var day = time.Date(2026, 3, 4, 5, 6, 7, 890123000, time.UTC)
