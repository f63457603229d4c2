package proto_test

import (
	"strings"
	"testing"

	"ldapsync/proto"
)

func TestSubjectsParseBack(t *testing.T) {
	for _, source := range []string{"corp", "a", "0", "my-ldap_2", strings.Repeat("x", 63)} {
		for _, kind := range proto.EventTypes() {
			subject := proto.Subject(source, kind)
			gotSource, gotKind, err := proto.ParseSubject(subject)
			if err != nil || gotSource != source || gotKind != kind {
				t.Errorf("%s: %q, %q, %v", subject, gotSource, gotKind, err)
			}
			if prefix, ok := strings.CutSuffix(proto.SubjectAll(source), ">"); !ok || !strings.HasPrefix(subject, prefix) {
				t.Errorf("%s isn't among %s", subject, proto.SubjectAll(source))
			}
		}
	}
}

func TestParseSubjectRefuses(t *testing.T) {
	for _, subject := range []string{
		"", "ldapsync", "ldapsync.events.", "ldapsync.events.corp", "ldapsync.events.corp.", "ldapsync.events.corp.user",
		"ldapsync.events.corp.user.renamed", "ldapsync.events.corp.user.upserted.", "ldapsync.events.corp.user.upserted.x",
		"ldapsync.events..user.upserted", "ldapsync.events.Corp.user.upserted", "ldapsync.events.*.user.upserted",
		"ldapsync.events.a.b.user.upserted", "ldapsync.runs.corp", "ldapsync.outcomes.corp.user.upserted", "x.ldapsync.events.corp.user.upserted",
	} {
		if source, kind, err := proto.ParseSubject(subject); err == nil {
			t.Errorf("%s: read as %q, %q", subject, source, kind)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"corp": true, "0": true, "a-b_c": true, strings.Repeat("x", 63): true,
		"": false, "-a": false, "_a": false, "A": false, "a.b": false, "a b": false, "*": false, ">": false, "é": false, "a\n": false,
		strings.Repeat("x", 64): false,
	} {
		if proto.ValidName(name) != want {
			t.Errorf("ValidName(%q) is %v", name, !want)
		}
	}
}

func TestEventTypesIsACopy(t *testing.T) {
	proto.EventTypes()[0] = "broken"
	if proto.EventTypes()[0] != proto.TypeUserUpserted {
		t.Error("a caller changed the types")
	}
}

func TestEntryEventsAreNamed(t *testing.T) {
	entries := 0
	for _, kind := range proto.EventTypes() {
		if kind.Entry() {
			entries++
		}
		if kind.Entry() == (strings.HasPrefix(string(kind), "snapshot.") || kind == proto.TypeUserReplaced) {
			t.Errorf("%s: Entry is %v", kind, kind.Entry())
		}
	}
	if entries != 5 {
		t.Errorf("%d types carry entries", entries)
	}
}
