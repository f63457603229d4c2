package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"ldapsync/cmd/ldapsync/internal/config"
	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// erasurePatience is how long a service may take to erase what its snapshot doesn't need any more.
const erasurePatience = 10 * time.Minute

// consumersPatience is how long a service may take to see a removal.
const consumersPatience = 30 * time.Second

// eraseFrom asks for the pass that erases people from the history of a source. An active service is waited for.
func (f *forgetter) eraseFrom(ctx context.Context, s *config.Source, people []*forgotten) error {
	request := &proto.RunRequest{RequestedBy: f.o.by}
	asked := map[[16]byte]*forgotten{}
	for _, p := range people {
		if p.Source == s.Name && p.Events > 0 && asked[p.key] == nil {
			asked[p.key] = p
			request.Forgets = append(request.Forgets, &proto.Forget{Key: p.key[:], By: f.o.by, Reason: f.o.reason})
		}
	}
	if len(asked) == 0 {
		return nil
	}
	log, err := f.bus.OpenLog(ctx, s.Name)
	if err != nil {
		return err
	}
	for _, p := range asked {
		if err := f.awaitConsumers(ctx, s, log, p); err != nil {
			return err
		}
	}
	_, active, err := f.bus.Active(ctx, roleExtractor, s.Name)
	if err != nil {
		return err
	}
	if !active {
		for _, p := range asked {
			p.Waiting = true
		}
		return f.bus.Trigger(ctx, s.Name, request)
	}
	answer, err := triggerAndWait(ctx, f.bus, log, s.Name, request, max(leastPatience, s.Retry.For))
	if err != nil {
		return err
	}
	return awaitErasure(ctx, log, answer.sequence, asked)
}

// awaitConsumers waits until everybody has seen that a person was removed: for services alone, who are about to. The pass would refuse it otherwise.
func (f *forgetter) awaitConsumers(ctx context.Context, s *config.Source, log *bus.Log, p *forgotten) error {
	for begun := time.Now(); ; {
		serving := false
		for _, t := range f.cfg.TargetsOf(s.Name) {
			// A service does that only now and then. Who may not asks with what is known.
			if _, err := mirror(ctx, f.bus, f.stores[t.Name], t.Name, s.Name, 0); err != nil {
				f.logger(slog.LevelWarn).Debug("the position isn't noted", "target", t.Name, "error", oneLine(err.Error()))
			}
			for _, role := range []string{roleApplier, roleCallbacks} {
				_, active, err := f.bus.Active(ctx, role, t.Name)
				if err != nil {
					return err
				}
				serving = serving || active
			}
		}
		floor, who, err := log.Floor(ctx)
		if err != nil || floor >= p.last {
			return err
		}
		if !serving || time.Since(begun) > consumersPatience {
			return fault.New(fault.Failed, "let it catch up (ldapsync run, or its service); if it won't come back: "+dropCommand(s.Name, who),
				"source %s: %s is at sequence %d and hasn't seen the removal of %s, %d", s.Name, who, floor, printable(p.ID), p.last)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// awaitErasure waits behind the snapshot that carries requests out until everything is erased.
func awaitErasure(ctx context.Context, log *bus.Log, committed uint64, asked map[[16]byte]*forgotten) error {
	ctx, cancel := context.WithTimeoutCause(ctx, erasurePatience, fault.Passing(fault.Stream, "see the service's log; it tries again until it is done", "the service hasn't erased everything yet"))
	defer cancel()
	left := len(asked)
	for e, err := range log.Follow(ctx, committed+1) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if e.Type != proto.TypeSnapshotForgot {
			continue
		}
		var m proto.SnapshotForgot
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		if len(m.GetForget().GetKey()) != 16 {
			continue
		}
		p := asked[[16]byte(m.GetForget().GetKey())]
		if p == nil || p.Snapshot != 0 {
			continue
		}
		p.Snapshot, p.Erased, p.Refused = m.GetSnapshot(), m.GetMessages(), m.GetNote()
		if left--; left == 0 {
			return nil
		}
	}
	return context.Cause(ctx)
}

// forgotView is what a pass did about a request to erase somebody, as --json prints it.
type forgotView struct {
	Key      string `json:"key"`
	By       string `json:"by"`
	Why      string `json:"why"`
	Messages uint64 `json:"messages"`
	Note     string `json:"note,omitempty"` // why it wasn't done
}

func newForgotView(m *proto.SnapshotForgot) forgotView {
	f := m.GetForget()
	return forgotView{Key: hex.EncodeToString(f.GetKey()), By: f.GetBy(), Why: f.GetReason(), Messages: m.GetMessages(), Note: m.GetNote()}
}

func (v forgotView) line() string {
	who := fmt.Sprintf("%.12s by %s (%s)", v.Key, printable(v.By), printable(v.Why))
	if v.Note != "" {
		return "not forgotten: " + who + ": " + printable(v.Note)
	}
	return fmt.Sprintf("forgot %s: %d messages erased", who, v.Messages)
}
