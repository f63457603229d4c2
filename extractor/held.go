package extractor

import (
	"bytes"
	"context"
	"slices"
	"time"

	"ldapsync/proto"
)

// heldFold folds what is held. What a snapshot says of it counts from the moment it is committed, and only if all its parts are there: a pass
// that ends before leaves what was held as it was, and a verdict that it answered finds it as it was shown.
type heldFold struct {
	now  holding // as of the last committed snapshot
	next *parts  // what the open snapshot says so far
}

// parts are those of a SnapshotHeld that have been read.
type parts struct {
	holding
	read, of uint32
}

func (f *heldFold) take(e proto.Event) error {
	switch e.Type {
	case proto.TypeSnapshotStarted, proto.TypeSnapshotAborted:
		f.next = nil
	case proto.TypeSnapshotHeld:
		var m proto.SnapshotHeld
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		f.part(e, &m)
	case proto.TypeSnapshotCommitted:
		if f.next == nil || f.next.read != f.next.of {
			return nil
		}
		f.now, f.next = f.next.holding, nil
		f.now.mend()
	}
	return nil
}

// part takes one part. A part that doesn't follow the one before it makes all of them incomplete.
func (f *heldFold) part(e proto.Event, m *proto.SnapshotHeld) {
	n, of := max(m.GetPart(), 1), max(m.GetParts(), 1)
	if n == 1 {
		f.next = &parts{of: of}
	}
	if f.next == nil || n != f.next.read+1 || of != f.next.of {
		f.next = nil
		return
	}
	f.next.read = n
	f.next.snapshot, f.next.sequence, f.next.time = m.GetSnapshot(), e.Sequence, e.Time
	for i, h := range m.GetHolds() {
		f.next.add(e.Time, h, i == 0 && n > 1)
	}
}

// add takes a hold, or what is more of the last one.
func (h *holding) add(at time.Time, m *proto.Hold, goesOn bool) {
	if m.GetHash() == "" {
		return // by a version that couldn't be asked to let it go: it is judged afresh
	}
	if last := len(h.holds) - 1; goesOn && last >= 0 && h.holds[last].hash == m.GetHash() && h.holds[last].rejected == m.GetRejected() {
		h.holds[last].entries = append(h.holds[last].entries, m.GetEntries()...)
		h.holds[last].digests = append(h.holds[last].digests, m.GetDigests()...)
		return
	}
	since := at
	if m.GetSince() != nil {
		since = m.GetSince().AsTime()
	}
	h.holds = append(h.holds, &hold{
		respect: respect{proto.Kind(m.GetKind()), m.GetChange(), m.GetKey()}, name: m.GetName(), reason: m.GetReason(), of: int(m.GetOf()),
		hash: m.GetHash(), rejected: m.GetRejected(), since: since, entries: m.GetEntries(), digests: m.GetDigests(),
	})
}

// mend sees to it that each hold has the hash of its entries, whoever wrote it: what a person approves is what is there.
func (h *holding) mend() {
	for _, held := range h.holds {
		held.entries = held.entries[:len(held.entries)/16*16]
		if held.change == proto.ChangeRemoved {
			held.digests = nil
		} else if len(held.digests) != len(held.entries) {
			held.digests = bytes.Repeat([]byte{0xff}, len(held.entries)) // nobody has them: they approve nothing
		}
		held.hash = proto.HoldHash(held.kind, held.change, held.key, held.entries, held.digests)
	}
	h.look()
}

// publishHeld publishes what is held, if that isn't what the stream says already.
func (p *pass) publishHeld(ctx context.Context) error {
	same := slices.Equal(p.held.hashes(), p.state.held.now.hashes())
	if same && (!p.sum.Full || len(p.held.holds) == 0) {
		return nil
	}
	messages := split(p.held.holds, p.out.room())
	for i, holds := range messages {
		m := &proto.SnapshotHeld{Snapshot: p.out.snapshot, Holds: holds}
		if len(messages) > 1 {
			m.Part, m.Parts = uint32(i+1), uint32(len(messages))
		}
		if _, err := p.out.event(ctx, proto.TypeSnapshotHeld, m); err != nil {
			return err
		}
	}
	return nil
}

// split divides holds into messages of about room bytes, one at least.
func split(holds []*hold, room int) [][]*proto.Hold {
	messages := [][]*proto.Hold{nil}
	size := 0
	for _, h := range holds {
		per := 16
		if len(h.digests) > 0 {
			per = 32
		}
		for from := 0; from < h.len(); {
			m := h.proto()
			frame := proto.Size(m) + 32
			if size > 0 && size+frame+per > room {
				messages, size = append(messages, nil), 0
			}
			to := min(h.len(), from+max(1, (room-size-frame)/per))
			m.Entries = h.entries[16*from : 16*to]
			if len(h.digests) > 0 {
				m.Digests = h.digests[16*from : 16*to]
			}
			last := len(messages) - 1
			messages[last] = append(messages[last], m)
			size += frame + per*(to-from)
			from = to
		}
	}
	return messages
}
