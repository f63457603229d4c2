package bus

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// metaStreamID is where a stream's metadata keep its identity.
const metaStreamID = "stream_id"

// forgetIDs is after how long the stream of a source's events forgets its message ids, as soon as the server allows. Nothing depends on them: a
// publish states the sequence that it expects, and an id of its own. A server that starts reads all messages of that time for the sake of their ids.
const forgetIDs = 100 * time.Millisecond

// eventsStream is how the stream of a source's events should be. Retention is the extractor's business alone: nothing expires by age
// or number, and a full stream refuses what is new.
func (b *Bus) eventsStream(source string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        proto.StreamName(source),
		Description: "ldapsync: events of source " + source,
		Subjects:    []string{proto.SubjectAll(source)},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Compression: jetstream.S2Compression,
		Duplicates:  forgetIDs,
		Replicas:    b.cfg.Replicas,
		AllowDirect: true,
	}
}

// runsStream is how the stream of requests should be: one is kept until the extractor of its source has acknowledged it, or a week.
func (b *Bus) runsStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              proto.RunsStream,
		Description:       "ldapsync: requests for passes",
		Subjects:          []string{proto.RunsSubject("*")},
		Retention:         jetstream.WorkQueuePolicy,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1000,
		MaxAge:            7 * 24 * time.Hour,
		Storage:           jetstream.FileStorage,
		Replicas:          b.cfg.Replicas,
	}
}

// ensure creates the stream, or brings it to what is wanted, and returns it as it is then. Of several processes that create it at
// once, one does; all of them return the same identity.
func (b *Bus) ensure(ctx context.Context, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	var info *jetstream.StreamInfo
	err := b.retry(ctx, "stream "+want.Name, func(ctx context.Context) (err error) {
		info, err = b.ensureOnce(ctx, want)
		return err
	})
	return info, err
}

func (b *Bus) ensureOnce(ctx context.Context, want jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	info, err := b.info(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		want.Metadata = map[string]string{metaStreamID: newID()}
		_, err = b.js.CreateStream(ctx, want)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, err
		}
		info, err = b.info(ctx, want.Name) // ours, or that of whoever was faster
	}
	if err != nil {
		return nil, err
	}
	next, differs, err := desired(info, want)
	if err != nil || !differs && (b.embedded == nil || info.Config.Duplicates == next.Duplicates) {
		return info, err
	}
	if _, err = b.js.UpdateStream(ctx, next); err != nil {
		return nil, err
	}
	return b.info(ctx, want.Name)
}

// info asks the stream's leader how it is now. Not through jetstream.Stream, which keeps an answer.
func (b *Bus) info(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil // just asked for
}

func validSource(source string) error {
	if proto.ValidName(source) {
		return nil
	}
	return fault.New(fault.Usage, "use small letters, digits, - and _", "source %q: not a name", source)
}

// desired returns the stream's configuration with what matters brought to want, and whether it differs. What else a person has
// set (replicas, placement, a limit on bytes, metadata) stays. How long ids are known matters to an embedded server alone: another one may not let
// everybody change a stream who reads it.
func desired(info *jetstream.StreamInfo, want jetstream.StreamConfig) (next jetstream.StreamConfig, differs bool, err error) {
	is := info.Config
	if is.Mirror != nil || len(is.Sources) > 0 {
		return is, false, fault.New(fault.Stream, "remove its mirror or sources: only the extractor may write to it", "stream %s is filled from another stream", is.Name)
	}
	if is.Retention != want.Retention || is.Storage != want.Storage {
		return is, false, fault.New(fault.Stream, "it was made by something else; back it up, and remove or rename it", "stream %s has %s retention and %s storage, not %s and %s",
			is.Name, is.Retention, is.Storage, want.Retention, want.Storage)
	}
	next = is
	next.Subjects, next.Discard, next.Compression = want.Subjects, want.Discard, want.Compression
	next.MaxAge, next.MaxMsgsPerSubject = want.MaxAge, want.MaxMsgsPerSubject
	next.AllowDirect, next.Metadata = want.AllowDirect, maps.Clone(is.Metadata)
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	next.Metadata[metaStreamID] = identity(info)
	if want.Duplicates != 0 {
		next.Duplicates = want.Duplicates
	}
	if want.MaxMsgsPerSubject == 0 {
		next.MaxMsgs, next.MaxMsgsPerSubject = -1, -1
	}
	differs = !slices.Equal(is.Subjects, next.Subjects) || is.Discard != next.Discard || is.Compression != next.Compression ||
		is.MaxAge != next.MaxAge || is.MaxMsgs != next.MaxMsgs || is.MaxMsgsPerSubject != next.MaxMsgsPerSubject ||
		is.AllowDirect != next.AllowDirect || is.Metadata[metaStreamID] == ""
	return next, differs, nil
}

// identity is the stream_id of a stream: random, and in its metadata since it was created. One that was made by hand and has none
// gets it from its name and its birth, so that everybody who adds it adds the same.
func identity(info *jetstream.StreamInfo) string {
	if id := info.Config.Metadata[metaStreamID]; id != "" {
		return id
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", info.Config.Name, info.Created.UnixNano()))
	return hex.EncodeToString(sum[:16])
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
