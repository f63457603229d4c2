package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"ldapsync/callbacks"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// PutOutcomes writes messages into the outbox.
func (t *tx) PutOutcomes(ctx context.Context, messages []*proto.Outcomes) error {
	if len(messages) == 0 {
		return nil
	}
	sources, bodies := make([]string, len(messages)), make([][]byte, len(messages))
	for i, m := range messages {
		var err error
		if bodies[i], err = proto.Marshal(proto.ContentTypeProtobuf, m); err != nil {
			return err
		}
		sources[i] = m.GetSource()
	}
	const put = `INSERT INTO ldapsync.outbox (source, body) SELECT v.source, v.body
FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS v(source, body, n) ORDER BY v.n`
	_, err := t.tx.Exec(ctx, put, sources, bodies)
	return err
}

// told writes into the outbox what was done to accounts, where that is wanted.
func (t *tx) told(ctx context.Context, by, person string, results []callbacks.Result) error {
	if !t.store.cfg.Settings.Outcomes {
		return nil
	}
	return t.PutOutcomes(ctx, callbacks.Outcomes(by, person, results, t.store.cfg.Now()))
}

// Outbox returns the first messages of the outbox, in the order in which they are to be published.
func (s *Store) Outbox(ctx context.Context, limit int) ([]proto.Unpublished, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, "SELECT seq, body FROM ldapsync.outbox ORDER BY seq LIMIT $1", limit)
	if err != nil {
		return nil, s.fault(err)
	}
	found, err := pgx.CollectRows(rows, unpublished)
	return found, s.fault(err)
}

// unpublished reads a row: its number and the message.
func unpublished(row pgx.CollectableRow) (proto.Unpublished, error) {
	u := proto.Unpublished{Outcomes: new(proto.Outcomes)}
	var body []byte
	if err := row.Scan(&u.Row, &body); err != nil {
		return u, err
	}
	return u, proto.Unmarshal(proto.Event{Type: "outbox", ContentType: proto.ContentTypeProtobuf, Data: body, Sequence: uint64(u.Row)}, u.Outcomes)
}

// selectTelling finds the messages of a source with the bytes of an id.
const selectTelling = "SELECT seq, body FROM ldapsync.outbox WHERE source = $1 AND position($2::bytea IN body) > 0 ORDER BY seq"

// OutboxOf returns the messages of the outbox that tell of a user of a source.
func (s *Store) OutboxOf(ctx context.Context, source, id string) ([]proto.Unpublished, error) {
	if there, err := s.Migrated(ctx); err != nil || !there {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, selectTelling, source, []byte(id))
	if err != nil {
		return nil, s.fault(err)
	}
	found, err := pgx.CollectRows(rows, unpublished)
	return django.Telling(found, source, id), s.fault(err)
}

// ForgetOutbox takes a user of a source out of the outbox, where nobody publishes it: a message that tells of her alone goes. It returns how many told of
// her.
func (s *Store) ForgetOutbox(ctx context.Context, source, id string) (n int64, err error) {
	err = s.update(ctx, s.cfg.RetryFor, func(t *tx) error {
		rows, err := t.tx.Query(ctx, selectTelling+" FOR UPDATE", source, []byte(id))
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, unpublished)
		if err != nil {
			return err
		}
		telling := django.Telling(found, source, id)
		n = int64(len(telling))
		for _, u := range telling {
			if proto.ForgetOutcomes(u.Outcomes, id); len(u.Outcomes.GetOutcomes()) == 0 {
				_, err = t.tx.Exec(ctx, "DELETE FROM ldapsync.outbox WHERE seq = $1", u.Row)
			} else if body, failed := proto.Marshal(proto.ContentTypeProtobuf, u.Outcomes); failed != nil {
				return failed
			} else {
				_, err = t.tx.Exec(ctx, "UPDATE ldapsync.outbox SET body = $2 WHERE seq = $1", u.Row, body)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// DropOutbox deletes a message that was published from the outbox, if it is there still.
func (s *Store) DropOutbox(ctx context.Context, published proto.Unpublished) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM ldapsync.outbox WHERE seq = $1", published.Row)
	return s.fault(err)
}
