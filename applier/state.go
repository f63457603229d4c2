package applier

import (
	"context"

	"ldapsync/proto"
)

// unmapped returns the state to which a changed mapping is to be applied, at a checkpoint: what was applied since the last full snapshot began. All that
// lies before that comes again with it, as it is asked for now; the entries of before may lack what is newly mapped.
func (a *Applier) unmapped(ctx context.Context, cp *Checkpoint) (*proto.State, error) {
	full, err := LastFull(ctx, a.stream)
	if err != nil {
		return nil, err
	}
	return a.readState(ctx, max(full, 1), cp.Sequence)
}

// stated makes an item of an entry of a state.
func stated(e proto.StateEntry) item {
	it := item{id: e.ID(), entry: e.User, digest: e.Digest, seq: e.Sequence, old: e.Retained != 0, kept: e.Missing}
	if e.Kind == proto.KindGroup {
		it.entry = e.Group
	}
	return it
}
