package ldap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// encodeEntry is what is within a SearchResultEntry, by go-ldap's encoder.
func encodeEntry(e entry) string {
	all := ber.NewSequence("")
	for _, a := range e.attributes {
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range a.values {
			set.AppendChild(text(v))
		}
		one := ber.NewSequence("")
		one.AppendChild(text(a.name))
		one.AppendChild(set)
		all.AppendChild(one)
	}
	return string(text(e.dn).Bytes()) + string(all.Bytes())
}

// oracle decodes an entry as go-ldap does.
func oracle(content string) (e entry, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	whole := append([]byte{tagEntry, 0x84, byte(len(content) >> 24), byte(len(content) >> 16), byte(len(content) >> 8), byte(len(content))}, content...)
	p, err := ber.DecodePacketErr(whole)
	if err != nil {
		return e, err
	}
	e.dn = p.Children[0].Value.(string)
	for _, child := range p.Children[1].Children {
		a := attribute{name: child.Children[0].Value.(string)}
		for _, v := range child.Children[1].Children {
			a.values = append(a.values, string(v.ByteValue))
			if v.Value.(string) != string(v.ByteValue) {
				return e, fmt.Errorf("two values: %q, %q", v.Value, v.ByteValue)
			}
		}
		e.attributes = append(e.attributes, a)
	}
	return e, nil
}

func same(a, b entry) bool {
	return a.dn == b.dn && slices.EqualFunc(a.attributes, b.attributes, func(x, y attribute) bool { return x.name == y.name && slices.Equal(x.values, y.values) })
}

var ada = entry{"uid=ada,ou=people,dc=example,dc=org", []attribute{
	{"uid", []string{"ada"}}, {"givenName", []string{"Ada", "Augusta"}}, {"sn", []string{"Lovelace"}}, {"mail", []string{"ada@example.org"}},
	{"entryUUID", []string{"0f0e1f2a-11aa-103b-8a8a-0d7c5f0a7b11"}}, {"jpegPhoto", []string{"\xff\xd8\x00"}}, {"member", nil},
}}

// FuzzEntry holds the decoder equal to go-ldap's: what it accepts, go-ldap reads the same.
func FuzzEntry(f *testing.F) {
	f.Add(encodeEntry(ada))
	f.Add(encodeEntry(entry{"", nil}))
	f.Add("\x04\x84\x00\x00\x00\x01a\x30\x81\x00")
	f.Add("\x04\x01a\x30\x80\x00\x00")
	f.Add("\x04\x01a\x30\x07\x30\x05\x04\x01b\x31\x7f")
	f.Fuzz(func(t *testing.T, content string) {
		var d decoder
		got, err := d.entry(content)
		if err != nil {
			return
		}
		want, err := oracle(content)
		if err != nil {
			if withoutTails(content) {
				t.Fatalf("%x: go-ldap refuses it: %v", content, err)
			}
			return // what is skipped may be what go-asn1-ber can't read
		}
		if !same(got, want) {
			t.Fatalf("%x:\ngot  %q\nwant %q", content, got, want)
		}
	})
}

// withoutTails tells whether an entry has nothing that later versions of LDAP may have added.
func withoutTails(content string) bool {
	_, rest, _ := take(content, tagOctets, "")
	list, rest, _ := take(rest, tagSequence, "")
	if rest != "" {
		return false
	}
	for list != "" {
		var one string
		one, list, _ = take(list, tagSequence, "")
		_, one, _ = take(one, tagOctets, "")
		if _, one, _ = take(one, tagSet, ""); one != "" {
			return false
		}
	}
	return true
}

// FuzzGeneratedEntry makes valid entries, with lengths written in every way that BER allows: both must read them.
func FuzzGeneratedEntry(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		value := func() string {
			b := make([]byte, r.IntN(200))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return string(b)
		}
		wrap := func(tag byte, content string) string {
			head := []byte{tag}
			octets := r.IntN(4) + 1
			for octets < 4 && len(content)>>(8*octets) > 0 {
				octets++
			}
			if len(content) < 0x80 && r.IntN(2) == 0 {
				return string(append(head, byte(len(content)))) + content
			}
			head = append(head, 0x80|byte(octets))
			for i := octets - 1; i >= 0; i-- {
				head = append(head, byte(len(content)>>(8*i)))
			}
			return string(head) + content
		}
		var want entry
		var list strings.Builder
		want.dn = value()
		for range r.IntN(6) {
			a := attribute{name: value()}
			var set strings.Builder
			for range r.IntN(5) {
				v := value()
				a.values = append(a.values, v)
				set.WriteString(wrap(tagOctets, v))
			}
			want.attributes = append(want.attributes, a)
			list.WriteString(wrap(tagSequence, wrap(tagOctets, a.name)+wrap(tagSet, set.String())))
		}
		content := wrap(tagOctets, want.dn) + wrap(tagSequence, list.String())
		var d decoder
		got, err := d.entry(content)
		if err != nil || !same(got, want) {
			t.Errorf("%x: %q, %v", content, got, err)
		}
		if read, err := oracle(content); err != nil || !same(read, want) {
			t.Errorf("%x: go-ldap reads %q, %v", content, read, err)
		}
	})
}

