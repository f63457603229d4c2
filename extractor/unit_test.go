package extractor

import (
	"fmt"
	"testing"
	"unsafe"

	"ldapsync/proto"
)

func TestFoldDN(t *testing.T) {
	same := [][]string{
		{"cn=Ada,dc=x", "CN=ada,DC=X", "cn = Ada , dc=x", `cn=\41da,dc=x`, `cn="Ada",dc=x`, "cn=Ada;dc=x"},
		{`cn=M\C3\BCller,dc=x`, "cn=MÜLLER,dc=x", `cn=m\c3\bcller, dc=x`},
		{`cn=Smith\, John,dc=x`, `CN=smith\2C john,dc=x`, `cn="Smith, John",dc=x`},
		{"cn=a+uid=b,dc=x", "uid=B + cn=A,dc=x"},
		{"cn=John  Doe,dc=x", "cn=john doe,dc=x"},
	}
	for i, group := range same {
		for _, dn := range group {
			if foldDN(dn) != foldDN(group[0]) {
				t.Errorf("%q → %q, but %q → %q", dn, foldDN(dn), group[0], foldDN(group[0]))
			}
			for j, other := range same {
				if i != j && foldDN(dn) == foldDN(other[0]) {
					t.Errorf("%q and %q are folded to the same", dn, other[0])
				}
			}
		}
	}
	for _, broken := range []string{"", ",", "=", `\`, `cn=\`, `cn="`, "+", "cn=a,,"} {
		foldDN(broken) // doesn't panic
	}
}

// The design's bound: 64 bytes an entry.
func TestBaselineIsSmall(t *testing.T) {
	var b baseline
	for _, n := range []int{100_000, 131_073, 210_000} {
		for i := b.n; i < n; i++ {
			b.upsert(keyOf(fmt.Sprint(i)), proto.Digest{1}, uint64(i), 0)
		}
		bytes := len(b.chunks)*chunkLen*int(unsafe.Sizeof(known{})) + 4*len(b.index)
		if per := bytes / n; per > 64 {
			t.Errorf("%d entries: %d bytes each", n, per)
		}
	}
	if b.live != 210_000 {
		t.Errorf("live = %d", b.live)
	}
	for i := range 210_000 {
		k := b.find(keyOf(fmt.Sprint(i)))
		if k == nil || k.sequence() != uint64(i) {
			t.Fatalf("entry %d: %+v", i, k)
		}
	}
	b.remove(keyOf("7"))
	if b.live != 209_999 || !b.find(keyOf("7")).is(flagRemoved) {
		t.Error("7 wasn't removed")
	}
	if b.upsert(keyOf("7"), proto.Digest{}, 8, 0); b.live != 210_000 || b.n != 210_000 {
		t.Error("7 didn't return to its place")
	}
}

func TestMembershipIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(membership{}); size != 20 {
		t.Errorf("a membership takes %d bytes", size)
	}
}
