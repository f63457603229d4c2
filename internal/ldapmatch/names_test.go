package ldapmatch_test

import (
	"strings"
	"testing"

	"ldapsync/internal/ldapmatch"
)

func TestGUIDText(t *testing.T) {
	raw := [16]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	const text = "00112233-4455-6677-8899-aabbccddeeff"
	if got := ldapmatch.GUIDText(raw); got != text {
		t.Errorf("got %s", got)
	}
	if back, ok := ldapmatch.ParseGUID(strings.ToUpper(text)); !ok || back != raw {
		t.Errorf("got %x", back)
	}
	for _, bad := range []string{"", "ada", text[:35], text + "00"} {
		if _, ok := ldapmatch.ParseGUID(bad); ok {
			t.Errorf("%q is a GUID", bad)
		}
	}
}

func TestIDText(t *testing.T) {
	for _, tt := range []struct {
		attribute   string
		raw         []string
		id, problem string
	}{
		{"entryUUID", []string{"a"}, "a", ""},
		{"entryUUID", nil, "", "it has no entryUUID"},
		{"entryUUID", []string{""}, "", "it has no entryUUID"},
		{"employeeNumber", []string{"1", "2"}, "", "it has 2 values of employeeNumber, which gives its id"},
		{"photo", []string{"\xff\xd8"}, "", "its photo isn't text"},
		{"x", []string{"a\x00b"}, "", "its x isn't text"},
		{"ObjectGUID", []string{"short"}, "", "its ObjectGUID has 5 bytes instead of 16"},
	} {
		if id, problem := ldapmatch.ID(tt.attribute, ldapmatch.IsGUID(tt.attribute), tt.raw); id != tt.id || problem != tt.problem {
			t.Errorf("%+v: %q, %q", tt, id, problem)
		}
	}
}

func TestNamesThatMeanTheSame(t *testing.T) {
	for a, b := range map[string]string{
		"givenName": "GIVENNAME", "gn": "givenName", "surname": "sn", "cn;lang-fr;x-a": "CN;x-a;lang-fr", "userCertificate": "userCertificate;binary",
		"commonName;lang-fr": "cn;lang-fr",
	} {
		if ldapmatch.MatchName(a) != ldapmatch.MatchName(b) {
			t.Errorf("%s isn't %s", a, b)
		}
	}
	if ldapmatch.MatchName("cn;lang-fr") == ldapmatch.MatchName("cn") {
		t.Error("cn;lang-fr is cn")
	}
}
