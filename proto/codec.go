package proto

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Message is any message of this contract.
type Message = proto.Message

// The two encodings. A consumer decides by the Content-Type header, message by message.
const (
	ContentTypeProtobuf = "application/protobuf"
	ContentTypeJSON     = "application/json"
)

// Marshal encodes m as contentType says.
func Marshal(contentType string, m Message) ([]byte, error) {
	switch contentType {
	case ContentTypeProtobuf:
		return proto.MarshalOptions{Deterministic: true}.Marshal(m)
	case ContentTypeJSON:
		return protojson.Marshal(m)
	}
	return nil, fmt.Errorf("content type %q: neither %s nor %s", contentType, ContentTypeProtobuf, ContentTypeJSON)
}

// Unmarshal decodes the body of an event into m. Fields that this version doesn't know are skipped.
func Unmarshal(e Event, m Message) error {
	var err error
	switch e.ContentType {
	case ContentTypeProtobuf:
		err = proto.Unmarshal(e.Data, m)
	case ContentTypeJSON:
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(e.Data, m)
	default:
		err = fmt.Errorf("content type %q: neither %s nor %s", e.ContentType, ContentTypeProtobuf, ContentTypeJSON)
	}
	if err != nil {
		return fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, err)
	}
	return nil
}

// Size is the length in bytes of m as protobuf.
func Size(m Message) int { return proto.Size(m) }

// Clone returns a deep copy of m.
func Clone[M Message](m M) M { return proto.Clone(m).(M) }

// Timestamp is t as a message has it.
func Timestamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }
