package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"ldapsync/applier"
	"ldapsync/proto"
)

var _ applier.Foreteller = (*tx)(nil)

// foresight is a reader that goes by what is remembered alone, as it will be after a transaction.
type foresight struct {
	reader
	times int // of the memory: what was noted or doubted since isn't in it
}

// Foretell lets the memory be asked as it will be. What is about to be written is noted when it is asked, by whoever asks: meanwhile the database is at
// work. What groups are about to get isn't known yet.
func (t *tx) Foretell(kind proto.Kind, changes []applier.Change) applier.Reader {
	m := t.known
	if m == nil || kind != proto.KindUser {
		return nil
	}
	m.lock()
	defer m.mu.Unlock()
	m.times++
	m.due = func() {
		for i := range changes {
			m.note(kind, &changes[i])
		}
	}
	t.foretold = true
	return &foresight{reader{store: t.store, db: nobody{}, ours: true, known: m}, m.times}
}

// CameTrue tells whether what is remembered is trusted, and is what a Reader of Foretell's went by.
func (t *tx) CameTrue(r applier.Reader) bool {
	f, ok := r.(*foresight)
	if !ok || t.known == nil || t.known != f.known {
		return false
	}
	t.known.lock()
	defer t.known.mu.Unlock()
	return t.known.times == f.times
}

var errUnforeseen = errors.New("the database must be asked")

// nobody is a querier that has no answers.
type nobody struct{}

func (nobody) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errUnforeseen }
func (nobody) QueryRow(context.Context, string, ...any) pgx.Row        { return nobody{} }
func (nobody) Scan(...any) error                                       { return errUnforeseen }
