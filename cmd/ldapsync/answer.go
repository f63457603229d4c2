package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// answer is the snapshot that a service made for a request.
type answer struct {
	started   *proto.SnapshotStarted
	committed *proto.SnapshotCommitted
	sequence  uint64                   // of the end
	decided   []*proto.SnapshotDecided // what was done about the request's verdicts, and others'
	missing   int                      // users that it found missing
	held      []extractor.Hold         // all that waits behind it
	watch     *watch
}

// triggerAndWait asks for a pass over a source by a request, whose id it sets, and waits until one that answers is committed. One that is aborted is an error, and so is
// a service that is gone, or idle for longer than patience without beginning the pass.
func triggerAndWait(ctx context.Context, b *bus.Bus, log *bus.Log, source string, request *proto.RunRequest, patience time.Duration) (*answer, error) {
	_, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	busy, err := unended(ctx, log)
	if err != nil {
		return nil, err
	}
	w := &watch{bus: b, source: source, patience: patience}
	if _, w.seen, err = b.Active(ctx, roleExtractor, source); err != nil {
		return nil, err
	}
	if w.expect(patience); busy {
		w.expect(snapshotPatience)
	}
	if err := b.Trigger(ctx, source, request); err != nil {
		return nil, err
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	watching.Go(func() { w.run(ctx, end) })
	a := answer{watch: w}
	for e, err := range log.Follow(ctx, last+1) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		done, err := a.take(e, source, request.GetId())
		if err != nil {
			return nil, err
		}
		if done {
			return &a, a.readHeld(ctx, log)
		}
	}
	return nil, context.Cause(ctx)
}

// unended tells whether a snapshot is at work, or was left by one that was killed.
func unended(ctx context.Context, log *bus.Log) (bool, error) {
	var last proto.Event
	for _, t := range []proto.Type{proto.TypeSnapshotStarted, proto.TypeSnapshotCommitted, proto.TypeSnapshotAborted} {
		e, err := log.LastOf(ctx, t)
		if err != nil && !errors.Is(err, proto.ErrNotFound) {
			return false, err
		}
		if err == nil && e.Sequence > last.Sequence {
			last = e
		}
	}
	return last.Type == proto.TypeSnapshotStarted, nil
}

// take looks at one event, and tells whether it ends the snapshot that answers the request.
func (a *answer) take(e proto.Event, source, request string) (bool, error) {
	switch e.Type {
	case proto.TypeSnapshotStarted:
		m := new(proto.SnapshotStarted)
		if err := proto.Unmarshal(e, m); err != nil {
			return false, err
		}
		if a.started = nil; slices.Contains(m.GetRequests(), request) {
			a.started, a.decided, a.missing = m, nil, 0
			a.watch.expect(0)
		} else {
			a.watch.expect(snapshotPatience)
		}
	case proto.TypeSnapshotDecided:
		m := new(proto.SnapshotDecided)
		if err := proto.Unmarshal(e, m); err != nil {
			return false, err
		}
		a.decided = append(a.decided, m)
	case proto.TypeUserMissing:
		m := new(proto.UserMissing)
		if err := proto.Unmarshal(e, m); err != nil {
			return false, err
		}
		if m.GetSince() == nil {
			a.missing++
		}
	case proto.TypeSnapshotAborted:
		m := new(proto.SnapshotAborted)
		if err := proto.Unmarshal(e, m); err != nil {
			return false, err
		}
		if a.started != nil && m.GetSnapshot() == a.started.GetSnapshot() {
			return true, fault.New(fault.Failed, "the service's log says more", "source %s: snapshot %d was aborted: %s", source, m.GetSnapshot(), m.GetReason())
		}
		a.watch.expect(a.watch.patience)
	case proto.TypeSnapshotCommitted:
		m := new(proto.SnapshotCommitted)
		if err := proto.Unmarshal(e, m); err != nil {
			return false, err
		}
		if a.started != nil && m.GetSnapshot() == a.started.GetSnapshot() {
			a.committed, a.sequence = m, e.Sequence
			return true, nil
		}
		a.watch.expect(a.watch.patience)
	}
	return false, nil
}

// summary is what the brackets tell of the pass.
func (a *answer) summary() *extractor.Summary {
	counts := func(c *proto.Counts) extractor.Counts {
		return extractor.Counts{
			Read: c.GetRead(), Added: c.GetAdded(), Changed: c.GetChanged(), Unchanged: c.GetUnchanged(),
			Removed: c.GetRemoved(), Skipped: c.GetSkipped(), Held: c.GetHeld(),
		}
	}
	s := &extractor.Summary{
		Snapshot: a.committed.GetSnapshot(), Full: a.committed.GetFull(), Server: a.started.GetServer(),
		Users: counts(a.committed.GetUsers()), Groups: counts(a.committed.GetGroups()),
		First: a.committed.GetStartedSequence(), Last: a.sequence,
		Held: a.held, Decided: a.decided, NewlyMissing: a.missing, Missing: unknown,
	}
	for _, skipped := range a.committed.GetSkipped() {
		s.Skipped = append(s.Skipped, extractor.Skip{DN: skipped.GetDn(), Reason: skipped.GetReason()})
	}
	return s
}

// unknown is the number of missing users of a pass that was made elsewhere: its brackets don't tell.
const unknown = -1

// readHeld reads what waits once the pass is over.
func (a *answer) readHeld(ctx context.Context, log *bus.Log) error {
	held, err := extractor.ReadHeld(ctx, log)
	if err == nil {
		a.held = held.Holds
	}
	return err
}

// requester names who asks, for people.
func requester() string {
	host, _ := os.Hostname()
	if u, err := user.Current(); err == nil {
		return fmt.Sprintf("%s@%s", u.Username, host)
	}
	return host
}
