package extractor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Extractor reads one source and publishes to its stream.
type Extractor struct {
	cfg Config
	dir Directory
	log Log
}

// New returns an extractor. log may be nil for one that only previews, of a source that has no stream yet.
func New(cfg Config, dir Directory, log Log) *Extractor {
	return &Extractor{cfg: cfg.withDefaults(), dir: dir, log: log}
}

// Options of one pass.
type Options struct {
	// Full asks for a full snapshot. Without it one is made when it is due.
	Full bool
	// OnBegun, if set, is called from the pass's goroutine once the beginning of the snapshot is stored, with its sequence: what the stream says behind that
	// is what this pass reads, unless it ends with proto.ErrRival.
	OnBegun func(first uint64)
	// Requests are the ids of the requests that this pass answers.
	Requests []string
	// Verdicts are what people decided about holds: this pass carries them out.
	Verdicts []*proto.Verdict
	// Forgets are whom to erase from the history. The pass is full then, and the log has to be an Eraser.
	Forgets []*proto.Forget
}

// Username as the id attribute of a Question says that the directory has none and the folded username stands for it.
const Username = "(username)"

// Pass makes one snapshot: it returns once everything is published and stored. An error means that the snapshot was aborted, which
// removes nobody; proto.ErrRival that another extractor is at work, and nothing more was published.
func (e *Extractor) Pass(ctx context.Context, opts Options) (*Summary, error) {
	begun := e.cfg.Now()
	s, err := fold(ctx, e.log)
	if err != nil {
		return nil, err
	}
	session, err := e.dir.Open(ctx, s.pinned())
	if err != nil {
		return nil, err
	}
	defer session.Close()

	p := e.newPass(s, session, e.log.Publish)
	p.verdicts = opts.Verdicts
	if err := p.sameID(); err != nil {
		return nil, err
	}
	e.log.Begin(s.last)
	p.out.streamID = e.log.StreamID()
	p.sum.Full = opts.Full || len(opts.Forgets) > 0 || s.full == 0 || e.fullIsDue(s)
	if s.open != 0 {
		lost, err := openLosses(ctx, e.log, s)
		if err != nil {
			return nil, err
		}
		p.out.snapshot = s.open
		if err := p.abort(ctx, "the extractor ended in the middle of it", lost); err != nil {
			return nil, err
		}
	}
	p.sum.Snapshot, p.out.snapshot = s.snapshot+1, s.snapshot+1
	if p.sum.First, err = p.out.event(ctx, proto.TypeSnapshotStarted, &proto.SnapshotStarted{
		Snapshot: p.sum.Snapshot, StreamId: p.out.streamID, Full: p.sum.Full, Server: p.sum.Server,
		Question: p.question, Requests: opts.Requests, Version: e.cfg.Version,
	}); err != nil {
		return nil, err
	}
	if opts.OnBegun != nil {
		if _, err := e.log.Flush(ctx); err != nil {
			return nil, err
		}
		opts.OnBegun(p.sum.First)
	}
	if err := p.read(ctx); err != nil {
		return nil, e.failed(ctx, p, err)
	}
	forgetting, err := p.forget(ctx, opts.Forgets)
	if err != nil {
		return nil, e.failed(ctx, p, fmt.Errorf("forget: %w", err))
	}
	committed := p.sum.committed(p.sum.First, p.sum.First)
	committed.Losses = p.out.lost.proto(p.out.mostGroups())
	if !p.sum.Full {
		committed.FullSequence, committed.FullTime = s.full, proto.Timestamp(s.fullTime)
	}
	if _, err := p.out.event(ctx, proto.TypeSnapshotCommitted, committed); err != nil {
		return nil, e.failed(ctx, p, err)
	}
	if p.sum.Last, err = e.log.Flush(ctx); err != nil {
		return nil, err
	}
	if err := forgetting.carryOut(ctx, p); err != nil {
		return nil, fmt.Errorf("snapshot %d is committed, but not everything is erased: %w", p.sum.Snapshot, err)
	}
	p.sum.Elapsed = e.cfg.Now().Sub(begun)
	return p.sum, nil
}

// fullIsDue tells whether the last full snapshot is FullEvery ago, or nearly: a daily pass isn't to make one every second day because
// it began a minute earlier. Nothing depends on it but how far back a reader must go, so the host's clock will do.
func (e *Extractor) fullIsDue(s *state) bool {
	return e.cfg.Now().Sub(s.fullTime).Abs() >= e.cfg.FullEvery-e.cfg.FullEvery/20 // it may lie ahead, by a clock that was put back since
}

