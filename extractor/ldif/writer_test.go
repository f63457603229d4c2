package ldif_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"ldapsync/extractor/ldif"
)

func written(t *testing.T, dn string, attributes ...ldif.Attribute) string {
	t.Helper()
	var b bytes.Buffer
	w := ldif.NewWriter(&b)
	if err := w.Entry(dn, attributes); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func values(name string, all ...string) ldif.Attribute {
	a := ldif.Attribute{Name: name}
	for _, v := range all {
		a.Values = append(a.Values, []byte(v))
	}
	return a
}

func TestWriterChoosesSafeStrings(t *testing.T) {
	got := written(t, "cn=Ådne,dc=example", values("cn", "Ådne", "plain", "", " led", "trailed ", ":colon", "<url", "a\nb", "a\x00", "in : the < middle "+"#"),
		values("none"), values("jpegPhoto;binary", "\xff\xd8"))
	want := "version: 1\n\ndn:: Y249w4VkbmUsZGM9ZXhhbXBsZQ==\ncn:: w4VkbmU=\ncn: plain\ncn:\ncn:: IGxlZA==\ncn:: dHJhaWxlZCA=\ncn:: OmNvbG9u\ncn:: PHVybA==\n" +
		"cn:: YQpi\ncn:: YQA=\ncn: in : the < middle #\njpegPhoto;binary:: /9g=\n\n# numEntries: 1\n"
	if got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
}

// Lines are at most 76 bytes long, and come together again.
func TestWriterFolds(t *testing.T) {
	for n := range 400 {
		value := strings.Repeat("0123456789", 40)[:n]
		got := written(t, "dc=example", values("description", value))
		for _, line := range strings.Split(got, "\n") {
			if len(line) > 76 {
				t.Fatalf("%d bytes: a line of %d: %s", n, len(line), line)
			}
		}
		if n > 0 && !strings.Contains(strings.ReplaceAll(got, "\n ", ""), "\ndescription: "+value+"\n") {
			t.Fatalf("%d bytes became\n%s", n, got)
		}
	}
	want := "description: " + strings.Repeat("x", 63) + "\n " + strings.Repeat("x", 75) + "\n xx\n"
	if got := written(t, "dc=example", values("description", strings.Repeat("x", 63+75+2))); !strings.Contains(got, want) {
		t.Errorf("folded as\n%s", got)
	}
}

func TestWriterRefusesNames(t *testing.T) {
	for _, name := range []string{"", "a b", "a:", "9x", "a;", "ä", "a\nb", "-x"} {
		var b bytes.Buffer
		w := ldif.NewWriter(&b)
		if err := w.Entry("dc=example", []ldif.Attribute{values(name, "x")}); err == nil {
			t.Errorf("%q: written as %s", name, b.String())
		}
		if err := w.Close(); err != nil || !strings.HasSuffix(b.String(), "\n\n# numEntries: 0\n") {
			t.Errorf("after a refused entry: %q, %v", b.String(), err)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriterKeepsItsError(t *testing.T) {
	w := ldif.NewWriter(broken{})
	for _, err := range []error{w.Entry("dc=example", nil), w.Entry("dc=example", nil), w.Close()} {
		if err == nil {
			t.Error("a failed write was forgotten")
		}
	}
}
