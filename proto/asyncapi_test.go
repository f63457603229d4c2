package proto_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"ldapsync/proto"
)

// node is a mapping of the document.
type node = map[string]any

func asyncAPI(t *testing.T) node {
	t.Helper()
	data, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at follows keys down into the document; it is nil where there is nothing.
func at(n any, keys ...string) any {
	for _, key := range keys {
		m, _ := n.(node)
		n = m[key]
	}
	return n
}

// ref is the last part of what a $ref points to.
func ref(n any) string {
	s, _ := at(n, "$ref").(string)
	return s[strings.LastIndex(s, "/")+1:]
}

func descriptor(kind proto.Type) protoreflect.MessageDescriptor {
	return messages()[kind].ProtoReflect().Descriptor()
}

// Subjects, streams, headers and payloads of all events are those of the code, and there are no others.
func TestAsyncAPIDescribesEverySubject(t *testing.T) {
	doc := asyncAPI(t)
	if doc["asyncapi"] != "3.0.0" || doc["defaultContentType"] != proto.ContentTypeProtobuf {
		t.Errorf("asyncapi %v, defaultContentType %v", doc["asyncapi"], doc["defaultContentType"])
	}
	channels, _ := doc["channels"].(node)
	byAddress := map[string]string{}
	for name, channel := range channels {
		byAddress[fmt.Sprint(at(channel, "address"))] = name
	}
	kinds := append(proto.EventTypes(), request, outcomes)
	if len(channels) != len(kinds) || len(byAddress) != len(kinds) || len(doc["operations"].(node)) != len(kinds) {
		t.Errorf("%d channels, %d addresses, %d operations, want %d of each", len(channels), len(byAddress), len(doc["operations"].(node)), len(kinds))
	}
	for _, kind := range kinds {
		subject, stream, name, action := proto.Subject("{source}", kind), proto.StreamName("{source}"), proto.CEType(kind), "send"
		if kind == request {
			subject, stream, name, action = proto.RunsSubject("{source}"), proto.RunsStream, "ldapsync.runs", "receive"
		} else if kind == outcomes {
			subject, stream, name = proto.OutcomeSubject("{target}", "{type}"), proto.OutcomesStream("{target}"), "ldapsync.outcomes"
		}
		message := string(descriptor(kind).Name())
		channel := byAddress[subject]
		if channel == "" {
			t.Errorf("no channel has the address %s", subject)
			continue
		}
		checkEqual(t, channel+": stream", at(channels[channel], "x-nats-stream"), stream)
		checkEqual(t, channel+": message", ref(at(channels[channel], "messages", message)), message)
		checkMessage(t, doc, kind, message, name)
		checkOperation(t, doc, channel, action)
	}
}

func checkMessage(t *testing.T, doc node, kind proto.Type, message, name string) {
	t.Helper()
	m := at(doc, "components", "messages", message)
	checkEqual(t, message+": name", at(m, "name"), name)
	checkEqual(t, message+": contentType", at(m, "contentType"), proto.ContentTypeProtobuf)
	checkEqual(t, message+": payload", ref(at(m, "payload")), message)
	checkEqual(t, message+": x-protobuf", at(m, "x-protobuf"), string(descriptor(kind).FullName()))
	if kind == request {
		return
	}
	all, _ := at(m, "headers", "allOf").([]any)
	if len(all) != 2 {
		t.Errorf("%s: headers: %v", message, all)
		return
	}
	checkEqual(t, message+": headers", ref(all[0]), "Headers")
	if kind != outcomes {
		checkEqual(t, message+": ce-type", at(all[1], "properties", proto.HeaderType, "const"), proto.CEType(kind))
		return
	}
	var types, ceTypes []string
	for _, o := range proto.OutcomeTypes() {
		types, ceTypes = append(types, string(o)), append(ceTypes, proto.OutcomeCEType(o))
	}
	checkEqual(t, message+": types", fmt.Sprint(at(doc, "components", "parameters", "type", "enum")), fmt.Sprint(types))
	checkEqual(t, message+": ce-type", fmt.Sprint(at(all[1], "properties", proto.HeaderType, "enum")), fmt.Sprint(ceTypes))
}

func checkOperation(t *testing.T, doc node, channel, action string) {
	t.Helper()
	for _, operation := range doc["operations"].(node) {
		if ref(at(operation, "channel")) == channel {
			checkEqual(t, channel+": action", at(operation, "action"), action)
			return
		}
	}
	t.Errorf("%s: no operation", channel)
}

func checkEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestAsyncAPIHeaders(t *testing.T) {
	headers := at(asyncAPI(t), "components", "schemas", "Headers")
	want := []string{proto.HeaderContentType, proto.HeaderID, proto.HeaderSource, proto.HeaderSpecVersion, proto.HeaderTime, proto.HeaderType}
	slices.Sort(want)
	properties, _ := at(headers, "properties").(node)
	if got := slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
		t.Errorf("headers: %v, want %v", got, want)
	}
	var required []string
	for _, name := range at(headers, "required").([]any) {
		required = append(required, name.(string))
	}
	slices.Sort(required)
	if !slices.Equal(required, want) {
		t.Errorf("required headers: %v, want %v", required, want)
	}
	checkEqual(t, proto.HeaderSpecVersion, at(properties, proto.HeaderSpecVersion, "const"), proto.SpecVersion)
	checkEqual(t, proto.HeaderContentType, fmt.Sprint(at(properties, proto.HeaderContentType, "enum")), fmt.Sprint(encodings))
}

