package proto_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"ldapsync/proto"
)

var freeze = flag.Bool("freeze", false, "write the wire samples that aren't there yet; those that are never change")

// request stands beside the types of events for what is sent on ldapsync.runs.
const request proto.Type = "run.request"

// messages has an empty message for each type of event.
func messages() map[proto.Type]proto.Message {
	return map[proto.Type]proto.Message{
		proto.TypeUserUpserted: &proto.UserUpserted{}, proto.TypeUserRemoved: &proto.UserRemoved{},
		proto.TypeGroupUpserted: &proto.GroupUpserted{}, proto.TypeGroupRemoved: &proto.GroupRemoved{},
		proto.TypeSnapshotStarted: &proto.SnapshotStarted{}, proto.TypeSnapshotCommitted: &proto.SnapshotCommitted{},
		proto.TypeSnapshotHeld: &proto.SnapshotHeld{}, proto.TypeSnapshotAborted: &proto.SnapshotAborted{},
		request: &proto.RunRequest{},
	}
}

// samples is what -freeze writes.
func samples() map[proto.Type]proto.Message {
	user := plainUser()
	leaver := &proto.User{Id: "6b5b3b2c-6a39-4d3c-9f0a-0d9d7f1f6d02", Dn: "uid=grace,ou=people,dc=example,dc=com", GroupsUnknown: true,
		Attributes: []*proto.Attribute{{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0xd8, 0, 1}}}}, Active: no(), Staff: yes(), Superuser: no()}
	group := &proto.Group{Id: "g1", Dn: "cn=Staff,ou=groups,dc=example,dc=com", Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"Staff"}}}}
	digest := func(d proto.Digest) []byte { return d[:] }
	return map[proto.Type]proto.Message{
		proto.TypeUserUpserted: &proto.UserUpserted{Snapshot: 7, DigestVersion: 1, Ids: []string{user.Id, leaver.Id},
			Digests:  append(digest(proto.DigestUser(user)), digest(proto.DigestUser(leaver))...),
			Retained: []proto.Retained{proto.Retained_RETAINED_UNSPECIFIED, proto.Retained_RETAINED_MISSING}, Users: []*proto.User{user, leaver}},
		proto.TypeUserRemoved: &proto.UserRemoved{Snapshot: 8, Reason: "looked for by entryUUID, not found", User: leaver},
		proto.TypeGroupUpserted: &proto.GroupUpserted{Snapshot: 7, DigestVersion: 1, Ids: []string{group.Id},
			Digests: digest(proto.DigestGroup(group)), Groups: []*proto.Group{group}},
		proto.TypeGroupRemoved: &proto.GroupRemoved{Snapshot: 8, Reason: "looked for by entryUUID, not found", Group: group},
		proto.TypeSnapshotStarted: &proto.SnapshotStarted{Snapshot: 7, StreamId: "Zk9nq3", Full: true, Server: "ldaps://dc1.example.com:636",
			Question: &proto.Question{Bases: []string{"ou=people,dc=example,dc=com", "ou=groups,dc=example,dc=com"}, UserFilter: "(objectClass=person)",
				GroupFilter: "(objectClass=groupOfNames)", Scope: "subtree", Attributes: []string{"cn", "mail", "uid"},
				NamingContext: "dc=example,dc=com", IdAttribute: "entryUUID"},
			Requests: []string{"request-1"}, Version: "v1.0.0"},
		proto.TypeSnapshotCommitted: &proto.SnapshotCommitted{Snapshot: 8, StartedSequence: 1 << 60, FullSequence: 12,
			Users:    &proto.Counts{Read: 1000, Added: 1, Changed: 2, Unchanged: 994, Removed: 4, Skipped: 1, Held: 3},
			Groups:   &proto.Counts{Read: 40, Unchanged: 40},
			Skipped:  []*proto.Skipped{{Dn: "uid=noname,ou=people,dc=example,dc=com", Reason: "no uid"}},
			FullTime: timestamppb.New(time.Date(2026, 11, 23, 4, 5, 6, 789000000, time.UTC))},
		proto.TypeSnapshotHeld: &proto.SnapshotHeld{Snapshot: 8, Holds: []*proto.Hold{{Kind: "user", Change: "removed", Count: 3, Of: 1000,
			Reason: "more than 0.2 % within a day"}}},
		proto.TypeSnapshotAborted: &proto.SnapshotAborted{Snapshot: 9, Reason: "the server cut the listing: sizeLimitExceeded"},
		request:                   &proto.RunRequest{Id: "request-1", RequestedBy: "ada", Full: true},
	}
}

