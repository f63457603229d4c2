package proto_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"ldapsync/proto"
)

// A reader that skips the entries learns what one learns that decodes them.
func TestReadIndexEqualsDecoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contentType := rapid.SampledFrom(encodings).Draw(t, "encoding")
		e := proto.Event{Type: proto.TypeUserUpserted, ContentType: contentType}
		var m proto.Message
		var want proto.Index
		var digests []byte
		if rapid.Bool().Draw(t, "group") {
			g := groupBatches().Draw(t, "batch")
			m, digests, e.Type = g, g.Digests, proto.TypeGroupUpserted
			want = proto.Index{Group: true, DigestVersion: g.DigestVersion, IDs: g.Ids, Retained: g.Retained}
		} else {
			u := userBatches().Draw(t, "batch")
			m, digests = u, u.Digests
			want = proto.Index{DigestVersion: u.DigestVersion, IDs: u.Ids, Retained: u.Retained, Losses: u.Losses}
		}
		var err error
		if e.Data, err = proto.Marshal(contentType, m); err != nil {
			t.Fatal(err)
		}
		got, err := proto.ReadIndex(e)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.IDs {
			want.Digests = append(want.Digests, proto.Digest(digests[16*i:]))
		}
		sameIndex(t, got, want)
	})
}

func sameIndex(t interface{ Fatalf(string, ...any) }, got, want proto.Index) {
	if got.Group != want.Group || got.Removed != want.Removed || got.Missing != want.Missing || !got.Since.Equal(want.Since) ||
		got.DigestVersion != want.DigestVersion || !slices.Equal(got.IDs, want.IDs) || !slices.Equal(got.Digests, want.Digests) ||
		!slices.Equal(got.Retained, want.Retained) || !slices.EqualFunc(got.Losses, want.Losses, func(a, b *proto.Loss) bool { return pb.Equal(a, b) }) {
		t.Fatalf("index %+v, want %+v", got, want)
	}
}

