package proto_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"ldapsync/proto"
)

var freeze = flag.Bool("freeze", false, "write the wire samples that aren't there yet; those that are never change")

// request stands beside the types of events for what is sent on ldapsync.runs.
const request proto.Type = "run.request"

// outcomes stands beside them for what is sent on ldapsync.outcomes.
const outcomes proto.Type = "outcomes"

// allMessages are those of the whole contract.
func allMessages() []protoreflect.MessageDescriptor {
	var all []protoreflect.MessageDescriptor
	for _, m := range []proto.Message{&proto.User{}, &proto.Outcomes{}} {
		list := m.ProtoReflect().Descriptor().ParentFile().Messages()
		for i := range list.Len() {
			all = append(all, list.Get(i))
		}
	}
	return all
}

// messages has an empty message for each type of event.
func messages() map[proto.Type]proto.Message {
	return map[proto.Type]proto.Message{
		proto.TypeUserUpserted: &proto.UserUpserted{}, proto.TypeUserMissing: &proto.UserMissing{}, proto.TypeUserRemoved: &proto.UserRemoved{},
		proto.TypeGroupUpserted: &proto.GroupUpserted{}, proto.TypeGroupRemoved: &proto.GroupRemoved{},
		proto.TypeSnapshotStarted: &proto.SnapshotStarted{}, proto.TypeSnapshotCommitted: &proto.SnapshotCommitted{},
		proto.TypeSnapshotHeld: &proto.SnapshotHeld{}, proto.TypeSnapshotDecided: &proto.SnapshotDecided{},
		proto.TypeUserReplaced: &proto.UserReplaced{}, proto.TypeSnapshotForgot: &proto.SnapshotForgot{},
		proto.TypeSnapshotAborted: &proto.SnapshotAborted{},
		request:                   &proto.RunRequest{},
		outcomes:                  &proto.Outcomes{},
	}
}

// sampleFile is where the nth sample of a type, from 0, is frozen: user.upserted.v1.json, user.upserted.v1-2.json, …
func sampleFile(kind proto.Type, n int, contentType string) string {
	extension := map[string]string{proto.ContentTypeProtobuf: ".binpb", proto.ContentTypeJSON: ".json"}[contentType]
	name := string(kind) + ".v1"
	if n > 0 {
		name += fmt.Sprintf("-%d", n+1)
	}
	return filepath.Join("testdata", "wire", name+extension)
}

// What was published once stays readable for ever, and says the same.
func TestFrozenSamplesDecodeAndEncodeToThemselves(t *testing.T) {
	if *freeze {
		freezeSamples(t)
	}
	tested := 0
	for _, kind := range append(proto.EventTypes(), request, outcomes) {
		if len(samples()[kind]) == 0 {
			t.Errorf("%s: a new type of event gets a frozen sample: go test ./proto -freeze", kind)
		}
		for n := range samples()[kind] {
			decoded := map[string]proto.Message{}
			for _, contentType := range encodings {
				decoded[contentType] = thaw(t, kind, n, contentType)
				tested++
			}
			if a, b := decoded[proto.ContentTypeProtobuf], decoded[proto.ContentTypeJSON]; !pb.Equal(a, b) {
				t.Errorf("%s, sample %d: the two encodings say different things:\n%v\n%v", kind, n+1, a, b)
			}
		}
	}
	if files, err := os.ReadDir(filepath.Join("testdata", "wire")); err != nil || len(files) != tested {
		t.Errorf("%d samples of %d were tested (%v)", tested, len(files), err)
	}
}

// thaw decodes a frozen sample, and checks that its bytes come back.
func thaw(t *testing.T, kind proto.Type, n int, contentType string) proto.Message {
	t.Helper()
	data, err := os.ReadFile(sampleFile(kind, n, contentType))
	if err != nil {
		t.Fatalf("%v: a new sample is frozen by go test ./proto -freeze", err)
	}
	m := messages()[kind]
	if err := proto.Unmarshal(proto.Event{Type: kind, ContentType: contentType, Data: data}, m); err != nil {
		t.Fatal(err)
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
		t.Errorf("%s, sample %d, %s: encoded again as\n%s\nwas\n%s", kind, n+1, contentType, again, data)
	}
	return m
}

// A field that no sample uses could change its number without a test that fails.
func TestSamplesUseEveryField(t *testing.T) {
	used := map[protoreflect.FullName]bool{}
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			used[f.FullName()] = true
			switch {
			case f.Message() != nil && f.IsList():
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			case f.Message() != nil:
				walk(v.Message())
			}
			return true
		})
	}
	for _, kind := range append(proto.EventTypes(), request, outcomes) {
		for n := range samples()[kind] {
			walk(thaw(t, kind, n, proto.ContentTypeProtobuf).ProtoReflect())
		}
	}
	for _, m := range allMessages() {
		for j := range m.Fields().Len() {
			if name := m.Fields().Get(j).FullName(); !used[name] {
				t.Errorf("%s: no frozen sample uses it", name)
			}
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
	for kind, all := range samples() {
		for n, m := range all {
			for _, contentType := range encodings {
				if name := sampleFile(kind, n, contentType); !exists(name) {
					freezeSample(t, name, contentType, m)
				}
			}
		}
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func freezeSample(t *testing.T, name, contentType string, m proto.Message) {
	t.Helper()
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

// The same message has the same bytes: a publisher that tries again can compare.
func TestMarshalIsDeterministic(t *testing.T) {
	for _, m := range slices.Concat(slices.Collect(maps.Values(samples()))...) {
		first, err := proto.Marshal(proto.ContentTypeProtobuf, m)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			again, err := proto.Marshal(proto.ContentTypeProtobuf, proto.Clone(m))
			if err != nil || !bytes.Equal(first, again) {
				t.Fatalf("%T: other bytes, %v", m, err)
			}
		}
		if proto.Size(m) != len(first) {
			t.Errorf("%T: Size is %d, %d bytes were written", m, proto.Size(m), len(first))
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
