package export_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ldapsync/cmd/ldapsync/internal/export"
	"ldapsync/extractor"
	"ldapsync/extractor/ldif"
	"ldapsync/proto"
)

// captured is the state of a company of 700 people, who have what a directory may hold.
func captured(t *testing.T) *proto.State {
	t.Helper()
	flags := []*bool{nil, new(bool), new(bool)}
	*flags[2] = true
	users, groups := &proto.UserUpserted{}, &proto.GroupUpserted{}
	for i := range 30 {
		g := &proto.Group{Id: fmt.Sprintf("00112233-4455-6677-8899-aabbccdd%04x", i), Dn: fmt.Sprintf("CN=Team\\, %d,OU=Groups,DC=x", i),
			Attributes: []*proto.Attribute{attribute("cn", fmt.Sprintf("Team, %d", i))}}
		d := proto.DigestGroup(g)
		groups.Ids, groups.Digests, groups.Groups = append(groups.Ids, g.Id), append(groups.Digests, d[:]...), append(groups.Groups, g)
	}
	odd := [][]string{{""}, {" x ", "<y", ":z"}, {"Jürgen", "J\u00fcrgen\n"}, {"a\tb", "last "}, {string(bytes.Repeat([]byte("long "), 100))}}
	for i := range 700 {
		u := &proto.User{Id: fmt.Sprintf("99112233-4455-6677-8899-aabbccdd%04x", i), Dn: fmt.Sprintf("CN=Pérson %d,OU=People,DC=x", i),
			Attributes: []*proto.Attribute{attribute("sAMAccountName", fmt.Sprintf("user%d", i)), attribute("description", odd[i%len(odd)]...)},
			Active:     flags[1+i%2], Staff: flags[1+i%5%2], Superuser: flags[1]}
		if i%3 == 0 {
			u.Attributes = append(u.Attributes, &proto.Attribute{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0xd8, byte(i)}, []byte("text")}})
		}
		for g := range groups.Groups {
			if (i*7+g*3)%11 == 0 {
				u.GroupIds = append(u.GroupIds, groups.Ids[g])
			}
		}
		d := proto.DigestUser(u)
		users.Ids, users.Digests, users.Users = append(users.Ids, u.Id), append(users.Digests, d[:]...), append(users.Users, u)
	}
	var s tape
	s.append(t, proto.TypeGroupUpserted, groups)
	s.append(t, proto.TypeUserUpserted, users)
	state, err := proto.ReadState(t.Context(), s, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// A snapshot that was exported, read back through the LDIF source, holds the same entries: each has the digest that it had.
func TestLDIFIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot.ldif")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	state := captured(t)
	if _, err := export.Write(t.Context(), out, export.Config{Format: export.LDIF, Comment: "a snapshot", IDAttribute: "objectGUID"}, state); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]proto.Digest{}
	for e, err := range state.Entries(t.Context(), proto.KindGroup, proto.KindUser) {
		if err != nil {
			t.Fatal(err)
		}
		if e.User != nil {
			want[e.ID()] = proto.DigestUser(e.User)
		} else {
			want[e.ID()] = proto.DigestGroup(e.Group)
		}
	}
	if got := readBack(t, path); !maps.Equal(got, want) {
		for id := range want {
			if got[id] != want[id] {
				t.Errorf("%s: digest %x, want %x", id, got[id], want[id])
				break
			}
		}
		t.Errorf("%d entries read, %d written", len(got), len(want))
	}
}

// readBack returns the digests of all entries that a source would publish of the file.
func readBack(t *testing.T, path string) map[string]proto.Digest {
	t.Helper()
	c := ldif.DefaultConfig()
	c.URI, c.Bases = "ldif://"+path, []string{"DC=x"}
	c.UserFilter, c.GroupFilter = "(objectClass="+export.UserClass+")", "(objectClass="+export.GroupClass+")"
	c.UserAttributes, c.GroupAttributes = []string{"sAMAccountName", "description", "jpegPhoto", "ldapsyncActive", "ldapsyncStaff", "ldapsyncSuperuser"}, []string{"cn"}
	c.MemberAttributes = []string{"memberOf"}
	dir, err := ldif.New(c)
	if err != nil {
		t.Fatal(err)
	}
	is := func(attribute string) *extractor.Flag {
		return &extractor.Flag{Attribute: attribute, Equals: []string{"TRUE"}}
	}
	ex := extractor.New(extractor.Config{Source: "file", Username: []string{"sAMAccountName"}, GroupName: []string{"cn"}, Users: true, Groups: true,
		Flags: extractor.Flags{Active: is("ldapsyncActive"), Staff: is("ldapsyncStaff"), Superuser: is("ldapsyncSuperuser")}}, dir, nil)
	got := map[string]proto.Digest{}
	_, err = ex.Preview(t.Context(), true, func(e proto.Event) error {
		switch e.Type {
		case proto.TypeUserUpserted:
			var m proto.UserUpserted
			if err := proto.Unmarshal(e, &m); err != nil {
				return err
			}
			for _, u := range m.GetUsers() {
				u.Attributes = slices.DeleteFunc(u.Attributes, func(a *proto.Attribute) bool { return strings.HasPrefix(a.GetName(), "ldapsync") })
				got[u.GetId()] = proto.DigestUser(u)
			}
		case proto.TypeGroupUpserted:
			var m proto.GroupUpserted
			if err := proto.Unmarshal(e, &m); err != nil {
				return err
			}
			for _, g := range m.GetGroups() {
				got[g.GetId()] = proto.DigestGroup(g)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