// failed closes the snapshot of a pass that failed as aborted, if it still may.
func (e *Extractor) failed(ctx context.Context, p *pass, cause error) error {
	if errors.Is(cause, proto.ErrRival) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := p.abort(ctx, cause.Error(), p.out.lost); err != nil {
		e.cfg.Logger.Warn("snapshot not closed", "source", e.cfg.Source, "snapshot", p.out.snapshot, "error", err)
	} else if _, err := e.log.Flush(ctx); err != nil {
		e.cfg.Logger.Warn("snapshot not closed", "source", e.cfg.Source, "snapshot", p.out.snapshot, "error", err)
	}
	return cause
}

// Preview does what Pass would do and hands the entry events to fn instead of the stream: nothing is published, no number is
// taken. Their sequences are 0.
func (e *Extractor) Preview(ctx context.Context, full bool, fn func(proto.Event) error) (*Summary, error) {
	begun := e.cfg.Now()
	s := newState()
	if e.log != nil {
		var err error
		if s, err = fold(ctx, e.log); err != nil {
			return nil, err
		}
	}
	session, err := e.dir.Open(ctx, s.pinned())
	if err != nil {
		return nil, err
	}
	defer session.Close()
	p := e.newPass(s, session, func(_ context.Context, ev proto.Event) (uint64, error) {
		if !ev.Type.Entry() {
			return 0, nil
		}
		return 0, fn(ev)
	})
	if err := p.sameID(); err != nil {
		return nil, err
	}
	p.sum.Full = full
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	p.sum.Elapsed = e.cfg.Now().Sub(begun)
	return p.sum, nil
}

// pinned is the id attribute that the snapshots so far used, Username if they used none; "" if there is nothing to keep to.
func (s *state) pinned() string {
	if s.known() == 0 {
		return ""
	}
	return s.question.GetIdAttribute()
}

// sameID refuses a pass in which everybody would get another id: those known so far would all be missing.
func (p *pass) sameID() error {
	was, is := p.state.pinned(), p.question.GetIdAttribute()
	if was == Username && is == Username {
		return p.sameNames()
	}
	if was == "" || strings.EqualFold(was, is) {
		return nil
	}
	return fault.New(fault.Usage, fmt.Sprintf("set the source's id to %s again (LDAP_SYNC_ID_ATTRIBUTE), or leave it out", was),
		"entries were told by their %s so far and would be by their %s now: everybody would be somebody else", was, is)
}

func (e *Extractor) newPass(s *state, session Session, send func(context.Context, proto.Event) (uint64, error)) *pass {
	info := session.Info()
	question := proto.Clone(info.Question)
	if question.GetIdAttribute() == "" {
		question.IdAttribute = Username
		e.nameIDs(question, s.question)
	}
	return &pass{
		cfg: e.cfg, log: e.log, state: s, session: session, question: question,
		out:     outlet{cfg: e.cfg, send: send, pass: rand.Text()[:8], lost: tally{}},
		members: newMemberships(),
		spools:  map[proto.Kind]*spool{proto.KindUser: e.newSpool(), proto.KindGroup: e.newSpool()},
		weighed: e.newSpool(), gone: map[proto.Kind][]*known{}, noID: map[proto.Kind]int{}, empty: map[proto.Kind]bool{},
		weights: map[respect]*weight{}, goneGroups: map[string]goneGroup{}, keptBy: map[string]bool{},
		spelling: map[string]string{}, making: map[making][]heldEntry{},
		sum: &Summary{Server: info.Server},
	}
}

func (e *Extractor) newSpool() *spool { return &spool{dir: e.cfg.SpoolDir, memory: e.cfg.SpoolMemory} }

// abort closes the open snapshot, with what it has taken away.
func (p *pass) abort(ctx context.Context, reason string, lost tally) error {
	_, err := p.out.event(ctx, proto.TypeSnapshotAborted, &proto.SnapshotAborted{
		Snapshot: p.out.snapshot, Reason: reason, Losses: lost.proto(p.out.mostGroups()),
	})
	if err != nil {
		return fmt.Errorf("snapshot %d: %w", p.out.snapshot, err)
	}
	return nil
}