// FuzzMessage feeds the reader of messages: it neither panics nor takes more memory than it was given bytes, and go-asn1-ber
// reads what it accepts.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x84\x0f\xff\xff\xff\x02\x01\x01"))
	f.Add(encodeMessage(7, operation(goldap.ApplicationSearchResultDone, number(ber.TagEnumerated, 0), text(""), text("x")), pagingControl(0, "next")))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := allocated()
		buf, err := readMessage(bytes.NewReader(in), nil)
		if took := allocated() - before; took > uint64(4*len(in)+4*growth) {
			t.Errorf("%d bytes took %d", len(in), took)
		}
		if err != nil {
			return
		}
		m, err := parseMessage(buf)
		if err != nil {
			return
		}
		r, err := parseResult(m)
		if err != nil {
			return
		}
		p, err := ber.ReadPacket(bytes.NewReader(in))
		if err != nil || len(p.Children) != 2 && len(p.Children) != 3 {
			return // it has parts that we skip
		}
		if id, ok := p.Children[0].Value.(int64); !ok || id != m.id {
			t.Errorf("message id %d, want %v", m.id, p.Children[0].Value)
		}
		if m.op&0xe0 != 0x60 {
			return
		}
		var result *goldap.Error
		switch err := goldap.GetLDAPError(p); {
		case err == nil && r.code != 0:
			t.Errorf("result %d, want success", r.code)
		case err != nil && r.code == 0:
			t.Errorf("success, want %v", err)
		case err != nil:
			result = err.(*goldap.Error)
			if local(result) {
				return
			}
			if ours := r.err().(*goldap.Error); ours.ResultCode != result.ResultCode || ours.MatchedDN != result.MatchedDN || ours.Err.Error() != result.Err.Error() {
				t.Errorf("%+v, want %+v", ours, result)
			}
		}
	})
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestHostileLengthsTakeNoMemory: a length is a claim.
func TestHostileLengthsTakeNoMemory(t *testing.T) {
	for name, in := range map[string]string{
		"message":      "\x30\x84\x0f\xff\xff\xff" + strings.Repeat("x", 100),
		"above limit":  "\x30\x84\x10\x00\x00\x01",
		"4 GiB":        "\x30\x84\xff\xff\xff\xff",
		"long length":  "\x30\x88\x00\x00\x00\x00\x00\x00\x00\x01",
		"indefinite":   "\x30\x80\x02\x01\x01\x00\x00",
		"reserved":     "\x30\xff",
		"head alone":   "\x30",
		"length alone": "\x30\x84\x00\x00",
		"other tag":    "\x31\x00",
	} {
		before := allocated()
		if _, err := readMessage(bytes.NewReader([]byte(in)), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := allocated() - before; took > 4*growth {
			t.Errorf("%s: %d bytes of memory", name, took)
		}
	}
	deep := ""
	for len(deep) < 100_000 {
		deep = "\x30\x83" + string([]byte{byte(len(deep) >> 16), byte(len(deep) >> 8), byte(len(deep))}) + deep
	}
	for name, in := range map[string]string{
		"DN":           "\x04\x84\x7f\xff\xff\xff",
		"DN to 2^32":   "\x04\x84\xff\xff\xff\xffx",
		"attributes":   "\x04\x00\x30\x05\x30",
		"values":       "\x04\x00\x30\x07\x30\x05\x04\x00\x31\x03\x04\x05x",
		"nesting":      "\x04\x00" + deep,
		"high tag":     "\x04\x00\x30\x02\x1f\x81",
		"not a string": "\x0c\x00\x30\x00",
		"constructed":  "\x24\x00\x30\x00",
		"sequence":     "\x04\x00\x30\x06\x30\x04\x04\x00\x30\x00",
		"no values":    "\x04\x00\x30\x04\x30\x02\x04\x00",
		"no list":      "\x04\x00",
		"empty":        "",
		"tail":         "\x04\x00\x30\x00\x05",
	} {
		var d decoder
		before := allocated()
		if e, err := d.entry(in); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
		if took := allocated() - before; took > 64<<10 {
			t.Errorf("%s: %d bytes of memory", name, took)
		}
	}
}

func TestTailsAreSkipped(t *testing.T) {
	var d decoder
	got, err := d.entry("\x04\x01a\x30\x0a\x30\x08\x04\x01b\x31\x00\x80\x01x\xa3\x00")
	if want := (entry{"a", []attribute{{name: "b"}}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestDecodingCosts: an entry is decoded without a piece of memory of its own.
func TestDecodingCosts(t *testing.T) {
	var d decoder
	content := encodeEntry(ada)
	if n := testing.AllocsPerRun(10_000, func() {
		if _, err := d.entry(content); err != nil {
			t.Fatal(err)
		}
	}); n > 0.1 {
		t.Errorf("%v allocations an entry", n)
	}
	group := entry{"cn=all,dc=example,dc=org", []attribute{{"member", make([]string, 100_000)}}}
	for i := range group.attributes[0].values {
		group.attributes[0].values[i] = fmt.Sprintf("uid=user%06d,ou=people,dc=example,dc=org", i)
	}
	content = encodeEntry(group)
	before := allocated()
	got, err := d.entry(content)
	if took := allocated() - before; took > 2_000_000 || err != nil || !same(got, group) {
		t.Errorf("%d bytes for %d members, %v", took, len(got.attributes[0].values), err)
	}
}

func BenchmarkDecode(b *testing.B) {
	content := encodeEntry(ada)
	b.Run("ours", func(b *testing.B) {
		var d decoder
		b.ReportAllocs()
		for b.Loop() {
			if _, err := d.entry(content); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-ldap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := oracle(content); err != nil {
				b.Fatal(err)
			}
		}
	})
}
