package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/proto"
)

// Erase deletes events for good, one after the other: the server overwrites their bytes in its files. One that isn't there any more is no error. Other
// copies of those files (backups, snapshots of the disk) are out of its reach; so is what a server that encrypts its files leaves there, encrypted.
func (l *Log) Erase(ctx context.Context, sequences ...uint64) error {
	for _, sequence := range sequences {
		err := l.bus.retry(ctx, "erasing from "+l.name, func(ctx context.Context) error {
			if _, err := l.state(ctx); err != nil { // of this very stream
				return err
			}
			return l.bus.erase(ctx, l.stream, sequence)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erase deletes one message for good. One that isn't there is no error.
func (b *Bus) erase(ctx context.Context, stream jetstream.Stream, sequence uint64) error {
	err := stream.SecureDeleteMsg(ctx, sequence)
	if !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return err
	}
	name := stream.CachedInfo().Config.Name
	if _, gone := b.ask(ctx, name, query{Sequence: sequence}); !errors.Is(gone, proto.ErrNotFound) {
		return err
	}
	_, unknown := b.info(ctx, name) // a server that is shutting down finds nothing either, but doesn't know its streams any more
	return unknown
}