func sampleFile(kind proto.Type, contentType string) string {
	extension := map[string]string{proto.ContentTypeProtobuf: ".binpb", proto.ContentTypeJSON: ".json"}[contentType]
	return filepath.Join("testdata", "wire", string(kind)+".v1"+extension)
}

// What was published once stays readable for ever, and says the same.
func TestFrozenSamplesDecodeAndEncodeToThemselves(t *testing.T) {
	if *freeze {
		freezeSamples(t)
	}
	for _, kind := range append(proto.EventTypes(), request) {
		decoded := map[string]proto.Message{}
		for _, contentType := range encodings {
			data, err := os.ReadFile(sampleFile(kind, contentType))
			if err != nil {
				t.Errorf("%v: a new type of event gets a frozen sample: go test ./proto -freeze", err)
				continue
			}
			m := messages()[kind]
			if err := proto.Unmarshal(proto.Event{Type: kind, ContentType: contentType, Data: data}, m); err != nil {
				t.Error(err)
				continue
			}
			if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 {
				t.Errorf("%s: %d bytes aren't understood any more", kind, len(unknown))
			}
			again, err := proto.Marshal(contentType, m)
			if err != nil {
				t.Fatal(err)
			}
			if contentType == proto.ContentTypeJSON {
				data, again = compact(t, data), compact(t, again) // protojson promises no white space
			}
			if !bytes.Equal(data, again) {
				t.Errorf("%s, %s: encoded again as\n%s\nwas\n%s", kind, contentType, again, data)
			}
			decoded[contentType] = m
		}
		if a, b := decoded[proto.ContentTypeProtobuf], decoded[proto.ContentTypeJSON]; a != nil && b != nil && !pb.Equal(a, b) {
			t.Errorf("%s: the two encodings say different things:\n%v\n%v", kind, a, b)
		}
	}
}

func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func freezeSamples(t *testing.T) {
	t.Helper()
	for kind, m := range samples() {
		for _, contentType := range encodings {
			name := sampleFile(kind, contentType)
			if _, err := os.Stat(name); err == nil {
				continue
			}
			data, err := proto.Marshal(contentType, m)
			if err != nil {
				t.Fatal(err)
			}
			if contentType == proto.ContentTypeJSON {
				var b bytes.Buffer
				if err := json.Indent(&b, data, "", "  "); err != nil {
					t.Fatal(err)
				}
				data = append(b.Bytes(), '\n')
			}
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The same message has the same bytes: a publisher that tries again can compare.
func TestMarshalIsDeterministic(t *testing.T) {
	for kind, m := range samples() {
		first, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			again, err := proto.Marshal(proto.ContentTypeProtobuf, proto.Clone(m))
			if err != nil || !bytes.Equal(first, again) {
				t.Fatalf("%s: other bytes, %v", kind, err)
			}
		}
		if proto.Size(m) != len(first) {
			t.Errorf("%s: Size is %d, %d bytes were written", kind, proto.Size(m), len(first))
		}
	}
}

func TestUnknownEncodingsAreRefused(t *testing.T) {
	for _, contentType := range []string{"", "application/xml", "application/json; charset=utf-8"} {
		if _, err := proto.Marshal(contentType, &proto.RunRequest{}); err == nil {
			t.Errorf("%q: encoded", contentType)
		}
		if err := proto.Unmarshal(proto.Event{ContentType: contentType, Data: []byte("{}")}, &proto.RunRequest{}); err == nil {
			t.Errorf("%q: decoded", contentType)
		}
	}
}

// A reader of today reads the JSON of tomorrow.
func TestUnknownJSONFieldsAreIgnored(t *testing.T) {
	var m proto.SnapshotAborted
	e := proto.Event{ContentType: proto.ContentTypeJSON, Data: []byte(`{"snapshot":"9","novelty":{"a":1},"reason":"x"}`)}
	if err := proto.Unmarshal(e, &m); err != nil || m.GetSnapshot() != 9 || m.GetReason() != "x" {
		t.Errorf("%v, %v", &m, err)
	}
}
