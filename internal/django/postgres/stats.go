package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

// Stats counts what the target holds of each source, by the source's name.
func (s *Store) Stats(ctx context.Context) ([]django.Stats, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	stats := map[string]*django.Stats{}
	of := func(source string) *django.Stats {
		if stats[source] == nil {
			stats[source] = &django.Stats{Source: source, Users: map[string]int64{}, Groups: map[string]int64{}}
		}
		return stats[source]
	}
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return countAll(ctx, tx, of)
	})
	if err != nil {
		return nil, s.fault(err)
	}
	list := make([]django.Stats, 0, len(stats))
	for _, st := range stats {
		list = append(list, *st)
	}
	slices.SortFunc(list, func(a, b django.Stats) int { return cmp.Compare(a.Source, b.Source) })
	return list, nil
}

func countAll(ctx context.Context, db querier, of func(string) *django.Stats) error {
	var source, a, b string
	var n int64
	count := func(query string, note func()) error {
		rows, err := db.Query(ctx, query)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&source, &a, &b, &n}, func() error {
			note()
			return nil
		})
		return err
	}
	for query, note := range map[string]func(){
		"SELECT source, stream_id, mode, seq FROM ldapsync.checkpoint": func() {
			st := of(source)
			st.StreamID, st.Mode, st.Sequence = a, b, uint64(n)
		},
		"SELECT source, kind, state, count(*) FROM ldapsync.link GROUP BY 1, 2, 3": func() {
			if a == string(proto.KindUser) {
				of(source).Users[b] += n
			} else {
				of(source).Groups[b] += n
			}
		},
		"SELECT source, CASE WHEN stage <> 'apply' THEN 'retrying' WHEN parked THEN 'parked' ELSE 'dead' END, '', count(*) FROM ldapsync.letter GROUP BY 1, 2": func() {
			switch st := of(source); a {
			case "retrying":
				st.Retrying = n
			case "parked":
				st.Parked = n
			default:
				st.Dead = n
			}
		},
		"SELECT source, '', '', count(*) FROM ldapsync.pending_membership GROUP BY 1": func() { of(source).Pending = n },
	} {
		if err := count(query, note); err != nil {
			return err
		}
	}
	return nil
}
