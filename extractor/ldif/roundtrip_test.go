package ldif_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/extractor"
	"ldapsync/extractor/ldif"
)

// write makes a file of entries, with objectClass person and their number as entryUUID.
func write(t fataler, dir string, entries [][]ldif.Attribute) string {
	var b bytes.Buffer
	w := ldif.NewWriter(&b)
	for i, attributes := range entries {
		attributes = append([]ldif.Attribute{values("objectClass", "person"), values("entryUUID", fmt.Sprint(i))}, attributes...)
		if err := w.Entry(fmt.Sprintf("cn=%d,dc=example", i), attributes); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%v", err)
	}
	name := filepath.Join(dir, "written.ldif")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return name
}

type fataler interface{ Fatalf(string, ...any) }

// What is written is read as it was, whatever bytes it holds.
func TestWhatIsWrittenIsReadAsItWas(t *testing.T) {
	dir := t.TempDir()
	text := rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })
	value := rapid.OneOf(text, rapid.SliceOf(rapid.Byte()), rapid.SliceOfN(rapid.ByteRange(' ', '~'), 60, 300))
	rapid.Check(t, func(t *rapid.T) {
		cfg := config("")
		cfg.UserAttributes = []string{"a", "B;lang-fr", "c"}
		var entries [][]ldif.Attribute
		var want [][]extractor.Attribute
		for range rapid.IntRange(1, 4).Draw(t, "entries") {
			var attributes []ldif.Attribute
			var expected []extractor.Attribute
			for _, name := range cfg.UserAttributes {
				all := rapid.SliceOfN(value, 0, 3).Draw(t, "values")
				attributes = append(attributes, ldif.Attribute{Name: name, Values: all})
				if len(all) > 0 {
					e := extractor.Attribute{Name: name}
					for _, v := range all {
						e.Values = append(e.Values, string(v))
					}
					expected = append(expected, e)
				}
			}
			entries, want = append(entries, attributes), append(want, expected)
		}
		cfg.URI = "ldif://" + write(t, dir, entries)
		d, err := ldif.New(cfg)
		if err != nil {
			t.Fatalf("%v", err)
		}
		s, err := d.Open(t.Context(), "")
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer s.Close()
		var got [][]extractor.Attribute
		for records, err := range s.Users(t.Context()) {
			if err != nil {
				t.Fatalf("%v", err)
			}
			for _, r := range records {
				got = append(got, r.Attributes)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read %q, want %q", got, want)
		}
	})
}

// Any file is refused or read, and never makes the reader fall over; what is read can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(ada + "\n"))
	f.Add([]byte("version: 1\r\ndn:: Y249YWRhLGRjPWV4YW1wbGU=\r\nobjectClass: per\r\n son\r\nmember;range=0-1: x\r\n\r\n# numEntries: 1\r\n"))
	f.Add([]byte("dn: cn=a,dc=example\nobjectClass: person\ncn:: /9gA\n\nsearch: 2\nresult: 0 Success\npagedresults: cookie=\n\n"))
	f.Add([]byte("\n \n#\n :\n\n\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := read(t, dir, text)
		if err != nil {
			return
		}
		var entries [][]ldif.Attribute
		for _, r := range first {
			var attributes []ldif.Attribute
			for _, a := range r.Attributes {
				attributes = append(attributes, values(a.Name, a.Values...))
			}
			entries = append(entries, attributes)
		}
		if len(entries) == 0 {
			return
		}
		data, err := os.ReadFile(write(t, dir, entries))
		if err != nil {
			t.Fatal(err)
		}
		second, err := read(t, dir, data)
		if err != nil || len(first) != len(second) {
			t.Fatalf("%d entries, then %d, %v", len(first), len(second), err)
		}
		for i := range first {
			if !reflect.DeepEqual(first[i].Attributes, second[i].Attributes) {
				t.Fatalf("read %v, then %v", first[i], second[i])
			}
		}
	})
}

func read(t *testing.T, dir string, text []byte) ([]extractor.Record, error) {
	t.Helper()
	name := filepath.Join(dir, "fuzz.ldif")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(name)
	cfg.UserAttributes = []string{"cn", "sn", "objectSid"}
	d, err := ldif.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Open(t.Context(), "")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var all []extractor.Record
	for records, err := range s.Users(t.Context()) {
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// company writes a file of n people of about 1 KiB each, as slapcat makes it.
func company(tb testing.TB, n int) string {
	var b bytes.Buffer
	b.Grow(n * 700)
	for i := range n {
		fmt.Fprintf(&b, `dn: uid=u%07d,ou=people,dc=example
objectClass: inetOrgPerson
objectClass: posixAccount
uid: u%07d
cn: Person Number %07d
givenName:: SsO8cmdlbg==
sn: Number %07d
mail: u%07d@example.org
telephoneNumber: +49 30 %07d
description: %s
structuralObjectClass: inetOrgPerson
entryUUID: 6b5b3b2c-6a39-4d3c-9f0a-%012d
creatorsName: cn=admin,dc=example
createTimestamp: 20261123000000Z
entryCSN: 20261123000000.000000Z#000000#000#000000
modifiersName: cn=admin,dc=example
modifyTimestamp: 20261123000000Z

`, i, i, i, i, i, i, strings.Repeat("x", 60), i)
	}
	return file(tb, b.String())
}

func companyConfig(path string) ldif.Config {
	c := config(path)
	c.UserFilter = "(&(objectClass=person)(mail=*))"
	c.UserAttributes = []string{"uid", "givenName", "sn", "mail"}
	return c
}

// Memory doesn't grow with the entries, but by the index: at most 64 bytes for each.
func TestMemoryIsBounded(t *testing.T) {
	const n = 50000
	path := company(t, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := open(t, companyConfig(path))
	var most uint64
	batches := 0
	for _, err := range s.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if batches++; batches%50 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc-min(after.HeapAlloc, before.HeapAlloc))
		}
	}
	if limit := uint64(64*n + 2<<20); most > limit {
		t.Errorf("%d bytes for %d entries, more than %d", most, n, limit)
	}
	runtime.KeepAlive(s)
}

func BenchmarkOpenAndList(b *testing.B) {
	const n = 20000
	path := company(b, n)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(2 * info.Size())
	b.ReportAllocs()
	for b.Loop() {
		s := open(b, companyConfig(path))
		if got := len(collect(b, s.Users(b.Context()))); got != n {
			b.Fatal(got)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
}
