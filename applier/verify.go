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
	Held     *Held  // what a repair left to a person, or what is kept because a person rejected its removal
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
// Entries that couldn't be applied, and are dead letters or parked, are no differences, nor is who is missing without ever having had an account. A target
// that is catching up is refused: what was applied to it is ahead of its checkpoint, and a repair would take that back. Links whose removal a person rejected are no
// differences either: they are Held.
func (a *Applier) Verify(ctx context.Context, o VerifyOptions, each func(proto.Kind, Change)) (Verified, error) {
	cfg := a.cfg
	cfg.every, cfg.known = true, true
	var err error
	for range verifyAttempts {
		v := &verifier{options: o, each: each}
		cfg.OnChange = v.repaired
		v.Applier = New(cfg, a.store, a.stream)
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

// verifier is one attempt: what the target holds is read once, in short, and the stream once; only for entries of which something may come are
// their rows looked up and a plan made. Differences are told once it is certain that they were one state's.
type verifier struct {
	*Applier
	stock      *stock
	moreGroups bool // the source manages more of them since something was planned or written
	options    VerifyOptions
	each       func(proto.Kind, Change)
	found      Verified
	changes    []kindChanges
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
	from, err := v.tellsOf(ctx, cp)
	if err != nil {
		return err
	}
	if err := v.takeStock(ctx); err != nil {
		return err
	}
	j := &judging{Stream: v.stream, stock: v.stock}
	v.stream = j
	state, err := v.readState(ctx, from, cp.Sequence)
	j.over = true
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

// takeStock reads the target's tables.
func (v *verifier) takeStock(ctx context.Context) error {
	q := ScanQuery{Source: v.cfg.Source, Memberships: v.cfg.settings(proto.KindUser).memberships}
	for _, kind := range kinds {
		if v.cfg.mapping(kind) != nil {
			q.Kinds = append(q.Kinds, kind)
		}
	}
	return v.retry(ctx, func() error {
		v.stock = newStock(v.cfg)
		return v.store.Scan(ctx, q, v.stock)
	})
}

// repair writes what differs.
func (v *verifier) repair(ctx context.Context, cp *Checkpoint, state *proto.State) error {
	for runs, err := range v.suspects(ctx, state) {
		if err == nil {
			err = v.commitDiffering(ctx, cp, runs)
		}
		if err != nil {
			return err
		}
	}
	held, err := v.sweepStrays(ctx, cp, state)
	v.found.Summary, v.found.Held = v.Summary(), held
	v.unchanged(&v.found.Summary)
	return err
}

// sweepStrays makes links gone whose entries the state doesn't have, and ends what was held of such. It returns what is held now.
func (v *verifier) sweepStrays(ctx context.Context, cp *Checkpoint, state *proto.State) (*Held, error) {
	if v.stock.strays(v.cfg) {
		return v.sweepLinks(ctx, cp, state, "")
	}
	none := v.strays(state, "")
	return v.judgeStrays(ctx, cp, &none)
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

// compare plans for every entry that doesn't agree, at the end of which the checkpoint must still be where it was. Each batch has a read-only
// transaction of its own: in SQLite nobody else can write while there is one.
func (v *verifier) compare(ctx context.Context, cp *Checkpoint, state *proto.State) error {
	p := previewer{Applier: v.Applier, over: newOverlay(nil), sum: &v.found.Summary, each: v.note, most: overlayUsers, sparing: true}
	p.view = func(ctx context.Context, plan func() error) error {
		return v.store.View(ctx, func(r Reader) error {
			p.over.Reader = r
			err := plan()
			for _, l := range p.over.links[proto.KindGroup] {
				v.sees(proto.KindGroup, &l)
			}
			return err
		})
	}
	err := p.batches(ctx, v.suspects(ctx, state))
	if err == nil && v.stock.strays(v.cfg) {
		err = v.look(ctx, func(r Reader) error {
			p.over.Reader = r
			return v.compareStrays(ctx, &p, state)
		})
	}
	if err != nil {
		return err
	}
	v.unchanged(p.sum)
	now, err := v.store.Checkpoint(ctx, v.cfg.Source)
	if err == nil && (now == nil || *now != *cp) {
		err = ErrMoved
	}
	return err
}

// compareStrays plans for links whose entries the state doesn't have, unless they are those that a person decided to keep. The limits don't matter:
// nothing is taken away here.
func (v *verifier) compareStrays(ctx context.Context, p *previewer, state *proto.State) error {
	s := v.strays(state, "")
	if err := s.count(ctx, p.over.Reader); err != nil {
		return err
	}
	rows, err := p.over.HeldRows(ctx)
	if err != nil {
		return err
	}
	if held := s.hold(nil, rows); held != nil && held.Decision == Rejected {
		v.found.Held = held
		return nil
	}
	return p.planStrays(ctx, p.over.Reader, &s)
}

// repaired is called for what a repair has written.
func (v *verifier) repaired(kind proto.Kind, c Change) {
	v.sees(kind, c.Link)
	if v.each != nil {
		v.each(kind, c)
	}
}

func (v *verifier) note(kind proto.Kind, c Change) {
	if v.each != nil && (v.options.Most == 0 || len(v.changes) < v.options.Most) {
		v.changes = append(v.changes, kindChanges{kind, []Change{c}})
	}
}

// stateOf returns the state that the stream has at a checkpoint.
func (a *Applier) stateOf(ctx context.Context, cp *Checkpoint) (*proto.State, error) {
	from, err := a.tellsOf(ctx, cp)
	if err != nil {
		return nil, err
	}
	return a.readState(ctx, from, cp.Sequence)
}

// tellsOf returns the sequence from which on the stream tells the state at a checkpoint.
func (a *Applier) tellsOf(ctx context.Context, cp *Checkpoint) (uint64, error) {
	if cp == nil {
		return 0, fault.New(fault.Database, "ldapsync run applies it", "nothing of source %s was applied to it yet", a.cfg.Source)
	}
	if cp.StreamID != a.stream.StreamID() {
		return 0, fault.New(fault.Stream, "run once with --accept-stream if the new stream is the right one",
			"it follows another stream of source %s (%s) than this one (%s)", a.cfg.Source, cp.StreamID, a.stream.StreamID())
	}
	from, _, err := a.stream.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	at, err := a.lastSnapshot(ctx)
	told := err == nil
	if told && at.to > cp.Sequence {
		told, err = a.nothingBetween(ctx, cp.Sequence, at.to)
	}
	switch {
	case notFoundIsNothing(err) != nil:
		return 0, err
	case told:
		from = max(from, at.from)
	default: // the longer way leads to the same state
		if err := a.begins(ctx, from, cp.Sequence); err != nil {
			return 0, err
		}
	}
	return max(from, 1), nil
}

// nothingBetween tells whether the state is the same at two sequences: the ends of snapshots alone don't move a checkpoint.
func (a *Applier) nothingBetween(ctx context.Context, at, to uint64) (bool, error) {
	for e, err := range a.stream.Read(ctx, at+1, to) {
		if err != nil || e.Type.Entry() {
			return false, err
		}
	}
	return true, nil
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
