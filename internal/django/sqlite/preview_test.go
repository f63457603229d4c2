package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"ldapsync/applier"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/django/storetest"
	"ldapsync/proto"
)

// crowd makes n users that are applied, "user1" and so on, without digests: every one of them is compared when she comes.
func crowd(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `
	exec(t, db, fmt.Sprintf(`INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined) `+
		numbers+`SELECT i, 'user' || i, '!', 0, '', '', 'old@x', 0, 1, '2026-01-01' FROM n`, n))
	exec(t, db, fmt.Sprintf(`INSERT INTO ldapsync_link (source, kind, id, pk, dn, name, state, digest, mapping, seq, how) `+
		numbers+`SELECT 'corp', 'user', 'id-' || i, i, 'uid=user' || i, 'user' || i, 'present', x'00000000000000000000000000000000', '', 1, 'created' FROM n`, n))
}

// come is the event of users from to to, the last of whom is new.
func come(t *testing.T, from, to int) proto.Event {
	t.Helper()
	m := &proto.UserUpserted{DigestVersion: proto.DigestVersion}
	for i := from; i <= to; i++ {
		id, name := fmt.Sprintf("id-%d", i), fmt.Sprintf("user%d", i)
		if i == to {
			id, name = "new-"+id, "new"+name
		}
		u := &proto.User{Id: id, Dn: "uid=" + name, Attributes: []*proto.Attribute{{Name: "uid", Values: []string{name}}, {Name: "mail", Values: []string{"new@x"}}}}
		d := proto.DigestUser(u)
		m.Ids, m.Digests, m.Users = append(m.Ids, u.Id), append(m.Digests, d[:]...), append(m.Users, u)
	}
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		t.Fatal(err)
	}
	return proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data}
}

func previewer(t *testing.T, s *sqlite.Store) *applier.Applier {
	t.Helper()
	users, err := applier.NewMapping(s.Users(), []applier.Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		t.Fatal(err)
	}
	return applier.New(applier.Config{Target: "default", Source: "corp", Users: users, BatchEntries: 500}, s, nil)
}

// While a long plan is made an application can write, between any two batches and without waiting for its end.
func TestAnApplicationWritesDuringAPreview(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			s, path := migrated(t)
			application := raw(t, path)
			exec(t, application, "PRAGMA journal_mode="+mode)
			exec(t, application, "PRAGMA busy_timeout=0")
			crowd(t, application, 2000)
			sum, err := previewer(t, s).Preview(t.Context(), func(apply func(proto.Event) error) error {
				for from := 1; from < 2000; from += 500 {
					if err := apply(come(t, from, from+499)); err != nil {
						return err
					}
					if _, err := application.Exec(`UPDATE auth_user SET last_name = last_name || 'x'`); err != nil {
						return fmt.Errorf("the application can't write: %w", err)
					}
				}
				return nil
			}, nil)
			if err != nil || sum.Users.Updated != 1996 || sum.Users.Created != 4 {
				t.Errorf("%+v, %v", sum.Users, err)
			}
		})
	}
}

// A plan for many takes long, and keeps nobody waiting for more than a second.
func TestNobodyWaitsForAPreviewOfMany(t *testing.T) {
	const n = 10_000
	_, path := migrated(t)
	s := open(t, sqlite.Config{Path: path, Settings: storetest.Settings()})
	application := raw(t, path)
	exec(t, application, "PRAGMA journal_mode=DELETE")
	crowd(t, application, n)
	exec(t, application, "PRAGMA busy_timeout=1000")
	turns := make(chan int, n/500) // one for each batch: a write while the next one is planned
	written := make(chan error, 1)
	go func() {
		for turn := range turns {
			if _, err := application.Exec(`UPDATE auth_user SET last_name = 'x' WHERE id = ?`, 1+turn); err != nil {
				written <- fmt.Errorf("write %d: %w", turn, err)
				return
			}
		}
		written <- nil
	}()
	_, err := previewer(t, s).Preview(t.Context(), func(apply func(proto.Event) error) error {
		for from := 1; from < n; from += 500 {
			turns <- from
			if err := apply(come(t, from, from+499)); err != nil {
				close(turns)
				return errors.Join(err, <-written)
			}
		}
		close(turns)
		return <-written // before the plan ends
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

// An applier that moves on while a plan is made spoils it: whoever makes it is told.
func TestAPreviewIsToldThatAnotherMovedOn(t *testing.T) {
	s, path := migrated(t)
	application := raw(t, path)
	crowd(t, application, 10)
	moved := func() error {
		return s.Update(t.Context(), func(tx applier.Tx) error {
			return tx.Advance(t.Context(), nil, applier.Checkpoint{Source: "corp", StreamID: "s", Sequence: 1, Mode: "live"})
		})
	}
	_, err := previewer(t, s).Preview(t.Context(), func(apply func(proto.Event) error) error {
		return errors.Join(apply(come(t, 1, 10)), moved())
	}, nil)
	if !errors.Is(err, applier.ErrMoved) {
		t.Errorf("err = %v", err)
	}
	if _, err := previewer(t, s).Preview(t.Context(), func(func(proto.Event) error) error { return nil }, nil); err != nil {
		t.Error(err)
	}
}
