package proto

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// PickUsers returns those users of a user.upserted batch whose ids are wanted, in the order of the batch; wanted is asked once for each
// id, in that order. The other users of a protobuf batch are stepped over without decoding them.
func PickUsers(e Event, wanted func(id string) bool) ([]*User, error) {
	if e.Type == TypeUserUpserted && e.ContentType != ContentTypeProtobuf {
		var m UserUpserted
		if err := Unmarshal(e, &m); err != nil {
			return nil, err
		}
		return choose(e, m.GetIds(), m.GetUsers(), wanted)
	}
	return pick(e, TypeUserUpserted, wanted, func() *User { return new(User) })
}

// PickGroups does for a group.upserted batch what PickUsers does for one of users.
func PickGroups(e Event, wanted func(id string) bool) ([]*Group, error) {
	if e.Type == TypeGroupUpserted && e.ContentType != ContentTypeProtobuf {
		var m GroupUpserted
		if err := Unmarshal(e, &m); err != nil {
			return nil, err
		}
		return choose(e, m.GetIds(), m.GetGroups(), wanted)
	}
	return pick(e, TypeGroupUpserted, wanted, func() *Group { return new(Group) })
}

// choose picks from a batch that is decoded.
func choose[M Message](e Event, ids []string, entries []M, wanted func(string) bool) ([]M, error) {
	if len(ids) != len(entries) {
		return nil, misfit(e, len(ids), len(entries))
	}
	var picked []M
	for i, id := range ids {
		if wanted(id) {
			picked = append(picked, entries[i])
		}
	}
	return picked, nil
}

// pick picks from a batch of type t in protobuf: fields 3 and 15 of UserUpserted and GroupUpserted. The order of fields isn't
// promised by protobuf, so that the entries are decoded when all ids are known.
func pick[M Message](e Event, t Type, wanted func(string) bool, empty func() M) ([]M, error) {
	if e.Type != t {
		return nil, fmt.Errorf("%s, sequence %d: isn't %s", e.Type, e.Sequence, t)
	}
	var entries [][]byte
	var chosen []int
	ids := 0
	err := fields(e.Data, func(field protowire.Number, wire protowire.Type, value []byte) error {
		switch {
		case field == 3 && wire == protowire.BytesType:
			id, _ := protowire.ConsumeBytes(value)
			if wanted(string(id)) {
				chosen = append(chosen, ids)
			}
			ids++
		case field == 15 && wire == protowire.BytesType:
			entry, _ := protowire.ConsumeBytes(value)
			entries = append(entries, entry)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s, sequence %d: %w", e.Type, e.Sequence, err)
	}
	if ids != len(entries) {
		return nil, misfit(e, ids, len(entries))
	}
	var picked []M
	for _, i := range chosen {
		m := empty()
		if err := proto.Unmarshal(entries[i], m); err != nil {
			return nil, fmt.Errorf("%s, sequence %d, entry %d: %w", e.Type, e.Sequence, i+1, err)
		}
		picked = append(picked, m)
	}
	return picked, nil
}

func misfit(e Event, ids, entries int) error {
	return fmt.Errorf("%s, sequence %d: %d ids for %d entries", e.Type, e.Sequence, ids, entries)
}

// fields calls each for every field of an encoded message, in the order of the bytes, with the value as it is encoded.
func fields(b []byte, each func(field protowire.Number, wire protowire.Type, value []byte) error) error {
	for len(b) > 0 {
		field, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		size := protowire.ConsumeFieldValue(field, wire, b[n:])
		if size < 0 {
			return errTruncated
		}
		if err := each(field, wire, b[n:n+size]); err != nil {
			return err
		}
		b = b[n+size:]
	}
	return nil
}
