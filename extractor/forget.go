package extractor

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// Eraser is a Log out of which people can be taken.
type Eraser interface {
	// Stored hands out the events of these types as they are stored: replacements in the places that they have themselves, and beside them what
	// they replace, where that is still there. The sequence ends with an error, or complete.
	Stored(ctx context.Context, types ...proto.Type) iter.Seq2[proto.Event, error]
	// Floor returns up to where every consumer has seen the stream, and who is the last one; "" if nobody consumes it.
	Floor(ctx context.Context) (sequence uint64, who string, err error)
	// Erase deletes events for good, one after the other. One that isn't there any more is no error.
	Erase(ctx context.Context, sequences ...uint64) error
}

// Trace lists the events that carry a user, by their sequences in the history, in order; an event that stands in the place of another has that one's.
// It reads every event of users.
func Trace(ctx context.Context, log Eraser, id string) ([]uint64, error) {
	k := keyOf(id)
	t, err := trace(ctx, log, map[key]bool{k: true})
	if err != nil {
		return nil, err
	}
	var places []uint64
	for place := range t.places {
		places = append(places, place)
	}
	slices.Sort(places)
	return places, nil
}

// traces are where a stream carries some users.
type traces struct {
	places map[uint64][]stored
	last   map[key]uint64 // the last place of each
}

// stored is a message of a place: the event itself, or a replacement of it. The last one of a place counts.
type stored struct {
	sequence uint64
	batch    bool
	carries  []key
}

// trace reads where a stream carries these users.
func trace(ctx context.Context, log Eraser, users map[key]bool) (*traces, error) {
	t := &traces{places: map[uint64][]stored{}, last: map[key]uint64{}}
	if len(users) == 0 {
		return t, nil
	}
	for e, err := range log.Stored(ctx, proto.TypeUserUpserted, proto.TypeUserReplaced, proto.TypeUserMissing, proto.TypeUserRemoved) {
		if err != nil {
			return nil, err
		}
		place, s := e.Sequence, stored{sequence: e.Sequence}
		if e.Type == proto.TypeUserReplaced {
			e.Type, place = proto.TypeUserUpserted, e.Replaces
		}
		s.batch = e.Type == proto.TypeUserUpserted
		ix, err := proto.ReadIndex(e)
		if err != nil {
			return nil, err
		}
		for _, id := range ix.IDs {
			if k := keyOf(id); users[k] {
				s.carries = append(s.carries, k)
				t.last[k] = max(t.last[k], place)
			}
		}
		if len(s.carries) > 0 || len(t.places[place]) > 0 {
			t.places[place] = append(t.places[place], s)
		}
	}
	return t, nil
}

// forgetting is what a pass erases when it has committed its snapshot, which needs nothing of what was published before.
type forgetting struct {
	requests []*forgetRequest
	erase    []uint64 // messages, in ascending order: what is replaced before its replacements
}

// forgetRequest is a request to erase somebody, and what came of it.
type forgetRequest struct {
	forget   *proto.Forget
	key      key
	note     string // why it isn't done
	messages uint64
}

// forget publishes what stands from now on in the place of the events from which people are to be erased, and returns what is to be erased then. Of an
// earlier pass that was killed it finds what that one has published, and goes on. It comes last: who is in the directory is known then, and its
// own events are looked at.
func (p *pass) forget(ctx context.Context, forgets []*proto.Forget) (*forgetting, error) {
	f := &forgetting{}
	if len(forgets) == 0 {
		return f, nil
	}
	log, ok := p.log.(Eraser)
	if !ok {
		return nil, fault.New(fault.Stream, "", "nobody can be erased from this stream")
	}
	wanted := map[key]bool{}
	for _, m := range forgets {
		r := &forgetRequest{forget: m}
		f.requests = append(f.requests, r)
		if len(m.GetKey()) != len(r.key) {
			r.note = fmt.Sprintf("its key has %d bytes, not %d", len(m.GetKey()), len(r.key))
			continue
		}
		r.key = key(m.GetKey())
		if k := p.state.kinds[proto.KindUser].find(r.key); k != nil && !k.is(flagRemoved) {
			r.note = "still in the directory, or kept as last known: only who was removed can be erased"
			continue
		}
		wanted[r.key] = true
	}
	if _, err := p.log.Flush(ctx); err != nil {
		return nil, err
	}
	t, err := trace(ctx, log, wanted)
	if err != nil {
		return nil, err
	}
	if err := f.respectConsumers(ctx, log, t, wanted); err != nil {
		return nil, err
	}
	for _, place := range slices.Sorted(maps.Keys(t.places)) {
		if err := p.forgetAt(ctx, f, place, t.places[place], wanted); err != nil {
			return nil, err
		}
	}
	slices.Sort(f.erase)
	return f, nil
}

