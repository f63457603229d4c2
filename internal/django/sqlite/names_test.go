package sqlite_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

func named(t *testing.T, s *sqlite.Store, names ...string) string {
	t.Helper()
	var found []string
	err := s.View(t.Context(), func(r applier.Reader) error {
		rows, err := r.Named(t.Context(), proto.KindUser, names)
		for _, row := range rows {
			found = append(found, row.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, " ")
}

// The table isn't looked through for each call: only rows that are new since are read.
func TestNamesAreReadOnce(t *testing.T) {
	s, path := migrated(t)
	db := testenv.DB(t, path)
	byHand := func(name string) {
		db.Exec(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
			VALUES ('x', 0, $1, '', '', '', 0, 1, '2024-01-02 03:04:05')`, name)
	}
	byHand("Ada")
	if got := named(t, s, "ADA"); got != "Ada" {
		t.Errorf("the first time: %q", got)
	}
	db.Exec("UPDATE auth_user SET username = 'Eve'")
	byHand("Bob")
	if got := named(t, s, "EVE", "BOB"); got != "Bob" {
		t.Errorf("the second time: %q; only what is new is read", got)
	}
	s.Refresh()
	if got := named(t, s, "ADA", "EVE"); got != "Eve" {
		t.Errorf("after Refresh: %q", got)
	}
}

func TestNamesAreAskedWhileOthersWrite(t *testing.T) {
	s, _ := migrated(t)
	const n = 20
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			name := fmt.Sprint("User", i)
			undone := errors.New("undone")
			err := s.Update(t.Context(), func(tx applier.Tx) error {
				err := tx.Write(t.Context(), proto.KindUser, []applier.Change{create(proto.KindUser, name, name, "", "", "", false, nil, true)})
				if _, err2 := tx.Named(t.Context(), proto.KindUser, []string{name}); err != nil || err2 != nil {
					return errors.Join(err, err2)
				}
				if i%2 == 1 {
					return undone
				}
				return nil
			})
			if err != nil && !errors.Is(err, undone) {
				t.Error(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for i := range n {
				err := s.View(t.Context(), func(r applier.Reader) error {
					_, err := r.Named(t.Context(), proto.KindUser, []string{fmt.Sprint("user", i)})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range n {
		want := ""
		if i%2 == 0 {
			want = fmt.Sprint("User", i)
		}
		if got := named(t, s, fmt.Sprint("USER", i)); got != want {
			t.Errorf("user %d: %q, want %q", i, got, want)
		}
	}
}

// Who asks for names waits for a writer to finish before others wait for the answer: the writer may be waiting for one of those.
func TestNamesAreAskedWhileAWriterWaits(t *testing.T) {
	path := fresh(t)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings(), BusyTimeout: 5 * time.Second})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	writer, onlooker := raw(t, path), raw(t, path)
	exec(t, writer, "PRAGMA busy_timeout=5000")
	written, asked := make(chan error, 1), make(chan error, 1)
	ask := func(r applier.Reader) error {
		_, err := r.Named(t.Context(), proto.KindUser, []string{"ada"})
		return err
	}
	err := s.View(t.Context(), func(r applier.Reader) error {
		if _, err := r.HeldRows(t.Context()); err != nil {
			return err
		}
		go func() {
			_, err := writer.Exec("INSERT INTO auth_group (name) VALUES ('ada')")
			written <- err
		}()
		for { // until it waits for this transaction's end
			if _, err := onlooker.Exec("SELECT 1 FROM auth_group"); err != nil {
				break
			}
		}
		go func() { asked <- s.View(t.Context(), ask) }()
		time.Sleep(100 * time.Millisecond) // nothing tells that it has begun to wait
		return ask(r)
	})
	if err := errors.Join(err, <-written, <-asked); err != nil {
		t.Error(err)
	}
}
