package extractor

import (
	"context"
	"fmt"

	"ldapsync/proto"
)

// batchSize is how many bytes of entries go into one message, about.
const batchSize = 96 << 10

// outlet turns entries into batches and events, and hands them to send.
type outlet struct {
	cfg       Config
	streamID  string
	snapshot  uint64
	pass      string // random: no two passes have an event id in common, not even two of the same number
	running   uint64
	published uint64 // entries
	send      func(context.Context, proto.Event) (uint64, error)

	lost tally // what the published events have taken away; not what a person approved

	users  pending[*proto.User]
	groups pending[*proto.Group]
}

// pending is a batch that isn't full yet.
type pending[E any] struct {
	ids      []string
	digests  []byte
	retained []proto.Retained
	entries  []E
	known    []*known
	lost     tally // by the changes of the batch
	size     int
}

func (p *pending[E]) add(k *known, id string, d proto.Digest, r proto.Retained, e E, size int) {
	p.ids = append(p.ids, id)
	p.digests = append(p.digests, d[:]...)
	p.retained = append(p.retained, r)
	p.entries = append(p.entries, e)
	p.known = append(p.known, k)
	p.size += size + len(id) + 24
}

// marks returns what the message says about retained entries: nothing where none is.
func (p *pending[E]) marks() []proto.Retained {
	for _, r := range p.retained {
		if r != proto.Retained_RETAINED_UNSPECIFIED {
			return p.retained
		}
	}
	return nil
}

// event publishes one message.
func (o *outlet) event(ctx context.Context, t proto.Type, m proto.Message) (uint64, error) {
	data, err := proto.Marshal(o.cfg.ContentType, m)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t, err)
	}
	return o.message(ctx, proto.Event{Type: t, ContentType: o.cfg.ContentType, Data: data})
}

// message publishes one message that is encoded already.
func (o *outlet) message(ctx context.Context, e proto.Event) (uint64, error) {
	o.running++
	e.ID = fmt.Sprintf("%s/%d/%s.%d", o.streamID, o.snapshot, o.pass, o.running)
	return o.send(ctx, e)
}

// replacement publishes what stands in the place of a message, in the encoding of that one: in another it might be too long.
func (o *outlet) replacement(ctx context.Context, contentType string, m *proto.UserReplaced) error {
	data, err := proto.Marshal(contentType, m)
	if err != nil {
		return fmt.Errorf("%s: %w", proto.TypeUserReplaced, err)
	}
	_, err = o.message(ctx, proto.Event{Type: proto.TypeUserReplaced, ContentType: contentType, Data: data, Replaces: m.GetReplaces()})
	return err
}

// room is how many bytes of entries, as protobuf, one message takes: batchSize, unless the stream's messages are shorter. JSON is up to
// twice as long for text without control characters.
func (o *outlet) room() int {
	return min(batchSize, o.limit()/2)
}

// limit is how long the entries of a message may be, encoded.
func (o *outlet) limit() int { return o.cfg.MaxMessage - 4096 }

// lossSize is about how many bytes a loss takes in a message: mostly the id of a group.
const lossSize = 64

// mostGroups is of how many groups, the largest, a message tells the losses one by one.
func (o *outlet) mostGroups() int { return min(mostGroups, o.limit()/(4*lossSize)) }

// groupsBeside is the same for a message that has so many bytes of entries, as protobuf.
func (o *outlet) groupsBeside(entries int) int {
	if o.cfg.ContentType != proto.ContentTypeProtobuf {
		entries *= 2
	}
	return max(0, min(mostGroups, (o.limit()-entries)/(4*lossSize)))
}

// fits tells whether an entry fits into a message by itself. One that might not is measured as it will be encoded.
func (o *outlet) fits(m proto.Message) bool {
	size := proto.Size(m)
	if o.cfg.ContentType == proto.ContentTypeProtobuf || 6*size < o.limit() {
		return size < o.limit()
	}
	data, err := proto.Marshal(o.cfg.ContentType, m)
	return err == nil && len(data) < o.limit()
}

// user publishes a user, and what her change takes away.
func (o *outlet) user(ctx context.Context, k *known, u *proto.User, d proto.Digest, r proto.Retained, losses []loss) error {
	size := proto.Size(u) + lossSize*len(losses)
	if o.users.size+size > o.room() && len(o.users.ids) > 0 {
		if err := o.flushUsers(ctx); err != nil {
			return err
		}
	}
	k.set(flagCarried)
	o.users.add(k, u.GetId(), d, r, u, size)
	for _, l := range losses {
		if o.users.lost == nil {
			o.users.lost = tally{}
		}
		o.users.lost[l.respect] += l.n
	}
	return nil
}

func (o *outlet) group(ctx context.Context, k *known, g *proto.Group, d proto.Digest, r proto.Retained) error {
	size := proto.Size(g)
	if o.groups.size+size > o.room() && len(o.groups.ids) > 0 {
		if err := o.flushGroups(ctx); err != nil {
			return err
		}
	}
	k.set(flagCarried)
	o.groups.add(k, g.GetId(), d, r, g, size)
	return nil
}

func (o *outlet) flushUsers(ctx context.Context) error {
	p := &o.users
	if len(p.ids) == 0 {
		return nil
	}
	seq, err := o.event(ctx, proto.TypeUserUpserted, &proto.UserUpserted{
		Snapshot: o.snapshot, DigestVersion: proto.DigestVersion,
		Ids: p.ids, Digests: p.digests, Retained: p.marks(), Users: p.entries, Losses: p.lost.proto(o.groupsBeside(p.size)),
	})
	if err != nil {
		return err
	}
	o.sent(seq, p.known)
	for r, n := range p.lost {
		o.lost[r] += n
	}
	o.users = pending[*proto.User]{}
	return nil
}

func (o *outlet) flushGroups(ctx context.Context) error {
	p := &o.groups
	if len(p.ids) == 0 {
		return nil
	}
	seq, err := o.event(ctx, proto.TypeGroupUpserted, &proto.GroupUpserted{
		Snapshot: o.snapshot, DigestVersion: proto.DigestVersion,
		Ids: p.ids, Digests: p.digests, Retained: p.marks(), Groups: p.entries,
	})
	if err != nil {
		return err
	}
	o.sent(seq, p.known)
	o.groups = pending[*proto.Group]{}
	return nil
}

// sent notes which message carries the entries.
func (o *outlet) sent(seq uint64, entries []*known) {
	for _, k := range entries {
		k.carriedBy(seq)
	}
	o.published += uint64(len(entries))
}

// flush publishes what is left, groups first.
func (o *outlet) flush(ctx context.Context) error {
	if err := o.flushGroups(ctx); err != nil {
		return err
	}
	return o.flushUsers(ctx)
}
