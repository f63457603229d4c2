package extractor

import (
	"testing"

	pb "google.golang.org/protobuf/proto"

	"ldapsync/proto"
)

// What a batch says of those who stay goes with them: digests and marks.
func TestWithoutKeepsTheRestInOrder(t *testing.T) {
	batch := func(marks bool, ids ...string) *proto.UserReplaced {
		m := &proto.UserReplaced{}
		for _, id := range ids {
			u := &proto.User{Id: id, Dn: "uid=" + id}
			d := proto.DigestUser(u)
			m.Ids, m.Users, m.Digests = append(m.Ids, id), append(m.Users, u), append(m.Digests, d[:]...)
			if marks {
				m.Retained = append(m.Retained, proto.Retained(len(id)%4))
			}
		}
		return m
	}
	for _, marks := range []bool{true, false} {
		got := batch(marks, "a", "bb", "ccc", "dddd", "eeeee", "bb")
		without(got, map[key]bool{keyOf("a"): true, keyOf("bb"): true, keyOf("dddd"): true})
		if want := batch(marks, "ccc", "eeeee"); !pb.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
