package sqlite

import (
	"context"
	"time"

	"ldapsync/callbacks"
	"ldapsync/proto"
)

// PutOutcomes writes messages into the outbox.
func (t *tx) PutOutcomes(ctx context.Context, messages []*proto.Outcomes) error {
	return t.putOutbox(ctx, messages, t.store.cfg.Now())
}

func (c *conn) putOutbox(ctx context.Context, messages []*proto.Outcomes, now time.Time) error {
	for _, m := range messages {
		body, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			return err
		}
		if err := c.exec(ctx, `INSERT INTO ldapsync_outbox (source, body, made_at) VALUES (?, ?, ?)`, m.GetSource(), body, timeText(now)); err != nil {
			return err
		}
	}
	return nil
}

// told writes into the outbox what was done to accounts, where that is wanted.
func (a *acting) told(ctx context.Context, results []callbacks.Result) error {
	if !a.store.cfg.Settings.Outcomes {
		return nil
	}
	by := a.callback
	if by == "" {
		by = callbacks.Restoring
	}
	now := a.store.cfg.Now()
	return a.putOutbox(ctx, callbacks.Outcomes(by, a.by, results, now), now)
}

// Outbox returns the first messages of the outbox, in the order in which they are to be published.
func (s *Store) Outbox(ctx context.Context, limit int) ([]proto.Unpublished, error) {
	var found []proto.Unpublished
	err := s.viewOwn(ctx, func(c *conn) error {
		return c.each(ctx, func(scan func(...any) error) error {
			u := proto.Unpublished{Outcomes: new(proto.Outcomes)}
			var body []byte
			if err := scan(&u.Row, &body); err != nil {
				return wrap(err)
			}
			found = append(found, u)
			return proto.Unmarshal(proto.Event{Type: "outbox", ContentType: proto.ContentTypeProtobuf, Data: body, Sequence: uint64(u.Row)}, u.Outcomes)
		}, `SELECT seq, body FROM ldapsync_outbox ORDER BY seq LIMIT ?`, limit)
	})
	return found, err
}

// DropOutbox deletes a row of the outbox, which was published.
func (s *Store) DropOutbox(ctx context.Context, row int64) error {
	return s.updateOwn(ctx, func(c *conn) error {
		return c.exec(ctx, `DELETE FROM ldapsync_outbox WHERE seq = ?`, row)
	})
}
