package sqlite

import (
	"cmp"
	"context"
	"slices"

	"ldapsync/internal/django"
	"ldapsync/proto"
)

const letterFilter = ` WHERE (?1 = '' OR source = ?1) AND (?2 = '' OR kind = ?2) AND (?3 = '' OR id = ?3) AND (?4 = '' OR stage = ?4)`

// Letters returns the dead letters and parked entries, the oldest first; with limit above 0 at most as many.
func (s *Store) Letters(ctx context.Context, f django.LetterFilter, limit int) ([]django.Letter, error) {
	if limit <= 0 {
		limit = -1
	}
	var list []django.Letter
	err := s.viewOwn(ctx, func(c *conn) error {
		return c.each(ctx, func(scan func(...any) error) error {
			l, err := scanLetter(scan)
			list = append(list, l)
			return err
		}, `SELECT source, kind, id, stage, dn, name, parked, reason, seq, attempts, since, next_at, entry FROM ldapsync_letter`+letterFilter+`
			ORDER BY since, source, kind, id, stage LIMIT ?5`, f.Source, f.Kind, f.ID, f.Stage, limit)
	})
	return list, err
}

func scanLetter(scan func(...any) error) (django.Letter, error) {
	var l django.Letter
	var seq int64
	var since string
	var next *string
	err := scan(&l.Source, &l.Kind, &l.ID, &l.Stage, &l.DN, &l.Name, &l.Parked, &l.Reason, &seq, &l.Attempts, &since, &next, &l.Entry)
	if err != nil {
		return l, wrap(err)
	}
	l.Sequence = uint64(seq)
	if l.Since, err = parseTime(since); err == nil && next != nil {
		l.NextAt, err = parseTime(*next)
	}
	return l, err
}

// DropLetters deletes the letters that f selects, and returns how many. Their entries are tried again only when the directory changes them.
func (s *Store) DropLetters(ctx context.Context, f django.LetterFilter) (int, error) {
	return s.changeLetters(ctx, `DELETE FROM ldapsync_letter`+letterFilter, f.Source, f.Kind, f.ID, f.Stage)
}

// RetryLetters makes the letters that f selects due at once, and returns how many. Those of the applier are tried at the end of the next pass
// anyway.
func (s *Store) RetryLetters(ctx context.Context, f django.LetterFilter) (int, error) {
	return s.changeLetters(ctx, `UPDATE ldapsync_letter SET next_at = ?5, reason = `+dueAgain+letterFilter, f.Source, f.Kind, f.ID, f.Stage, timeText(s.cfg.Now()))
}

// dueAgain takes away the beginning by which the applier knows a letter that it needn't try at each pass.
const dueAgain = `CASE WHEN stage = 'apply' AND reason NOT LIKE 'due again: %' THEN 'due again: ' || reason ELSE reason END`

func (s *Store) changeLetters(ctx context.Context, statement string, args ...any) (n int, err error) {
	err = s.updateOwn(ctx, func(c *conn) error {
		changed, _, err := c.run(ctx, statement, args...)
		n = int(changed)
		return err
	})
	return n, err
}

// Stats counts what the target holds of each source, by the source's name.
func (s *Store) Stats(ctx context.Context) ([]django.Stats, error) {
	stats := map[string]*django.Stats{}
	of := func(source string) *django.Stats {
		if stats[source] == nil {
			stats[source] = &django.Stats{Source: source, Users: map[string]int64{}, Groups: map[string]int64{}}
		}
		return stats[source]
	}
	err := s.viewOwn(ctx, func(c *conn) error { return countAll(ctx, c, of) })
	if err != nil {
		return nil, err
	}
	list := make([]django.Stats, 0, len(stats))
	for _, st := range stats {
		list = append(list, *st)
	}
	slices.SortFunc(list, func(a, b django.Stats) int { return cmp.Compare(a.Source, b.Source) })
	return list, nil
}

func countAll(ctx context.Context, c *conn, of func(string) *django.Stats) error {
	for _, count := range []struct {
		query string // gives source, two texts, a number
		note  func(st *django.Stats, a, b string, n int64)
	}{
		{`SELECT source, stream_id, mode, seq FROM ldapsync_checkpoint`, func(st *django.Stats, a, b string, n int64) {
			st.StreamID, st.Mode, st.Sequence = a, b, uint64(n)
		}},
		{`SELECT source, kind, state, count(*) FROM ldapsync_link GROUP BY 1, 2, 3`, func(st *django.Stats, a, b string, n int64) {
			if proto.Kind(a) == proto.KindUser {
				st.Users[b] = n
			} else {
				st.Groups[b] = n
			}
		}},
		{`SELECT source, CASE WHEN stage <> 'apply' THEN 'retrying' WHEN parked THEN 'parked' ELSE 'dead' END AS what, '', count(*)
			FROM ldapsync_letter GROUP BY source, what`, func(st *django.Stats, a, _ string, n int64) {
			switch a {
			case "retrying":
				st.Retrying = n
			case "parked":
				st.Parked = n
			default:
				st.Dead = n
			}
		}},
		{`SELECT source, '', '', count(*) FROM ldapsync_pending_membership GROUP BY source`, func(st *django.Stats, _, _ string, n int64) {
			st.Pending = n
		}},
	} {
		err := c.each(ctx, func(scan func(...any) error) error {
			var source, a, b string
			var n int64
			if err := scan(&source, &a, &b, &n); err != nil {
				return wrap(err)
			}
			count.note(of(source), a, b, n)
			return nil
		}, count.query)
		if err != nil {
			return err
		}
	}
	return nil
}
