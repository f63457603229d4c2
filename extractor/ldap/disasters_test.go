package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/extractor/ldap"
	"ldapsync/proto"
)

// TestGroupOver1500KeepsItsMembers: Active Directory answers with an empty member and the first 1,500 of them under another name. Whoever takes
// that for the whole answer takes their groups from everybody.
func TestGroupOver1500KeepsItsMembers(t *testing.T) {
	const people = 3200
	f := newFake(t)
	f.activeDirectory()
	members := bigGroup(people, nil)
	f.search = func(c *fakeConn, r request) {
		if !strings.Contains(r.filter, "person") {
			members(c, r)
			return
		}
		for i := range people {
			c.entry(r, fmt.Sprintf("CN=U%d,DC=example,DC=org", i), attributes{"uid": {fmt.Sprintf("u%d", i)}, "objectGUID": {fmt.Sprintf("person%010d", i)}})
		}
		c.page(r, "")
	}
	dir, err := ldap.New(f.config())
	if err != nil {
		t.Fatal(err)
	}
	cfg := extractor.Config{Source: "corp", Username: []string{"uid"}, GroupName: []string{"cn"}, Users: true, Groups: true, ContentType: proto.ContentTypeProtobuf}
	read, kept := 0, 0
	_, err = extractor.New(cfg, dir, nil).Preview(t.Context(), true, func(e proto.Event) error {
		if e.Type != proto.TypeUserUpserted {
			return nil
		}
		var m proto.UserUpserted
		if err := proto.Unmarshal(e, &m); err != nil {
			return err
		}
		for _, u := range m.GetUsers() {
			read++
			if slices.Contains(u.GetGroupIds(), adaText) {
				kept++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read != people || kept != people {
		t.Errorf("%d of %d people read, %d of them in the group", read, people, kept)
	}
}