func TestReadIndexOfRemovals(t *testing.T) {
	for _, contentType := range encodings {
		for kind, m := range map[proto.Type]proto.Message{
			proto.TypeUserRemoved:  &proto.UserRemoved{User: &proto.User{Id: "7"}},
			proto.TypeGroupRemoved: &proto.GroupRemoved{Group: &proto.Group{Id: "7"}},
		} {
			data, err := proto.Marshal(contentType, m)
			if err != nil {
				t.Fatal(err)
			}
			ix, err := proto.ReadIndex(proto.Event{Type: kind, ContentType: contentType, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			sameIndex(t, ix, proto.Index{Group: kind == proto.TypeGroupRemoved, Removed: true, IDs: []string{"7"}})
		}
	}
}

// Who is missing has been so since the event that said it first; the later ones, which full snapshots repeat, name that time.
func TestReadIndexOfTheMissing(t *testing.T) {
	stored, since := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)
	for _, contentType := range encodings {
		for want, m := range map[time.Time]*proto.UserMissing{
			stored: {User: &proto.User{Id: "7"}},
			since:  {User: &proto.User{Id: "7"}, Since: timestamppb.New(since)},
		} {
			data, err := proto.Marshal(contentType, m)
			if err != nil {
				t.Fatal(err)
			}
			ix, err := proto.ReadIndex(proto.Event{Type: proto.TypeUserMissing, ContentType: contentType, Data: data, Time: stored})
			if err != nil {
				t.Fatal(err)
			}
			sameIndex(t, ix, proto.Index{Missing: true, Since: want, IDs: []string{"7"}})
		}
	}
}

func TestReadIndexRefuses(t *testing.T) {
	batch := func(m *proto.UserUpserted) []byte {
		data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := batch(&proto.UserUpserted{Ids: []string{"a"}, Digests: make([]byte, 16), Users: []*proto.User{{Id: "a"}}})
	for name, e := range map[string]proto.Event{
		"a bracket":              {Type: proto.TypeSnapshotStarted, ContentType: proto.ContentTypeProtobuf},
		"an unknown encoding":    {Type: proto.TypeUserUpserted, ContentType: "text/plain", Data: whole},
		"no encoding":            {Type: proto.TypeUserUpserted, Data: whole},
		"a batch cut short":      {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: whole[:len(whole)-1]},
		"a digest too few":       {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: batch(&proto.UserUpserted{Ids: []string{"a"}})},
		"half a digest":          {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: batch(&proto.UserUpserted{Ids: []string{"a"}, Digests: make([]byte, 8)})},
		"a retained mark more":   {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: batch(&proto.UserUpserted{Retained: make([]proto.Retained, 1)})},
		"protobuf that is JSON":  {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: []byte(`{"ids":[]}`)},
		"JSON that is protobuf":  {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeJSON, Data: whole},
		"a loss cut short":       {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: []byte{0x32, 2, 0x0a, 5}},
		"a missing cut short":    {Type: proto.TypeUserMissing, ContentType: proto.ContentTypeProtobuf, Data: []byte{0x1a, 5}},
		"a removal cut short":    {Type: proto.TypeUserRemoved, ContentType: proto.ContentTypeProtobuf, Data: []byte{0x1a, 5}},
		"a type that isn't ours": {Type: "user.renamed", ContentType: proto.ContentTypeProtobuf, Data: whole},
	} {
		if ix, err := proto.ReadIndex(e); err == nil {
			t.Errorf("%s: read as %+v", name, ix)
		}
	}
}

// A later version of the schema may add fields, and other encoders may write repeated enums unpacked.
func TestReadIndexReadsOtherEncoders(t *testing.T) {
	data, err := proto.Marshal(proto.ContentTypeProtobuf, &proto.GroupUpserted{Ids: []string{"a", "b"}, Digests: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []uint64{2, 3} {
		data = protowire.AppendVarint(protowire.AppendTag(data, 5, protowire.VarintType), v)
	}
	data = protowire.AppendString(protowire.AppendTag(data, 99, protowire.BytesType), "new")
	data = protowire.AppendFixed64(protowire.AppendTag(data, 98, protowire.Fixed64Type), 7)
	ix, err := proto.ReadIndex(proto.Event{Type: proto.TypeGroupUpserted, ContentType: proto.ContentTypeProtobuf, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	sameIndex(t, ix, proto.Index{Group: true, IDs: []string{"a", "b"}, Digests: make([]proto.Digest, 2),
		Retained: []proto.Retained{proto.Retained_RETAINED_MISSING, proto.Retained_RETAINED_SKIPPED}})
}

// Whatever bytes arrive, reading the index doesn't panic, and where a full decoder can read them and they fit together, the index is the same.
func FuzzReadIndex(f *testing.F) {
	whole, err := pb.Marshal(&proto.UserUpserted{Snapshot: 3, DigestVersion: 1, Ids: []string{"a", "b"}, Digests: make([]byte, 32),
		Retained: []proto.Retained{1, 2}, Losses: []*proto.Loss{{Kind: "user", Change: "attribute", Key: "mail", Count: 2}},
		Users: []*proto.User{{Id: "a"}, {Id: "b"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0x2a, 0x01, 0xff})
	f.Add([]byte{0x32, 0x02, 0x08, 0x01})
	f.Add([]byte{0x1b, 0x1c})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []proto.Type{proto.TypeUserRemoved, proto.TypeUserMissing, proto.TypeGroupRemoved, proto.TypeGroupUpserted} {
			for _, contentType := range encodings {
				_, _ = proto.ReadIndex(proto.Event{Type: kind, ContentType: contentType, Data: data})
			}
		}
		got, indexErr := proto.ReadIndex(proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data})
		var m proto.UserUpserted
		if pb.Unmarshal(data, &m) != nil {
			return
		}
		fits := len(m.Digests) == 16*len(m.Ids) && (len(m.Retained) == 0 || len(m.Retained) == len(m.Ids))
		if fits != (indexErr == nil) {
			t.Fatalf("fits: %v, error: %v", fits, indexErr)
		}
		if !fits {
			return
		}
		want := proto.Index{DigestVersion: m.DigestVersion, IDs: m.Ids, Retained: m.Retained, Losses: m.Losses}
		for i := range m.Ids {
			want.Digests = append(want.Digests, proto.Digest(m.Digests[16*i:]))
		}
		sameIndex(t, got, want)
	})
}
