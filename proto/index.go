package proto

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Index tells which entries an entry event carries, without the entries.
type Index struct {
	Group         bool      // groups, else users
	Removed       bool      // one entry, removed; Digests and Retained are empty then
	Missing       bool      // one user, missing; likewise. She stays what the event before it says
	Since         time.Time // of a missing user: when she was found missing, by the stream's clock
	DigestVersion uint32
	IDs           []string
	Digests       []Digest   // one for each id
	Retained      []Retained // empty, or one for each id
	Losses        []*Loss    // what the changes of a batch of users take away
}

var errTruncated = errors.New("the message is cut short")

// ReadIndex reads the index of an entry event. A protobuf batch isn't decoded for it: its entries are stepped over.
func ReadIndex(e Event) (Index, error) {
	ix := Index{Group: e.Type == TypeGroupUpserted || e.Type == TypeGroupRemoved}
	var err error
	switch e.Type {
	case TypeUserRemoved:
		var m UserRemoved
		if err = Unmarshal(e, &m); err == nil {
			ix.Removed, ix.IDs = true, []string{m.GetUser().GetId()}
		}
		return ix, err
	case TypeUserMissing:
		var m UserMissing
		if err = Unmarshal(e, &m); err == nil {
			ix.Missing, ix.IDs, ix.Since = true, []string{m.GetUser().GetId()}, e.Time
			if m.GetSince() != nil {
				ix.Since = m.GetSince().AsTime()
			}
		}
		return ix, err
	case TypeGroupRemoved:
		var m GroupRemoved
		if err = Unmarshal(e, &m); err == nil {
			ix.Removed, ix.IDs = true, []string{m.GetGroup().GetId()}
		}
		return ix, err
	case TypeUserUpserted, TypeGroupUpserted:
	default:
		return ix, fmt.Errorf("%s, sequence %d: carries no entries", e.Type, e.Sequence)
	}
	var digests []byte
	if e.ContentType == ContentTypeProtobuf {
		digests, err = ix.scan(e.Data)
	} else {
		digests, err = ix.decode(e)
	}
	if err == nil && (len(digests) != 16*len(ix.IDs) || len(ix.Retained) != 0 && len(ix.Retained) != len(ix.IDs)) {
		err = errors.New("ids, digests and retained don't fit together")
	}
	if err != nil {
		return ix, fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, err)
	}
	ix.Digests = make([]Digest, len(ix.IDs))
	for i := range ix.Digests {
		ix.Digests[i] = Digest(digests[16*i:])
	}
	return ix, nil
}

func (ix *Index) decode(e Event) ([]byte, error) {
	if ix.Group {
		var m GroupUpserted
		err := Unmarshal(e, &m)
		ix.IDs, ix.Retained, ix.DigestVersion = m.GetIds(), m.GetRetained(), m.GetDigestVersion()
		return m.GetDigests(), err
	}
	var m UserUpserted
	err := Unmarshal(e, &m)
	ix.IDs, ix.Retained, ix.DigestVersion, ix.Losses = m.GetIds(), m.GetRetained(), m.GetDigestVersion(), m.GetLosses()
	return m.GetDigests(), err
}

// scan reads fields 2 to 6 of UserUpserted or GroupUpserted, which have the same numbers in both.
func (ix *Index) scan(b []byte) (digests []byte, err error) {
	err = fields(b, func(field protowire.Number, wire protowire.Type, value []byte) error {
		switch {
		case field == 2 && wire == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			ix.DigestVersion = uint32(v)
		case field == 3 && wire == protowire.BytesType:
			v, _ := protowire.ConsumeBytes(value)
			ix.IDs = append(ix.IDs, string(v))
		case field == 4 && wire == protowire.BytesType:
			digests, _ = protowire.ConsumeBytes(value)
		case field == 5 && wire == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(value)
			ix.Retained = append(ix.Retained, Retained(v))
		case field == 5 && wire == protowire.BytesType:
			return ix.unpackRetained(value)
		case field == 6 && wire == protowire.BytesType && !ix.Group:
			v, _ := protowire.ConsumeBytes(value)
			loss := new(Loss)
			if err := proto.Unmarshal(v, loss); err != nil {
				return err
			}
			ix.Losses = append(ix.Losses, loss)
		}
		return nil
	})
	return digests, err
}

func (ix *Index) unpackRetained(value []byte) error {
	packed, _ := protowire.ConsumeBytes(value)
	for len(packed) > 0 {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return errTruncated
		}
		packed = packed[n:]
		ix.Retained = append(ix.Retained, Retained(v))
	}
	return nil
}
