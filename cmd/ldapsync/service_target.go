package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ldapsync/callbacks"
	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

// opened is a target's database, which the stages of a service share: two handles on SQLite would wait for each other's locks.
type opened struct {
	mu    sync.Mutex
	store store // nil until a stage needs it
	waker *callbacks.Waker
	news  news
}

// expect prepares for a stage that needs a target's database.
func (s *service) expect(t *config.Target) {
	if s.targets[t.Name] != nil {
		return
	}
	s.targets[t.Name] = &opened{waker: callbacks.NewWaker(s.logger), news: newNews()}
	if t.Outcomes {
		s.stages = append(s.stages, func(ctx context.Context) error { return s.telling(ctx, t) })
	}
}

// open opens a target's database once, however long its server is away. Our tables must be there. The service closes it.
func (s *service) open(ctx context.Context, t *config.Target) (store, error) {
	o := s.targets[t.Name]
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.store != nil {
		return o.store, nil
	}
	err := persist(ctx, s.logger, "target "+t.Name, func() error {
		st, err := openStore(ctx, s.cfg, t, 30*time.Second, s.logger)
		if err != nil {
			return err
		}
		ready, err := st.Migrated(ctx)
		if err == nil && !ready {
			err = unmigrated(t)
		}
		if err != nil {
			_ = st.Close()
			return err
		}
		o.store = st
		return nil
	})
	return o.store, err
}

// deletable is checked at start; a source that changes its ids later is a changed question, which removes nobody by itself. Before its
// first snapshot begins it isn't known by what a source tells people, so that deleting waits for that.
func (s *service) deletable(ctx context.Context, t *config.Target) error {
	for _, name := range t.Sources {
		log, err := s.bus.Log(ctx, name)
		if err != nil {
			return err
		}
		if slices.Contains(t.Removal.Callbacks, config.Delete) && !t.Removal.DeleteByUsername {
			if err := awaitSnapshot(ctx, log); err != nil {
				return err
			}
		}
		if err := mayDelete(ctx, t, name, log); err != nil {
			return err
		}
	}
	return nil
}

// awaitSnapshot waits until a first snapshot has begun. It asks now and then: callbacks may have no right to delete the consumer of a reader.
func awaitSnapshot(ctx context.Context, log *bus.Log) error {
	for {
		_, err := log.LastOf(ctx, proto.TypeSnapshotStarted)
		if !errors.Is(err, proto.ErrNotFound) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
