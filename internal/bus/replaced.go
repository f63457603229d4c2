package bus

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// places knows which events of a stream have a replacement: people were erased from them. It is asked anew when a read begins and when one meets a
// hole, since a replacement is stored before what it replaces is deleted.
type places struct {
	mu    sync.Mutex
	asked bool
	first uint64            // of the stream, when it was asked last
	last  uint64            // likewise
	known uint64            // the last replacement that was read
	of    map[uint64]uint64 // the sequence of an event → that of its last replacement
}

// replacement is one that belongs into a place before its own.
type replacement struct{ place, at uint64 }

// learn reads which replacements there are since it was called last: their headers alone.
func (l *Log) learn(ctx context.Context) error {
	p := &l.places
	p.mu.Lock()
	defer p.mu.Unlock()
	var state jetstream.StreamState
	err := l.bus.once(ctx, func(ctx context.Context) (err error) {
		state, err = l.state(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if !p.asked || state.LastSeq > p.last {
		if err := l.learnNew(ctx); err != nil {
			return err
		}
	}
	if p.asked, p.last = true, state.LastSeq; state.FirstSeq == p.first {
		return nil
	}
	p.first = state.FirstSeq
	maps.DeleteFunc(p.of, func(place, _ uint64) bool { return place < p.first }) // cut off with its history
	return nil
}

// learnNew reads the replacements behind those that are known.
func (l *Log) learnNew(ctx context.Context) error {
	p := &l.places
	if p.of == nil {
		p.of = map[uint64]uint64{}
	}
	var last proto.Event
	err := l.bus.once(ctx, func(ctx context.Context) (err error) {
		last, err = l.leader(ctx, query{Last: proto.Subject(l.source, proto.TypeUserReplaced)})
		return err
	})
	if errors.Is(err, proto.ErrNotFound) || err == nil && last.Sequence <= p.known {
		return nil
	}
	if err != nil {
		return err
	}
	r := l.stored(p.known+1, last.Sequence, proto.TypeUserReplaced)
	r.headers = true
	r.yield = func(e proto.Event, failed error) bool {
		if err = failed; err == nil {
			p.of[e.Replaces], p.known = e.Sequence, e.Sequence
		}
		return err == nil
	}
	r.run(ctx)
	return err
}

// latest is the last replacement that is known.
func (p *places) latest() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

// between lists the replacements whose places are from from to to (0: without end), in the order of the places.
func (p *places) between(from, to uint64) (list []replacement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for place, at := range p.of {
		if place >= from && (to == 0 || place <= to) {
			list = append(list, replacement{place, at})
		}
	}
	slices.SortFunc(list, func(a, b replacement) int { return cmp.Compare(a.place, b.place) })
	return list
}

// at returns the sequence of an event's replacement.
func (p *places) at(place uint64) (sequence uint64, asked, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sequence, ok = p.of[place]
	return sequence, p.asked, ok
}

// replaced returns a replacement as the event in whose place it stands. proto.ErrNotFound if it isn't there any more, and no later one is.
func (l *Log) replaced(ctx context.Context, r replacement) (proto.Event, error) {
	e, err := l.get(ctx, r.at)
	if errors.Is(err, proto.ErrNotFound) {
		if err := l.learn(ctx); err != nil {
			return e, err
		}
		if later, _, ok := l.places.at(r.place); ok && later > r.at {
			e, err = l.get(ctx, later)
		}
	}
	if err != nil {
		return e, err
	}
	var m proto.UserReplaced
	if err := proto.Unmarshal(e, &m); err != nil {
		return e, err
	}
	if m.GetReplaces() != r.place {
		return e, fault.New(fault.Stream, "", "%s, sequence %d: replaces %d, its header says %d", e.Type, e.Sequence, m.GetReplaces(), r.place)
	}
	e.Type, e.Sequence, e.Time, e.Replaces = proto.TypeUserUpserted, r.place, m.GetTime().AsTime(), 0
	return e, nil
}

// inPlace returns the replacement of an event that Get found, or of one that isn't there.
func (l *Log) inPlace(ctx context.Context, e proto.Event, sequence uint64) (proto.Event, error) {
	at, asked, ok := l.places.at(sequence)
	if !ok && (!asked || e.Sequence == 0) {
		if err := l.learn(ctx); err != nil {
			return e, err
		}
		at, _, ok = l.places.at(sequence)
	}
	if ok {
		return l.replaced(ctx, replacement{sequence, at})
	}
	if e.Sequence == 0 {
		return e, proto.ErrNotFound
	}
	return e, nil
}

// Stored hands out the events of these types (none: all) as they are stored, up to the last one of now: replacements in the places that they have
// themselves, and beside them what they replace, where that is still there. The sequence ends with an error, or complete.
func (l *Log) Stored(ctx context.Context, types ...proto.Type) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		_, last, err := l.Bounds(ctx)
		if err != nil {
			yield(proto.Event{}, err)
			return
		}
		r := l.stored(1, last, types...)
		if r.yield = yield; last > 0 {
			r.run(ctx)
		}
	}
}

// stored is a reader that puts nothing in the place of anything.
func (l *Log) stored(from, to uint64, types ...proto.Type) *reader {
	r := &reader{log: l, next: from, to: to, raw: true}
	for _, t := range types {
		r.subjects = append(r.subjects, proto.Subject(l.source, t))
	}
	return r
}

// replaces tells whether the reader has to put replacements in their places: it reads what they replace.
func (r *reader) replaces() bool {
	return !r.raw && (len(r.subjects) == 0 || slices.Contains(r.subjects, proto.Subject(r.log.source, proto.TypeUserUpserted)))
}

// expect learns which replacements belong behind what was read.
func (r *reader) expect(ctx context.Context) error {
	if !r.replaces() {
		return nil
	}
	if err := r.log.learn(ctx); err != nil {
		return err
	}
	if known := r.log.places.latest(); known != r.learnt {
		r.places, r.learnt = r.log.places.between(r.next, r.to), known
	}
	return nil
}

// fill hands out the replacements whose places are up to a sequence: that of the next message, with so many pending behind it. They come instead of what
// is there, or isn't. hole says that something before isn't.
func (r *reader) fill(ctx context.Context, through, pending uint64, hole bool) error {
	if !r.replaces() {
		return nil
	}
	if hole && len(r.subjects) == 0 { // it may be younger than what is known
		if err := r.expect(ctx); err != nil {
			return err
		}
	}
	for len(r.places) > 0 && r.places[0].place <= through {
		next := r.places[0]
		if next.place < r.next {
			r.places = r.places[1:]
			continue
		}
		e, err := r.place(ctx, next)
		if err != nil && !errors.Is(err, proto.ErrNotFound) {
			return err
		}
		r.places = r.places[1:]
		if err != nil || e.Time.Before(r.from) {
			continue
		}
		if e.Pending = pending; next.place < through {
			e.Pending++
		}
		if r.next = next.place + 1; !r.yield(e, nil) {
			r.done = true
			return nil
		}
	}
	return nil
}

func (r *reader) place(ctx context.Context, next replacement) (e proto.Event, err error) {
	err = r.log.bus.once(ctx, func(ctx context.Context) error {
		e, err = r.log.replaced(ctx, next)
		return err
	})
	return e, err
}

// finish hands out what belongs behind the last message, and ends a bounded read.
func (r *reader) finish(ctx context.Context) error {
	if err := r.fill(ctx, r.to, 0, r.next <= r.to); err != nil || r.done {
		return err
	}
	if err := r.undisturbed(ctx); err != nil {
		return err
	}
	r.done = true
	return nil
}

// undisturbed sees to it that nothing was erased in the back of a reader that can't tell a hole from what it doesn't read.
func (r *reader) undisturbed(ctx context.Context) error {
	if !r.replaces() || len(r.subjects) == 0 {
		return nil
	}
	before := r.learnt
	if err := r.log.learn(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(r.log.places.between(r.begin, r.to), func(late replacement) bool { return late.at > before }) {
		return fault.New(fault.Stream, "read it again", "stream %s: somebody was erased while it was read", r.log.name)
	}
	return nil
}