// The JSON schemas have the fields, names and types of the protobuf schema: all of them, and nothing else.
func TestAsyncAPISchemasAreTheProtobufOnes(t *testing.T) {
	schemas := at(asyncAPI(t), "components", "schemas").(node)
	file := (&proto.User{}).ProtoReflect().Descriptor().ParentFile()
	known := map[string]bool{"Headers": true}
	for _, m := range allMessages() {
		name := string(m.Name())
		known[name] = true
		properties, _ := at(schemas[name], "properties").(node)
		var want []string
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			want = append(want, f.JSONName())
			schema := properties[f.JSONName()]
			if f.IsList() {
				checkEqual(t, name+"."+f.JSONName(), at(schema, "type"), "array")
				schema = at(schema, "items")
			}
			checkEqual(t, name+"."+f.JSONName(), schemaOf(schema), jsonType(f))
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
			t.Errorf("%s: properties %v, want %v", name, got, want)
		}
	}
	for i := range file.Enums().Len() {
		e := file.Enums().Get(i)
		known[string(e.Name())] = true
		var want []any
		for j := range e.Values().Len() {
			want = append(want, string(e.Values().Get(j).Name()))
		}
		checkEqual(t, string(e.Name()), fmt.Sprint(at(schemas[string(e.Name())], "enum")), fmt.Sprint(want))
	}
	for name := range schemas {
		if !known[name] {
			t.Errorf("schema %s: the contract has no such message", name)
		}
	}
}

// schemaOf sums up a property's schema in the words of jsonType.
func schemaOf(schema any) string {
	if name := ref(schema); name != "" {
		return name
	}
	kind := fmt.Sprint(at(schema, "type"))
	for _, detail := range []string{"format", "contentEncoding", "pattern"} {
		if d := at(schema, detail); d != nil {
			kind += " " + fmt.Sprint(d)
		}
	}
	return kind
}

// jsonType is how protojson writes a field: https://protobuf.dev/programming-guides/json.
func jsonType(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return "boolean"
	case protoreflect.Uint32Kind:
		return "integer"
	case protoreflect.Uint64Kind:
		return "string ^[0-9]+$"
	case protoreflect.StringKind:
		return "string"
	case protoreflect.BytesKind:
		return "string base64"
	case protoreflect.EnumKind:
		return string(f.Enum().Name())
	case protoreflect.MessageKind:
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			return "string date-time"
		}
		return string(f.Message().Name())
	}
	return "unknown to this test: " + f.Kind().String()
}

// Every reference leads somewhere.
func TestAsyncAPIReferences(t *testing.T) {
	doc := asyncAPI(t)
	var walk func(n any)
	walk = func(n any) {
		switch n := n.(type) {
		case node:
			if target, ok := n["$ref"].(string); ok {
				path, local := strings.CutPrefix(target, "#/")
				if !local || at(doc, strings.Split(path, "/")...) == nil {
					t.Errorf("$ref %s leads nowhere", target)
				}
			}
			for _, child := range n {
				walk(child)
			}
		case []any:
			for _, child := range n {
				walk(child)
			}
		}
	}
	walk(doc)
}
