package proto

import (
	"errors"
	"time"
)

// The headers of every message: CloudEvents 1.0 in binary mode, as its NATS protocol binding writes them.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderID          = "ce-id"     // <stream id>/<snapshot>/<random part of the pass>.<running number>
	HeaderType        = "ce-type"   // ldapsync.<type>.v1
	HeaderSource      = "ce-source" // /ldapsync/<source>
	HeaderTime        = "ce-time"   // RFC 3339; when it was made, by its maker's clock: decides nothing
	HeaderContentType = "Content-Type"
	HeaderReplaces    = "ce-replaces" // of user.replaced: the sequence in whose place it stands
	SpecVersion       = "1.0"
)

// CEType is the ce-type of events of type t.
func CEType(t Type) string { return "ldapsync." + string(t) + ".v1" }

// CESource is the ce-source of the events of a source.
func CESource(source string) string { return "/ldapsync/" + source }

// Event is one message of a source's stream, with its headers decoded and its body not.
type Event struct {
	Type        Type
	ID          string // ce-id, see HeaderID
	ContentType string // decides how Data is decoded
	Data        []byte
	Replaces    uint64 // of user.replaced: the sequence in whose place it stands; else 0

	// Set by the stream, zero before it is published.
	Sequence uint64
	Time     time.Time // the stream's own timestamp: the only clock that decides anything
	Pending  uint64    // how many events the stream holds behind this one, where a reader knows it; else 0
}

// ErrNotFound is returned for an event, or an entry, that isn't there.
var ErrNotFound = errors.New("not found")

// ErrRival is returned when another extractor published to the same stream: this one ends and publishes nothing more.
var ErrRival = errors.New("another extractor is publishing to this stream")
