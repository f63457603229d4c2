package postgres

import (
	"context"
	"fmt"
	"testing"

	"ldapsync/applier"
	"ldapsync/internal/testenv"
	"ldapsync/proto"
)

const benchBatch = 5000

// benchSite is a site with n users in it, and the users' changes.
func benchSite(b *testing.B, n int) (*Store, []applier.Change) {
	b.Helper()
	dsn := testenv.Postgres(b)
	testenv.DjangoTables(b, dsn)
	s, err := Open(b.Context(), Config{DSN: dsn, Settings: settings()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	list := users(n)
	load(b, s, list)
	if _, err := s.pool.Exec(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
	return s, list
}

// load does what an applier does for new users: links, names, then the rows.
func load(b *testing.B, s *Store, list []applier.Change) {
	b.Helper()
	for at := 0; at < len(list); at += benchBatch {
		batch := list[at:min(at+benchBatch, len(list))]
		ids := make([]string, len(batch))
		for i, c := range batch {
			ids[i] = c.ID
		}
		if err := s.Update(b.Context(), func(tx applier.Tx) error {
			if _, err := tx.Links(b.Context(), "corp", proto.KindUser, ids); err != nil {
				return err
			}
			if _, err := tx.Named(b.Context(), proto.KindUser, ids); err != nil {
				return err
			}
			return tx.Savepoint(b.Context(), func() error { return tx.Write(b.Context(), proto.KindUser, batch) })
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func perUser(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

func BenchmarkNewUsers(b *testing.B) {
	s, _ := benchSite(b, 0)
	const n = 20_000
	list := users(n)
	run := 0
	for b.Loop() {
		run++
		for i := range list {
			name := fmt.Sprintf("run%d-%s", run, list[i].Name)
			list[i].ID, list[i].Name = name, name
			list[i].Link.ID, list[i].Link.Name = name, name
			list[i].Values[0] = name
		}
		load(b, s, list)
	}
	perUser(b, n)
}

func BenchmarkUnchangedUsers(b *testing.B) {
	const n = 20_000
	s, list := benchSite(b, n)
	b.ResetTimer()
	for b.Loop() {
		for at := 0; at < n; at += benchBatch {
			ids := make([]string, benchBatch)
			for i, c := range list[at : at+benchBatch] {
				ids[i] = c.ID
			}
			if err := s.Update(b.Context(), func(tx applier.Tx) error {
				links, err := tx.Links(b.Context(), "corp", proto.KindUser, ids)
				if err == nil && len(links) != len(ids) {
					err = fmt.Errorf("%d links", len(links))
				}
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	perUser(b, n)
}

func BenchmarkChangedUsers(b *testing.B) {
	const n = 20_000
	s, list := benchSite(b, n)
	run := 0
	b.ResetTimer()
	for b.Loop() {
		run++
		for at := 0; at < n; at += benchBatch {
			batch := list[at : at+benchBatch]
			ids, pks := make([]string, benchBatch), make([]string, benchBatch)
			for i := range batch {
				ids[i], pks[i] = batch[i].ID, batch[i].PK
				batch[i] = update(batch[i], 2)
				batch[i].Values[2] = fmt.Sprint("Last", run)
			}
			err := s.Update(b.Context(), func(tx applier.Tx) error { return change(b.Context(), tx, ids, pks, batch) })
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	perUser(b, n)
}

func change(ctx context.Context, tx applier.Tx, ids, pks []string, batch []applier.Change) error {
	if _, err := tx.Links(ctx, "corp", proto.KindUser, ids); err != nil {
		return err
	}
	if _, err := tx.Rows(ctx, proto.KindUser, pks); err != nil {
		return err
	}
	return tx.Savepoint(ctx, func() error { return tx.Write(ctx, proto.KindUser, batch) })
}

func BenchmarkMemberships(b *testing.B) {
	const n = 10_000
	s, list := benchSite(b, n)
	groups := []applier.Change{newGroup("staff")}
	if err := s.Update(b.Context(), func(tx applier.Tx) error { return tx.Write(b.Context(), proto.KindGroup, groups) }); err != nil {
		b.Fatal(err)
	}
	run := 0
	b.ResetTimer()
	for b.Loop() {
		run++
		for at := 0; at < n; at += benchBatch {
			batch := list[at : at+benchBatch]
			pks := make([]string, benchBatch)
			for i := range batch {
				pks[i] = batch[i].PK
				batch[i] = update(batch[i])
				batch[i].Join, batch[i].Leave = []string{groups[0].PK}, nil
				if run%2 == 0 {
					batch[i].Join, batch[i].Leave = nil, batch[i].Join
				}
			}
			if err := s.Update(b.Context(), func(tx applier.Tx) error {
				if _, err := tx.Memberships(b.Context(), "corp", pks); err != nil {
					return err
				}
				return tx.Write(b.Context(), proto.KindUser, batch)
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
	perUser(b, n)
}
