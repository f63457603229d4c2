package proto_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"ldapsync/proto"
)

// entry is what users and groups have in common.
type entry interface {
	GetId() string
	GetDn() string
	GetAttributes() []*proto.Attribute
}

// mentioned is Mentions by the words of its comment.
func mentioned(e entry, text string) bool {
	names := []string{e.GetId(), e.GetDn()}
	for _, a := range e.GetAttributes() {
		names = append(names, a.GetValues()...)
	}
	return text == "" || slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, text) })
}

// carried draws an entry event, and what it carries.
func carried(t *rapid.T) (proto.Event, []entry) {
	e := proto.Event{ContentType: rapid.SampledFrom(encodings).Draw(t, "encoding"), Sequence: 7}
	var m proto.Message
	var entries []entry
	e.Type = rapid.SampledFrom([]proto.Type{proto.TypeUserUpserted, proto.TypeGroupUpserted, proto.TypeUserMissing, proto.TypeUserRemoved, proto.TypeGroupRemoved}).Draw(t, "type")
	switch e.Type {
	case proto.TypeUserUpserted:
		b := userBatches().Draw(t, "batch")
		for _, u := range b.Users {
			entries = append(entries, u)
		}
		m = b
	case proto.TypeGroupUpserted:
		b := groupBatches().Draw(t, "batch")
		for _, g := range b.Groups {
			entries = append(entries, g)
		}
		m = b
	case proto.TypeGroupRemoved:
		g := groups().Draw(t, "group")
		m, entries = &proto.GroupRemoved{Snapshot: 3, Reason: "gone", Group: g}, []entry{g}
	default:
		u := users().Draw(t, "user")
		entries = []entry{u}
		if m = (&proto.UserMissing{Snapshot: 3, Reason: "gone", User: u}); e.Type == proto.TypeUserRemoved {
			m = &proto.UserRemoved{Snapshot: 3, Reason: "gone", User: u}
		}
	}
	var err error
	if e.Data, err = proto.Marshal(e.ContentType, m); err != nil {
		t.Fatal(err)
	}
	return e, entries
}

