package proto_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

// Digests are stored in every consumer's database: a changed value makes every entry look changed. Never edit one; a new
// definition gets a new DigestVersion.
func TestDigestGoldenValues(t *testing.T) {
	if proto.DigestVersion != 1 {
		t.Fatal("a new version of the digest gets golden values of its own, beside these")
	}
	for _, c := range []struct {
		name string
		user *proto.User
		want string
	}{
		{"nothing", &proto.User{}, "7c9bc77762b8cc9c4a2b0ba9b2c666fc"},
		{"a plain user", plainUser(), "db2b7a088d3b29f6bf264c49fe87d41c"},
		{"binary, flags and no values", &proto.User{
			Id: "ignored: it names the entry, and says nothing about it", Dn: "uid=grace,o=example",
			Attributes: []*proto.Attribute{{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0xd8, 0}, {1}}}, {Name: "empty"}},
			Active:     no(), Staff: yes(), Superuser: yes(),
		}, "acfaf21418b90ee211c7f43953cfe5d2"},
		{"groups unknown", &proto.User{Dn: "uid=grace,o=example", GroupsUnknown: true}, "75e4a7ab4d6304093a95ea44a8a40800"},
	} {
		d := proto.DigestUser(c.user)
		if got := hex.EncodeToString(d[:]); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	d := proto.DigestGroup(&proto.Group{Dn: "cn=Staff,o=example", Attributes: []*proto.Attribute{{Name: "cn", Values: []string{"Staff"}}}})
	if got, want := hex.EncodeToString(d[:]), "baef7b182bafa2cac8c5e7e759ba77a0"; got != want {
		t.Errorf("group: %s, want %s", got, want)
	}
}

func plainUser() *proto.User {
	return &proto.User{
		Id: "6b5b3b2c-6a39-4d3c-9f0a-0d9d7f1f6d01", Dn: "uid=ada,ou=people,dc=example,dc=com",
		Attributes: []*proto.Attribute{
			{Name: "uid", Values: []string{"ada"}},
			{Name: "givenName", Values: []string{"Ada"}},
			{Name: "sn", Values: []string{"Łovelace"}},
			{Name: "mail", Values: []string{"ada@example.com", "countess@example.com", "a.lovelace@example.com"}},
		},
		GroupIds: []string{"g2", "g1"}, Active: yes(),
	}
}

// What a server may answer differently tomorrow without anything having changed doesn't change the digest.
func TestDigestIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := users().Draw(t, "user")
		same := proto.Clone(u)
		same.Id = "another"
		same.Attributes = rapid.Permutation(same.Attributes).Draw(t, "attributes")
		same.GroupIds = append(rapid.Permutation(same.GroupIds).Draw(t, "groups"), same.GroupIds...)
		same.Attributes = append(same.Attributes, &proto.Attribute{Name: "empty"})
		for _, a := range same.Attributes {
			a.Name = rapid.SampledFrom([]func(string) string{strings.ToUpper, strings.ToLower, strings.Clone}).Draw(t, "case")(a.Name)
			a.Values = shuffleRest(t, a.Values)
			a.Binary = shuffleRest(t, a.Binary)
		}
		if proto.DigestUser(u) != proto.DigestUser(same) {
			t.Fatalf("digests differ:\n%v\n%v", u, same)
		}
	})
}

// shuffleRest leaves the first value, reorders the rest, and repeats some of all.
func shuffleRest[T any](t *rapid.T, values []T) []T {
	if len(values) == 0 {
		return values
	}
	rest := rapid.Permutation(values[1:]).Draw(t, "rest")
	again := rapid.SliceOfN(rapid.SampledFrom(values), 0, 2).Draw(t, "again")
	return slices.Concat(values[:1], rest, again)
}

// Everything that a mapping can see changes the digest.
func TestDigestSeesEveryChange(t *testing.T) {
	before := proto.DigestUser(plainUser())
	for name, change := range map[string]func(*proto.User){
		"the DN":                  func(u *proto.User) { u.Dn = "uid=ada,ou=board,dc=example,dc=com" },
		"the DN's case":           func(u *proto.User) { u.Dn = "uid=Ada,ou=people,dc=example,dc=com" },
		"a value":                 func(u *proto.User) { u.Attributes[1].Values[0] = "ada" },
		"the first value":         func(u *proto.User) { v := u.Attributes[3].Values; v[0], v[1] = v[1], v[0] },
		"one value fewer":         func(u *proto.User) { u.Attributes[3].Values = u.Attributes[3].Values[:2] },
		"an attribute fewer":      func(u *proto.User) { u.Attributes = u.Attributes[:3] },
		"an attribute's name":     func(u *proto.User) { u.Attributes[3].Name = "email" },
		"text that turned binary": func(u *proto.User) { u.Attributes[0] = &proto.Attribute{Name: "uid", Binary: [][]byte{[]byte("ada")}} },
		"an empty value":          func(u *proto.User) { u.Attributes[0].Values[0] = "" },
		"a group more":            func(u *proto.User) { u.GroupIds = append(u.GroupIds, "g3") },
		"no group":                func(u *proto.User) { u.GroupIds = nil },
		"groups unknown":          func(u *proto.User) { u.GroupsUnknown = true },
		"inactive":                func(u *proto.User) { u.Active = no() },
		"no rule for active":      func(u *proto.User) { u.Active = nil },
		"not staff":               func(u *proto.User) { u.Staff = no() },
		"superuser":               func(u *proto.User) { u.Superuser = yes() },
	} {
		u := plainUser()
		change(u)
		if proto.DigestUser(u) == before {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

// Two texts can't be cut differently and hash alike.
func TestDigestKeepsValuesApart(t *testing.T) {
	digest := func(names ...string) proto.Digest {
		u := &proto.User{}
		for _, n := range names {
			name, values, _ := strings.Cut(n, "=")
			u.Attributes = append(u.Attributes, &proto.Attribute{Name: name, Values: strings.Split(values, ",")})
		}
		return proto.DigestUser(u)
	}
	seen := map[proto.Digest]bool{digest("a=bc"): true, digest("ab=c"): true, digest("a=b,c"): true, digest("a=b", "c="): true, digest("a=c,b"): true}
	if len(seen) != 5 {
		t.Errorf("%d digests of 5 users", len(seen))
	}
	if u, g := proto.DigestUser(&proto.User{Dn: "x"}), proto.DigestGroup(&proto.Group{Dn: "x"}); u == g {
		t.Error("a user's digest is a group's")
	}
}

// The digest of a decoded entry is that of the one that was encoded: a consumer can check it, in either encoding.
func TestDigestSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := userBatches().Draw(t, "batch")
		contentType := rapid.SampledFrom(encodings).Draw(t, "encoding")
		data, err := proto.Marshal(contentType, m)
		if err != nil {
			t.Fatal(err)
		}
		var got proto.UserUpserted
		if err := proto.Unmarshal(proto.Event{Type: proto.TypeUserUpserted, ContentType: contentType, Data: data}, &got); err != nil {
			t.Fatal(err)
		}
		for i, u := range got.GetUsers() {
			if proto.DigestUser(u) != proto.Digest(got.Digests[16*i:]) {
				t.Fatalf("the digest of %v changed on the way", u)
			}
		}
	})
}
