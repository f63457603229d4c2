package proto_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"ldapsync/proto"
)

// Picking returns what decoding all and choosing does, in either encoding, and asks for each id once, in order.
func TestPickEqualsDecoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		contentType := rapid.SampledFrom(encodings).Draw(t, "encoding")
		users, groups := userBatches().Draw(t, "users"), groupBatches().Draw(t, "groups")
		choice := rapid.SliceOfN(rapid.Bool(), 4, 4).Draw(t, "wanted")
		asked := []string{}
		wanted := func(id string) bool {
			asked = append(asked, id)
			return choice[len(asked)-1]
		}
		checkPicked(t, choice, users.Users, func() ([]*proto.User, error) {
			return proto.PickUsers(encoded(t, proto.TypeUserUpserted, contentType, users), wanted)
		})
		if !slices.Equal(asked, users.Ids) {
			t.Fatalf("asked for %q, want %q", asked, users.Ids)
		}
		asked = nil
		checkPicked(t, choice, groups.Groups, func() ([]*proto.Group, error) {
			return proto.PickGroups(encoded(t, proto.TypeGroupUpserted, contentType, groups), wanted)
		})
		if !slices.Equal(asked, groups.Ids) {
			t.Fatalf("asked for %q, want %q", asked, groups.Ids)
		}
	})
}

type fataler interface{ Fatalf(string, ...any) }

func encoded(t fataler, kind proto.Type, contentType string, m proto.Message) proto.Event {
	data, err := proto.Marshal(contentType, m)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return proto.Event{Type: kind, ContentType: contentType, Data: data, Sequence: 5}
}

func checkPicked[M proto.Message](t fataler, choice []bool, entries []M, pick func() ([]M, error)) {
	var want []M
	for i, m := range entries {
		if choice[i] {
			want = append(want, m)
		}
	}
	got, err := pick()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if !slices.EqualFunc(got, want, func(a, b M) bool { return pb.Equal(a, b) }) {
		t.Fatalf("picked %v, want %v", got, want)
	}
}

// What nobody asked for isn't decoded: here it couldn't be.
func TestPickStepsOverTheOthers(t *testing.T) {
	e := encoded(t, proto.TypeUserUpserted, proto.ContentTypeProtobuf, &proto.UserUpserted{Ids: []string{"a", "b"}, Users: []*proto.User{{Id: "a"}}})
	e.Data = protowire.AppendBytes(protowire.AppendTag(e.Data, 15, protowire.BytesType), []byte{0x0a, 5})
	users, err := proto.PickUsers(e, func(id string) bool { return id == "a" })
	if err != nil || len(users) != 1 || users[0].GetId() != "a" {
		t.Errorf("picked %v, %v", users, err)
	}
	if users, err := proto.PickUsers(e, func(id string) bool { return id == "b" }); err == nil {
		t.Errorf("picked %v of what is cut short", users)
	}
}

// Protobuf promises no order of fields: other encoders may write the entries first.
func TestPickReadsOtherEncoders(t *testing.T) {
	ids := encoded(t, proto.TypeGroupUpserted, proto.ContentTypeProtobuf, &proto.GroupUpserted{Ids: []string{"a", "b"}})
	e := encoded(t, proto.TypeGroupUpserted, proto.ContentTypeProtobuf, &proto.GroupUpserted{Groups: []*proto.Group{{Id: "a"}, {Id: "b"}}})
	e.Data = append(e.Data, ids.Data...)
	e.Data = protowire.AppendString(protowire.AppendTag(e.Data, 99, protowire.BytesType), "new")
	groups, err := proto.PickGroups(e, func(id string) bool { return id == "b" })
	if err != nil || len(groups) != 1 || groups[0].GetId() != "b" {
		t.Errorf("picked %v, %v", groups, err)
	}
}

func TestPickRefuses(t *testing.T) {
	all := func(string) bool { return true }
	whole := encoded(t, proto.TypeUserUpserted, proto.ContentTypeProtobuf, &proto.UserUpserted{Ids: []string{"a"}, Users: []*proto.User{{Id: "a"}}})
	cut, odd, plain, group, removed := whole, whole, whole, whole, whole
	cut.Data = whole.Data[:len(whole.Data)-1]
	odd.Data = encoded(t, odd.Type, odd.ContentType, &proto.UserUpserted{Ids: []string{"a", "b"}, Users: []*proto.User{{Id: "a"}}}).Data
	plain.ContentType = "text/plain"
	group.Type, removed.Type = proto.TypeGroupUpserted, proto.TypeUserRemoved
	json := encoded(t, proto.TypeUserUpserted, proto.ContentTypeJSON, &proto.UserUpserted{Ids: []string{"a", "b"}, Users: []*proto.User{{Id: "a"}}})
	for name, e := range map[string]proto.Event{
		"a batch cut short": cut, "more ids than users": odd, "an unknown encoding": plain, "a batch of groups": group, "a removal": removed,
		"JSON with more ids than users": json,
	} {
		if users, err := proto.PickUsers(e, all); err == nil {
			t.Errorf("%s: picked %v", name, users)
		}
	}
	if groups, err := proto.PickGroups(whole, all); err == nil {
		t.Errorf("users are groups: %v", groups)
	}
}

// Whatever bytes arrive, picking doesn't panic, and where a full decoder can read them and they fit together, all are picked as it reads them.
func FuzzPickUsers(f *testing.F) {
	whole, err := pb.Marshal(&proto.UserUpserted{Snapshot: 3, Ids: []string{"a", "b"}, Digests: make([]byte, 32), Users: []*proto.User{plainUser(), {Id: "b"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, uint8(3))
	f.Add(whole, uint8(1))
	f.Add(whole[:len(whole)/2], uint8(2))
	f.Add([]byte{0x7b, 0x7c}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, choice uint8) {
		n := 0
		wanted := func(string) bool {
			n++
			return choice>>((n-1)%8)&1 == 1
		}
		for _, contentType := range encodings {
			_, _ = proto.PickGroups(proto.Event{Type: proto.TypeGroupUpserted, ContentType: contentType, Data: data}, wanted)
		}
		n = 0
		got, pickErr := proto.PickUsers(proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data}, wanted)
		var m proto.UserUpserted
		if pb.Unmarshal(data, &m) != nil {
			return
		}
		if fits := len(m.Ids) == len(m.Users); fits != (pickErr == nil) {
			t.Fatalf("fits: %v, error: %v", fits, pickErr)
		} else if !fits {
			return
		}
		var want []*proto.User
		n = 0
		for i, id := range m.Ids {
			if wanted(id) {
				want = append(want, m.Users[i])
			}
		}
		if !slices.EqualFunc(got, want, func(a, b *proto.User) bool { return pb.Equal(a, b) }) {
			t.Fatalf("picked %v, want %v", got, want)
		}
	})
}