// respectConsumers erases nobody whom a consumer hasn't seen to the end: it would never learn that she was removed.
func (f *forgetting) respectConsumers(ctx context.Context, log Eraser, t *traces, wanted map[key]bool) error {
	floor, who, err := log.Floor(ctx)
	if err != nil || who == "" {
		return err
	}
	for _, r := range f.requests {
		if last := t.last[r.key]; r.note == "" && last > floor {
			r.note = fmt.Sprintf("%s is at sequence %d and hasn't seen her removal, %d: let it, or drop it (ldapsync consumers), then ask again", who, floor, last)
			delete(wanted, r.key)
		}
	}
	return nil
}

// forgetAt publishes what belongs into one place, and notes which messages are to be erased from it.
func (p *pass) forgetAt(ctx context.Context, f *forgetting, place uint64, messages []stored, wanted map[key]bool) error {
	unwanted := func(k key) bool { return wanted[k] }
	for _, m := range messages {
		if !slices.ContainsFunc(m.carries, unwanted) {
			continue
		}
		f.erase = append(f.erase, m.sequence)
		for _, r := range f.requests {
			if r.note == "" && slices.Contains(m.carries, r.key) {
				r.messages++
			}
		}
	}
	if last := messages[len(messages)-1]; !last.batch || !slices.ContainsFunc(last.carries, unwanted) {
		return nil
	}
	e, err := p.log.Get(ctx, place)
	if err != nil {
		return fmt.Errorf("stream: sequence %d: %w", place, err)
	}
	var m proto.UserReplaced // an event that wasn't replaced yet is one, too, but for what it replaces
	if err := proto.Unmarshal(e, &m); err != nil {
		return err
	}
	if len(m.Users) != len(m.Ids) {
		return fmt.Errorf("stream: sequence %d: %d ids for %d users", place, len(m.Ids), len(m.Users))
	}
	without(&m, wanted)
	if len(m.Ids) == 0 {
		return nil
	}
	m.Replaces, m.Time = place, proto.Timestamp(e.Time)
	return p.out.replacement(ctx, e.ContentType, &m)
}

// without takes users out of a batch.
func without(m *proto.UserReplaced, users map[key]bool) {
	n := 0
	for i, id := range m.Ids {
		if users[keyOf(id)] {
			continue
		}
		m.Ids[n], m.Users[n] = id, m.Users[i]
		copy(m.Digests[16*n:16*n+16], m.Digests[16*i:])
		if len(m.Retained) > 0 {
			m.Retained[n] = m.Retained[i]
		}
		n++
	}
	m.Ids, m.Users, m.Digests = m.Ids[:n], m.Users[:n], m.Digests[:16*n]
	if len(m.Retained) > 0 {
		m.Retained = m.Retained[:n]
	}
}

// carryOut erases, and says so.
func (f *forgetting) carryOut(ctx context.Context, p *pass) error {
	if len(f.requests) == 0 {
		return nil
	}
	if len(f.erase) > 0 {
		if err := p.log.(Eraser).Erase(ctx, f.erase...); err != nil {
			return err
		}
	}
	for _, r := range f.requests {
		m := &proto.SnapshotForgot{Snapshot: p.out.snapshot, Forget: r.forget, Messages: r.messages, Note: r.note}
		p.sum.Forgot = append(p.sum.Forgot, m)
		if _, err := p.out.event(ctx, proto.TypeSnapshotForgot, m); err != nil {
			return err
		}
	}
	_, err := p.log.Flush(ctx)
	return err
}
