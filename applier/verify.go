package applier

import (
	"context"
	"errors"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// verifyAttempts is how often Verify starts over because a live applier moved the checkpoint meanwhile.
const verifyAttempts = 3

// VerifyOptions say how to verify.
type VerifyOptions struct {
	// Repair writes the changes that put the differences right. Default: false, nothing is written.
	Repair bool
	// Most is how many differences are told; all are counted. 0: all are told. Default: 0.
	Most int
}

// Verified is what Verify found.
type Verified struct {
	Summary         // of the changes that would put it right, or did
	Users    int    // that the stream has
	Groups   int    // likewise
	Sequence uint64 // of the stream: the target's checkpoint
	Held     *Held  // what a repair left to a person
}

// Differences counts them: rows that are missing, that differ, or whose entries the stream doesn't have. What couldn't be applied isn't one.
func (v Verified) Differences() (n int) {
	for _, c := range []Counts{v.Summary.Users, v.Summary.Groups} {
		n += c.Created + c.Adopted + c.Relinked + c.Updated + c.Missing + c.Removed
	}
	return n
}

// Verify compares the target with what the stream says at the target's checkpoint: every row, its memberships and its link, whatever the
// link's digest says. each is called for every difference, as the change that would put it right, and may be nil; with Repair these
// changes are written. What was published behind the checkpoint isn't looked at: applying it is the live applier's business.
// Entries that couldn't be applied, and are dead letters or parked, are no differences. A target that is catching up is refused: what was applied
// to it is ahead of its checkpoint, and a repair would take that back.
func (a *Applier) Verify(ctx context.Context, o VerifyOptions, each func(proto.Kind, Change)) (Verified, error) {
	cfg := a.cfg
	cfg.every = true
	cfg.OnChange = func(proto.Kind, Change) {}
	if o.Repair && each != nil {
		cfg.OnChange = each
	}
	var err error
	for range verifyAttempts {
		v := &verifier{Applier: New(cfg, a.store, a.stream), options: o, each: each}
		if err = v.run(ctx); err == nil {
			v.tell()
			return v.found, nil
		}
		if !errors.Is(err, ErrMoved) && !errors.Is(err, proto.ErrCut) || ctx.Err() != nil {
			break
		}
	}
	if errors.Is(err, ErrMoved) {
		err = fault.Passing(fault.Database, "verify again when no pass is at work", "%d times %w", verifyAttempts, err)
	}
	return Verified{}, err
}

// verifier is one attempt. Differences are told once it is certain that they were one state's.
type verifier struct {
	*Applier
	options VerifyOptions
	each    func(proto.Kind, Change)
	found   Verified
	changes []kindChanges
}

func (v *verifier) tell() {
	for _, run := range v.changes {
		for _, c := range run.changes {
			v.each(run.kind, c)
		}
	}
}

func (v *verifier) run(ctx context.Context) error {
	cp, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err != nil {
		return err
	}
	if cp.CatchingUp() {
		return fault.Passing(fault.Database, "ldapsync run ends that, unless a service is at it", "it is being brought to the present of source %s", v.cfg.Source)
	}
	state, err := v.stateOf(ctx, cp)
	if err != nil {
		return err
	}
	if v.options.Repair {
		if err := v.repair(ctx, cp, state); err != nil {
			return err
		}
	} else if err := v.compare(ctx, cp, state); err != nil {
		return err
	}
	v.found.Users, v.found.Groups, v.found.Sequence = state.Len(proto.KindUser), state.Len(proto.KindGroup), state.Sequence()
	return nil
}

// repair writes what differs.
func (v *verifier) repair(ctx context.Context, cp *Checkpoint, state *proto.State) error {
	for runs, err := range v.batchesAhead(ctx, state) {
		if err == nil {
			err = v.commitDiffering(ctx, cp, runs)
		}
		if err != nil {
			return err
		}
	}
	held, err := v.sweepLinks(ctx, cp, state)
	v.found.Summary, v.found.Held = v.Summary(), held
	return err
}

// commitDiffering applies batches, unless they would write nothing. The checkpoint stays.
func (a *Applier) commitDiffering(ctx context.Context, cp *Checkpoint, runs []batch) error {
	writes := false
	err := a.retry(ctx, func() error {
		return a.store.View(ctx, func(r Reader) (err error) {
			writes = false
			for _, run := range runs {
				if s := a.cfg.settings(run.kind); s.mapping != nil && !writes && err == nil {
					writes, err = wouldWrite(ctx, r, s, run.items)
				}
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if writes {
		return a.commit(ctx, cp, *cp, runs, false)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, run := range runs {
		if a.cfg.mapping(run.kind) != nil {
			a.summary.counts(run.kind).Unchanged += len(run.items)
		}
	}
	return nil
}

// compare plans for every entry, at the end of which the checkpoint must still be where it was. Each batch has a read-only transaction of its own: in
// SQLite nobody else can write while there is one.
func (v *verifier) compare(ctx context.Context, cp *Checkpoint, state *proto.State) error {
	p := previewer{Applier: v.Applier, over: newOverlay(nil), sum: &v.found.Summary, each: v.note, most: overlayUsers, sparing: true}
	p.view = func(ctx context.Context, plan func() error) error {
		return v.store.View(ctx, func(r Reader) error {
			p.over.Reader = r
			return plan()
		})
	}
	if err := p.state(ctx, state); err != nil {
		return err
	}
	err := p.view(ctx, func() error {
		s := p.Applier.strays(state) // held or not: nothing is taken away here
		if err := s.count(ctx, p.over.Reader); err != nil {
			return err
		}
		return p.planStrays(ctx, p.over.Reader, &s)
	})
	if err != nil {
		return err
	}
	now, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err == nil && (now == nil || *now != *cp) {
		err = ErrMoved
	}
	return err
}

func (v *verifier) note(kind proto.Kind, c Change) {
	if v.each != nil && (v.options.Most == 0 || len(v.changes) < v.options.Most) {
		v.changes = append(v.changes, kindChanges{kind, []Change{c}})
	}
}

// stateOf returns the state that the stream has at a checkpoint.
func (a *Applier) stateOf(ctx context.Context, cp *Checkpoint) (*proto.State, error) {
	if cp == nil {
		return nil, fault.New(fault.Database, "ldapsync run applies it", "nothing of source %s was applied to it yet", a.cfg.Source)
	}
	if cp.StreamID != a.stream.StreamID() {
		return nil, fault.New(fault.Stream, "run once with --accept-stream if the new stream is the right one",
			"it follows another stream of source %s (%s) than this one (%s)", a.cfg.Source, cp.StreamID, a.stream.StreamID())
	}
	from, _, err := a.stream.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	at, err := a.lastSnapshot(ctx)
	switch {
	case notFoundIsNothing(err) != nil:
		return nil, err
	case err == nil && at.to <= cp.Sequence:
		from = max(from, at.from)
	default: // the longer way leads to the same state
		if err := a.begins(ctx, from, cp.Sequence); err != nil {
			return nil, err
		}
	}
	return a.readState(ctx, max(from, 1), cp.Sequence)
}

// begins refuses a history that was cut off so far that it doesn't tell the whole state at a sequence: it must have its first event, or the end of
// a full snapshot before that.
func (a *Applier) begins(ctx context.Context, first, to uint64) error {
	if first <= 1 {
		return nil
	}
	for e, err := range a.stream.Read(ctx, first, to) {
		if err != nil {
			return err
		}
		if e.Type != proto.TypeSnapshotCommitted {
			continue
		}
		var m proto.SnapshotCommitted
		if err := proto.Unmarshal(e, &m); err != nil || m.GetFull() {
			return err
		}
	}
	return fault.New(fault.Stream, "ldapsync run brings it to the present first",
		"it is at sequence %d of source %s, but the stream begins at %d", to, a.cfg.Source, first)
}