// A scanner finds what one finds that decodes all of it. Texts are drawn from the entries, in other cases, some of which are of other lengths.
func TestScannerEqualsDecoding(t *testing.T) {
	var scanner proto.Scanner
	rapid.Check(t, func(t *rapid.T) {
		e, entries := carried(t)
		texts := []string{"", "a", rapid.String().Draw(t, "text")}
		for _, x := range entries {
			texts = append(texts, x.GetId(), strings.ToUpper(x.GetId()), x.GetDn(), strings.ToLower(x.GetDn()))
			for _, a := range x.GetAttributes() {
				texts = append(texts, a.GetName())
				for _, v := range a.GetValues() {
					texts = append(texts, v, strings.ToUpper(v), strings.ToLower(v), strings.ToTitle(v))
				}
			}
		}
		got, err := scanner.Scan(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(entries) {
			t.Fatalf("%d entries, want %d", len(got), len(entries))
		}
		for i, x := range entries {
			if string(got[i].ID) != x.GetId() {
				t.Fatalf("entry %d: id %q, want %q", i, got[i].ID, x.GetId())
			}
			for _, text := range texts {
				if got, want := got[i].Mentions([]byte(text)), mentioned(x, text); got != want {
					t.Fatalf("%q in %v: %t", text, x, got)
				}
			}
		}
	})
}

// Case is folded as strings.EqualFold does it: one letter for one, whatever its length in bytes.
func TestMentionsFoldsLetters(t *testing.T) {
	for _, contentType := range encodings {
		u := &proto.User{Id: "7", Dn: "uid=\u212aim", Attributes: []*proto.Attribute{{Name: "sn", Values: []string{"Weiß", "Ślaſk"}}, {Name: "photo", Binary: [][]byte{[]byte("photo\xff")}}}}
		e := encoded(t, proto.TypeUserRemoved, contentType, &proto.UserRemoved{User: u})
		var scanner proto.Scanner
		got, err := scanner.Scan(e)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		for text, want := range map[string]bool{"UID=kim": true, "uid=\u212aIM": true, "WEIß": true, "WEIẞ": true, "weiss": false, "śLASK": true, "slask": false,
			"7": true, "sn": false, "photo\xff": false, "weiß ": false, "uid=ki": false} {
			if got[0].Mentions([]byte(text)) != want {
				t.Errorf("%s: %q: %t", contentType, text, !want)
			}
		}
	}
}

func TestScanRefuses(t *testing.T) {
	batch := func(m *proto.UserUpserted) []byte {
		data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := batch(&proto.UserUpserted{Ids: []string{"a"}, Digests: make([]byte, 16), Users: []*proto.User{{Id: "a"}}})
	var scanner proto.Scanner
	for name, e := range map[string]proto.Event{
		"a bracket":            {Type: proto.TypeSnapshotStarted, ContentType: proto.ContentTypeProtobuf},
		"a bracket in JSON":    {Type: proto.TypeSnapshotStarted, ContentType: proto.ContentTypeJSON, Data: []byte("{}")},
		"an unknown encoding":  {Type: proto.TypeUserUpserted, ContentType: "text/plain", Data: whole},
		"a batch cut short":    {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: whole[:len(whole)-1]},
		"an entry too few":     {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: batch(&proto.UserUpserted{Ids: []string{"a"}, Digests: make([]byte, 16)})},
		"a digest too few":     {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: batch(&proto.UserUpserted{Ids: []string{"a"}, Users: []*proto.User{{Id: "a"}}})},
		"the same in JSON":     {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeJSON, Data: []byte(`{"ids":["a"],"users":[{"id":"a"}]}`)},
		"JSON that isn't":      {Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeJSON, Data: whole},
		"a missing cut short":  {Type: proto.TypeUserMissing, ContentType: proto.ContentTypeProtobuf, Data: []byte{0x1a, 5}},
		"an id that cut short": {Type: proto.TypeUserRemoved, ContentType: proto.ContentTypeProtobuf, Data: []byte{0x1a, 2, 0x0a, 5}},
	} {
		if got, err := scanner.Scan(e); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}

// Scanning a batch in protobuf takes no memory, however many it carries.
func TestScanningAllocatesNothing(t *testing.T) {
	m := &proto.UserUpserted{}
	for i := range 400 {
		id := fmt.Sprint("id", i)
		m.Ids, m.Digests = append(m.Ids, id), append(m.Digests, make([]byte, 16)...)
		m.Users = append(m.Users, &proto.User{Id: id, Dn: "uid=" + id, Attributes: word("somebody")})
	}
	e := encoded(t, proto.TypeUserUpserted, proto.ContentTypeProtobuf, m)
	var scanner proto.Scanner
	text, n := []byte("ID399"), 0
	scan := func() {
		entries, err := scanner.Scan(e)
		if err != nil {
			t.Fatal(err)
		}
		n = 0
		for _, x := range entries {
			if x.Mentions(text) {
				n++
			}
		}
	}
	scan()
	if got := testing.AllocsPerRun(10, scan); got != 0 || n != 1 {
		t.Errorf("%v allocations, %d found", got, n)
	}
}

// Whatever bytes arrive, scanning them doesn't panic, and misses nobody whom a full decoder finds.
func FuzzScan(f *testing.F) {
	whole, err := pb.Marshal(&proto.UserUpserted{Snapshot: 3, Ids: []string{"a", "b"}, Digests: make([]byte, 32),
		Users: []*proto.User{{Id: "a", Attributes: word("text")}, {Id: "b", Dn: "text"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0x1a, 0x02, 0x0a, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var scanner proto.Scanner
		for _, kind := range []proto.Type{proto.TypeUserRemoved, proto.TypeUserMissing, proto.TypeGroupRemoved, proto.TypeGroupUpserted} {
			for _, contentType := range encodings {
				entries, _ := scanner.Scan(proto.Event{Type: kind, ContentType: contentType, Data: data})
				for _, x := range entries {
					x.Mentions([]byte("text"))
				}
			}
		}
		entries, err := scanner.Scan(proto.Event{Type: proto.TypeUserUpserted, ContentType: proto.ContentTypeProtobuf, Data: data})
		var m proto.UserUpserted
		if err != nil || pb.Unmarshal(data, &m) != nil {
			return
		}
		if len(entries) != len(m.Users) {
			t.Fatalf("%d of %d", len(entries), len(m.Users))
		}
		for i, u := range m.Users {
			if string(entries[i].ID) != m.Ids[i] || mentioned(u, "text") && !entries[i].Mentions([]byte("text")) {
				t.Fatalf("%v is missed", u)
			}
		}
	})
}

func TestReadEntries(t *testing.T) {
	for _, contentType := range encodings {
		m := &proto.UserUpserted{Ids: []string{"a", "b", "a", "c"}, Digests: make([]byte, 64), Retained: []proto.Retained{0, 0, proto.Retained_RETAINED_MISSING, 0},
			Users: []*proto.User{{Id: "a", Dn: "old"}, {Id: "b"}, {Id: "a", Dn: "new"}, {Id: "c"}}}
		e := encoded(t, proto.TypeUserUpserted, contentType, m)
		e.Sequence = 7
		got, err := proto.ReadEntries(e, func(id string) bool { return id != "c" })
		if err != nil || len(got) != 2 || got[0].ID() != "b" || got[0].Missing || got[1].DN() != "new" || !got[1].Missing || got[1].Sequence != 7 {
			t.Errorf("%s: %v, %v", contentType, got, err)
		}
		for kind, m := range map[proto.Type]proto.Message{proto.TypeUserMissing: &proto.UserMissing{User: m.Users[1]}, proto.TypeUserRemoved: &proto.UserRemoved{User: m.Users[1]}} {
			e := encoded(t, kind, contentType, m)
			got, err := proto.ReadEntries(e, func(id string) bool { return id == "b" })
			if err != nil || (kind == proto.TypeUserMissing) != (len(got) == 1 && got[0].Missing) {
				t.Errorf("%s: %v, %v", kind, got, err)
			}
			if got, err := proto.ReadEntries(e, func(id string) bool { return id == "a" }); err != nil || len(got) != 0 {
				t.Errorf("%s of another: %v, %v", kind, got, err)
			}
		}
	}
}
