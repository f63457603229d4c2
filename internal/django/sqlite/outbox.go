package sqlite

import (
	"context"
	"time"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
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
func (s *Store) Outbox(ctx context.Context, limit int) (found []proto.Unpublished, err error) {
	err = s.viewOwn(ctx, func(c *conn) error {
		found, err = c.outbox(ctx, `SELECT seq, body FROM ldapsync_outbox ORDER BY seq LIMIT ?`, limit)
		return err
	})
	return found, err
}

// outbox reads rows: their numbers and the messages.
func (c *conn) outbox(ctx context.Context, query string, args ...any) (found []proto.Unpublished, err error) {
	err = c.each(ctx, func(scan func(...any) error) error {
		u := proto.Unpublished{Outcomes: new(proto.Outcomes)}
		var body []byte
		if err := scan(&u.Row, &body); err != nil {
			return wrap(err)
		}
		found = append(found, u)
		return proto.Unmarshal(proto.Event{Type: "outbox", ContentType: proto.ContentTypeProtobuf, Data: body, Sequence: uint64(u.Row)}, u.Outcomes)
	}, query, args...)
	return found, err
}

// telling finds the messages that tell of a user of a source: they have the bytes of her id.
func (c *conn) telling(ctx context.Context, source, id string) ([]proto.Unpublished, error) {
	found, err := c.outbox(ctx, `SELECT seq, body FROM ldapsync_outbox WHERE source = ? AND instr(body, ?) > 0 ORDER BY seq`, source, []byte(id))
	return django.Telling(found, source, id), err
}

// OutboxOf returns the messages of the outbox that tell of a user of a source.
func (s *Store) OutboxOf(ctx context.Context, source, id string) (found []proto.Unpublished, err error) {
	err = s.viewOwn(ctx, func(c *conn) error {
		found, err = c.telling(ctx, source, id)
		return err
	})
	return found, err
}

// ForgetOutbox takes a user of a source out of the outbox, where nobody publishes it: a message that tells of her alone goes. It returns how many told of
// her.
func (s *Store) ForgetOutbox(ctx context.Context, source, id string) (n int64, err error) {
	err = s.updateOwn(ctx, func(c *conn) error {
		telling, err := c.telling(ctx, source, id)
		if err != nil {
			return err
		}
		n = int64(len(telling))
		for _, u := range telling {
			if proto.ForgetOutcomes(u.Outcomes, id); len(u.Outcomes.GetOutcomes()) == 0 {
				err = c.exec(ctx, `DELETE FROM ldapsync_outbox WHERE seq = ?`, u.Row)
			} else if body, failed := proto.Marshal(proto.ContentTypeProtobuf, u.Outcomes); failed != nil {
				return failed
			} else {
				err = c.exec(ctx, `UPDATE ldapsync_outbox SET body = ? WHERE seq = ?`, body, u.Row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// DropOutbox deletes a message that was published from the outbox, if it is there still. An outbox that was empty gives its numbers again: another process
// may have dropped this one, and the row be another message's.
func (s *Store) DropOutbox(ctx context.Context, published proto.Unpublished) error {
	return s.updateOwn(ctx, func(c *conn) error {
		return c.exec(ctx, `DELETE FROM ldapsync_outbox WHERE seq = ? AND instr(body, ?) > 0`, published.Row, []byte(published.Outcomes.GetId()))
	})
}
