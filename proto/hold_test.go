package proto_test

import (
	"encoding/hex"
	"testing"

	"ldapsync/proto"
)

// The hash of a hold is shown to people and sent back by them, and an entry's key stands in the stream: never edit a value.
func TestHoldGoldenValues(t *testing.T) {
	key := proto.EntryKey("6b5b3b2c-6a39-4d3c-9f0a-0d9d7f1f6d01")
	if got, want := hex.EncodeToString(key[:]), "bc4412eed5d1a78a29eaa7d1aaaf911f"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	digest := proto.DigestUser(plainUser())
	for want, got := range map[string]string{
		"97f3687578360615fe8697e7f2bad196": proto.HoldHash(proto.KindUser, proto.ChangeRemoved, "", nil, nil),
		"389c2892c2046646e29a3803bcb550b7": proto.HoldHash(proto.KindUser, proto.ChangeRemoved, "", key[:], nil),
		"beef74cb09433447460bb74396613c08": proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "mail", key[:], digest[:]),
		"2c63570a4ce78a17162ebe2d9e11ed45": proto.HoldHash(proto.KindGroup, proto.ChangeRemoved, "", key[:], nil),
	} {
		if got != want {
			t.Errorf("hash %s, want %s", got, want)
		}
	}
}

// Whatever a person should be asked again about changes the hash; an entry that is gone has the same hash with a digest of zeros and without.
func TestHoldHashSeesEveryChange(t *testing.T) {
	a, b := proto.EntryKey("a"), proto.EntryKey("b")
	d := proto.DigestUser(plainUser())
	two := append(a[:], b[:]...)
	before := proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "mail", two, make([]byte, 32))
	for name, hash := range map[string]string{
		"the kind":              proto.HoldHash(proto.KindGroup, proto.ChangeAttribute, "mail", two, make([]byte, 32)),
		"the change":            proto.HoldHash(proto.KindUser, proto.ChangeMembership, "mail", two, make([]byte, 32)),
		"the key":               proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "sn", two, make([]byte, 32)),
		"the cut between texts": proto.HoldHash(proto.KindUser, proto.ChangeAttribute+"m", "ail", two, make([]byte, 32)),
		"an entry fewer":        proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "mail", a[:], make([]byte, 16)),
		"a digest":              proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "mail", two, append(make([]byte, 16), d[:]...)),
	} {
		if hash == before {
			t.Errorf("%s doesn't change the hash", name)
		}
	}
	if proto.HoldHash(proto.KindUser, proto.ChangeAttribute, "mail", two, nil) != before {
		t.Error("no digests are not the same as digests of zeros")
	}
}
