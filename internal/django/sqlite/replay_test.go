package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"ldapsync/applier"
	"ldapsync/internal/django/sqlite"
	"ldapsync/internal/limit"
	"ldapsync/proto"
)

// record is a stream of one snapshot that is read slowly: between is called before each event of users.
type record struct {
	events  []proto.Event
	between func() error
}

func (r *record) StreamID() string { return "s" }

func (r *record) Bounds(context.Context) (first, last uint64, err error) {
	return 1, uint64(len(r.events)), nil
}

func (r *record) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range r.events[from-1 : to] {
			var err error
			if e.Type == proto.TypeUserUpserted {
				err = r.between()
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (r *record) Follow(ctx context.Context, from uint64) iter.Seq2[proto.Event, error] {
	return r.Read(ctx, from, uint64(len(r.events)))
}

func (r *record) LastOf(_ context.Context, t proto.Type) (proto.Event, error) {
	for i := len(r.events) - 1; i >= 0; i-- {
		if r.events[i].Type == t {
			return r.events[i], nil
		}
	}
	return proto.Event{}, proto.ErrNotFound
}

// publish appends an event.
func (r *record) publish(e proto.Event) {
	e.Sequence = uint64(len(r.events)) + 1
	r.events = append(r.events, e)
}

// recorded is a full snapshot of the users 1 to n of a crowd, and of one who is new in each batch, as come makes them.
func recorded(t *testing.T, n int) *record {
	t.Helper()
	r := &record{between: func() error { return nil }}
	for from := 1; from < n; from += 500 {
		r.publish(come(t, from, from+499))
	}
	data, err := proto.Marshal(proto.ContentTypeProtobuf, &proto.SnapshotCommitted{Snapshot: 1, Full: true, FullSequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.publish(proto.Event{Type: proto.TypeSnapshotCommitted, ContentType: proto.ContentTypeProtobuf, Data: data})
	return r
}

// replayer replays recorded snapshots under a limit that is never met: everything is weighed.
func replayer(t *testing.T, s *sqlite.Store, r *record) *applier.Applier {
	t.Helper()
	users, err := applier.NewMapping(s.Users(), []applier.Field{{Column: "username", From: []string{"uid"}}, {Column: "email", From: []string{"mail"}}})
	if err != nil {
		t.Fatal(err)
	}
	return applier.New(applier.Config{Target: "default", Source: "corp", Users: users, BatchEntries: 500, Limit: limit.Limit{On: true, Percent: 100, Count: 1_000_000}}, s, r)
}

// While a replay is planned, weighed, carried out and released an application can write: nobody keeps it waiting for longer than for a batch.
func TestAnApplicationWritesDuringAReplay(t *testing.T) {
	const n = 2000
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			s, path := migrated(t)
			application := raw(t, path)
			exec(t, application, "PRAGMA journal_mode="+mode)
			exec(t, application, "PRAGMA busy_timeout=5000")
			crowd(t, application, n)
			stream := recorded(t, n)
			writes := 0
			stream.between = func() error {
				writes++
				if _, err := application.Exec(`UPDATE auth_user SET last_name = ? WHERE id = ?`, fmt.Sprint("x", writes), writes); err != nil {
					return fmt.Errorf("write %d of the application: %w", writes, err)
				}
				return nil
			}
			at := applier.Snapshot{Number: 1, From: 1, To: uint64(len(stream.events))}
			a := replayer(t, s, stream)
			if done, err := a.PreviewReplay(t.Context(), at, nil); err != nil || done.Users.Updated != n-n/500 || done.Users.Created != n/500 || done.Users.Removed != n/500 {
				t.Fatalf("the plan: %+v, %v", done.Users, err)
			}
			if done, err := a.Replay(t.Context(), at); err != nil || done.Stopped != nil || done.Users.Updated != n-n/500 {
				t.Fatalf("the replay: %+v, %v", done, err)
			}
			if _, err := a.PreviewRelease(t.Context(), nil); err != nil {
				t.Fatalf("the plan of the release: %v", err)
			}
			if done, err := a.Release(t.Context()); err != nil || done.Stopped != nil {
				t.Fatalf("the release: %+v, %v", done, err)
			}
			if want := 8 * n / 500; writes < want {
				t.Errorf("the application wrote %d times, less than %d", writes, want)
			}
		})
	}
}

// An applier that moves on while a replay is planned spoils the plan: whoever makes it is told.
func TestAPlanOfAReplayIsToldThatAnotherMovedOn(t *testing.T) {
	s, path := migrated(t)
	crowd(t, raw(t, path), 500)
	stream := recorded(t, 500)
	at := applier.Snapshot{Number: 1, From: 1, To: uint64(len(stream.events))}
	reads := 0
	stream.between = func() error {
		if reads++; reads != 2 { // first the state is read, then its entries
			return nil
		}
		return s.Update(t.Context(), func(tx applier.Tx) error {
			return tx.Advance(t.Context(), nil, applier.Checkpoint{Source: "corp", StreamID: "s", Sequence: 1, Mode: "live"})
		})
	}
	a := replayer(t, s, stream)
	if _, err := a.PreviewReplay(t.Context(), at, nil); !errors.Is(err, applier.ErrMoved) {
		t.Errorf("err = %v", err)
	}
	if _, err := a.PreviewReplay(t.Context(), at, nil); err != nil {
		t.Error(err)
	}
}

var _ applier.Stream = (*record)(nil)
