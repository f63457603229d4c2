package sqlite

import (
	"context"
	"fmt"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// states is the condition for the states of a link l on which a callback acts. One whose row was deleted isn't gone any more.
func states(q callbacks.DueQuery) string {
	if q.Missing && q.Callback == callbacks.Deactivate {
		return "l.state IN ('missing', 'gone')"
	}
	return "l.state = 'gone'"
}

// unhandled is the condition under which a link l of such a state, with its row u, needs a callback.
func (s *Store) unhandled(q callbacks.DueQuery) string {
	if q.Callback != callbacks.Delete {
		return "l.deactivated_by = ''"
	}
	active := s.tables[proto.KindUser].activeOf("u")
	if q.After <= 0 {
		return "l.deactivated_by <> 'restored' AND NOT (l.deactivated_by = 'sync' AND " + active + ")"
	}
	return "NOT " + active + " AND " + bySync + " AND l.deactivated_at <= '" + s.longAgo(q.After) + "'"
}

// bySync tells whether sync deactivated the account of link l: the callback, or the source's rule before.
const bySync = `(l.deactivated_by = 'sync' OR l.deactivated_by = 'other' AND l.active_written = 0)`

// longAgo is the text of a time so long ago, by the clock of the file's host, which is this one.
func (s *Store) longAgo(after time.Duration) string { return timeText(s.cfg.Now().Add(-after)) }

// withRow is the beginning of queries for links l with their rows u.
func (s *Store) withRow() string {
	t := s.tables[proto.KindUser]
	return ` FROM ldapsync_link AS l LEFT JOIN ` + t.name + ` AS u ON l.pk <> '' AND u.` + t.key + ` = ` + keySQL(t.Key, "l.pk")
}

// Due reads the links that the callback hasn't handled. A note of an earlier removal counts for nothing. One with a note is due until an
// attempt settles that: it may need nothing any more, because a person did something.
func (s *Store) Due(ctx context.Context, q callbacks.DueQuery) ([]callbacks.Account, error) {
	t := s.tables[proto.KindUser]
	var due []callbacks.Account
	err := s.viewOwn(ctx, func(c *conn) error {
		return c.each(ctx, func(scan func(...any) error) error {
			var a callbacks.Account
			var goneSeq int64
			err := scan(&a.Source, &a.ID, &a.PK, &a.DN, &goneSeq, &a.Reason, &a.Username, &a.Attempts)
			a.GoneSequence = uint64(goneSeq)
			due = append(due, a)
			return wrap(err)
		}, `SELECT l.source, l.id, l.pk, l.dn, l.gone_seq, l.gone_reason, coalesce(u.`+t.columns[0]+`, ''), coalesce(n.attempts, 0)`+s.withRow()+`
			LEFT JOIN ldapsync_letter AS n ON n.source = l.source AND n.kind = 'user' AND n.id = l.id AND n.stage = ?1 AND n.seq = l.gone_seq
			WHERE l.kind = 'user' AND l.state IN ('missing', 'gone') AND (l.source, l.id) > (?2, ?3)
				AND `+states(q)+` AND (`+s.unhandled(q)+` OR n.seq IS NOT NULL) AND (n.next_at IS NULL OR n.next_at <= ?4)
			ORDER BY l.source, l.id LIMIT ?5`, q.Callback, q.Behind.Source, q.Behind.ID, timeText(q.Now), q.Limit)
	})
	return due, err
}

// NextDue looks only at accounts that are still gone as they were when the callback failed.
func (s *Store) NextDue(ctx context.Context, q callbacks.DueQuery) (time.Time, error) {
	var next time.Time
	err := s.viewOwn(ctx, func(c *conn) error {
		var text *string
		_, err := c.one(ctx, []any{&text}, `SELECT min(n.next_at) FROM ldapsync_link AS l JOIN ldapsync_letter AS n ON l.source = n.source AND l.kind = n.kind AND l.id = n.id AND l.gone_seq = n.seq
			WHERE n.stage = ? AND l.state IN ('missing', 'gone') AND `+states(q), q.Callback)
		if err == nil && text != nil {
			next, err = parseTime(*text)
		}
		return err
	})
	return next, err
}

// Fail counts the attempts at one removal; those at an earlier one are forgotten.
func (s *Store) Fail(ctx context.Context, callback string, a callbacks.Account, reason string, next time.Time) error {
	return s.updateOwn(ctx, func(c *conn) error {
		now := s.cfg.Now()
		err := c.exec(ctx, `INSERT INTO ldapsync_letter (source, kind, id, stage, dn, parked, name, reason, seq, since, attempts, next_at)
			VALUES (?, 'user', ?, ?, ?, 0, ?, ?, ?, ?, 1, ?) ON CONFLICT (source, kind, id, stage) DO UPDATE SET
			dn = excluded.dn, name = excluded.name, reason = excluded.reason, next_at = excluded.next_at,
			attempts = CASE WHEN seq = excluded.seq THEN attempts + 1 ELSE 1 END,
			since = CASE WHEN seq = excluded.seq THEN since ELSE excluded.since END, seq = excluded.seq`,
			a.Source, a.ID, callback, a.DN, applier.Fold(a.Username), reason, int64(a.GoneSequence), timeText(now), timeText(next))
		if err != nil || !s.cfg.Settings.Outcomes {
			return err
		}
		return c.putOutbox(ctx, callbacks.Refusal(callback, a, reason, now), now)
	})
}

// Deactivate writes the active column and who wrote it, so that returning reactivates only whom sync deactivated.
func (s *Store) Deactivate(ctx context.Context, accounts []callbacks.Account) ([]callbacks.Result, error) {
	a := &acting{callback: callbacks.Deactivate, states: missingToo}
	return s.act(ctx, accounts, a, a.deactivate)
}

// Delete deletes rows; the link stays as a tombstone without a primary key.
func (s *Store) Delete(ctx context.Context, accounts []callbacks.Account, after time.Duration) ([]callbacks.Result, error) {
	a := &acting{callback: callbacks.Delete, states: `'gone'`, after: after, before: s.longAgo(after)}
	return s.act(ctx, accounts, a, a.delete)
}

// viewOwn is view, where our tables are there; else fn isn't run.
func (s *Store) viewOwn(ctx context.Context, fn func(*conn) error) error {
	return s.view(ctx, func(c *conn) error {
		if ready, err := s.ready(ctx, c); !ready || err != nil {
			return err
		}
		return fn(c)
	})
}

// updateOwn is update, where our tables are there; else it is a fault.
func (s *Store) updateOwn(ctx context.Context, fn func(*conn) error) error {
	return s.update(ctx, func(c *conn) error {
		ready, err := s.ready(ctx, c)
		if err != nil {
			return err
		}
		if !ready {
			return fault.New(fault.Database, hintMigrate, "ldapsync's tables aren't in the database")
		}
		return fn(c)
	})
}

// acting is one callback, or a person, acting on accounts in one transaction.
type acting struct {
	*conn
	store    *Store
	table    *table
	callback string        // whose letters are settled; "": all of them
	states   string        // of links that it acts on
	after    time.Duration // of Delete
	before   string        // and what deactivated_at must not be later than
	by       string        // of Restore
	refs     *references   // asked once
}

const missingToo = `'missing', 'gone'`

// do acts on one account, whose link is l.
type do func(ctx context.Context, account callbacks.Account, l linkState) (callbacks.Outcome, string, error)

// linkState is what decides about a link.
type linkState struct {
	by    string // deactivated_by
	ready bool   // deactivated by sync so long ago that it may be deleted
}

func (s *Store) act(ctx context.Context, accounts []callbacks.Account, a *acting, do do) ([]callbacks.Result, error) {
	var results []callbacks.Result
	err := s.updateOwn(ctx, func(c *conn) error {
		a.conn, a.store, a.table = c, s, s.tables[proto.KindUser]
		results = make([]callbacks.Result, 0, len(accounts))
		for _, account := range accounts {
			r, err := a.handle(ctx, account, do)
			if err != nil {
				return fmt.Errorf("%s: %w", account.DN, err)
			}
			results = append(results, r)
		}
		return a.told(ctx, results)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// handle acts on one account, if its link is still what the account says and owns its row.
func (a *acting) handle(ctx context.Context, account callbacks.Account, do do) (callbacks.Result, error) {
	r := callbacks.Result{Account: account}
	var l linkState
	gone, err := a.one(ctx, []any{&l.by, &l.ready}, `SELECT l.deactivated_by, coalesce(`+bySync+` AND l.deactivated_at <= ?, 0) FROM ldapsync_link AS l
		WHERE l.source = ? AND l.kind = 'user' AND l.id = ? AND l.state IN (`+a.states+`) AND l.gone_seq = ? AND l.pk = ?`,
		a.before, account.Source, account.ID, int64(account.GoneSequence), account.PK)
	if err != nil || !gone {
		r.Outcome = callbacks.Returned
		return r, err
	}
	owned, err := a.one(ctx, []any{new(int)}, `SELECT 1 FROM ldapsync_link WHERE kind = 'user' AND pk <> '' AND pk = ?
		AND state = 'present' LIMIT 1`, account.PK)
	if err != nil {
		return r, err
	}
	if owned {
		r.Outcome, r.Reason = callbacks.Returned, "its row belongs to another entry now"
		return r, a.bury(ctx, account)
	}
	r.Outcome, r.Reason, err = do(ctx, account, l)
	if err != nil || r.Outcome == callbacks.Refused {
		return r, err
	}
	return r, a.exec(ctx, `DELETE FROM ldapsync_letter WHERE source = ?1 AND kind = 'user' AND id = ?2 AND stage <> 'apply' AND (?3 = '' OR stage = ?3)`,
		account.Source, account.ID, a.callback)
}

// bury makes a tombstone of a link that has no row of its own any more: nothing is due for it.
func (a *acting) bury(ctx context.Context, account callbacks.Account) error {
	err := a.exec(ctx, `UPDATE ldapsync_link SET state = 'deleted', pk = '' WHERE source = ? AND kind = 'user' AND id = ?`,
		account.Source, account.ID)
	if err != nil {
		return err
	}
	err = a.exec(ctx, `DELETE FROM ldapsync_pending_membership WHERE source = ? AND user_id = ?`, account.Source, account.ID)
	if err != nil {
		return err
	}
	return a.exec(ctx, `DELETE FROM ldapsync_letter WHERE source = ? AND kind = 'user' AND id = ? AND stage <> 'apply'`,
		account.Source, account.ID)
}
