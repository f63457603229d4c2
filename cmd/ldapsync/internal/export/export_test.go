package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/cmd/ldapsync/internal/export"
	"ldapsync/proto"
)

// tape is a stream in memory.
type tape []proto.Event

func (s *tape) append(t *testing.T, kind proto.Type, m proto.Message) {
	t.Helper()
	data, err := proto.Marshal(proto.ContentTypeProtobuf, m)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, proto.Event{Type: kind, ContentType: proto.ContentTypeProtobuf, Data: data, Sequence: uint64(len(*s) + 1),
		Time: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)})
}

func (s tape) Read(_ context.Context, from, to uint64) iter.Seq2[proto.Event, error] {
	return func(yield func(proto.Event, error) bool) {
		for _, e := range s {
			if e.Sequence >= from && e.Sequence <= to && !yield(e, nil) {
				return
			}
		}
	}
}

func attribute(name string, values ...string) *proto.Attribute {
	return &proto.Attribute{Name: name, Values: values}
}

const guid = "00112233-4455-6677-8899-aabbccddeeff"

func company(t *testing.T) *proto.State {
	t.Helper()
	yes, no := true, false
	ada := &proto.User{Id: guid, Dn: "CN=Ada Lovelace,DC=x", Active: &yes, Staff: &no, GroupIds: []string{"g1", "gone", "g2"}, Attributes: []*proto.Attribute{
		attribute("uid", "ada"), attribute("mail", "ada@x", "l@x"), attribute("description", `=HYPERLINK("http://evil","x")`),
		{Name: "jpegPhoto", Binary: [][]byte{{0xff, 0xd8}}}}}
	bob := &proto.User{Id: "b", Dn: "CN=Bób,DC=x", Attributes: []*proto.Attribute{attribute("UID", "bob"), attribute("mail", "a;b", `c\d`), attribute("phone", "+43 1 2")}}
	eve := &proto.User{Id: "e", Dn: "CN=Eve,DC=x", Attributes: []*proto.Attribute{attribute("uid", "eve"), attribute("mail", "x;=1+1")}}
	dev := &proto.Group{Id: "g1", Dn: "CN=Dev,DC=x", Attributes: []*proto.Attribute{attribute("cn", "Dev"), attribute("objectClass", "group")}}
	ops := &proto.Group{Id: "g2", Dn: "CN=Ops,DC=x"}
	var s tape
	users := &proto.UserUpserted{Users: []*proto.User{ada, bob}}
	for _, u := range users.Users {
		d := proto.DigestUser(u)
		users.Ids, users.Digests = append(users.Ids, u.Id), append(users.Digests, d[:]...)
	}
	s.append(t, proto.TypeUserUpserted, users)
	groups := &proto.GroupUpserted{Groups: []*proto.Group{dev, ops}}
	for _, g := range groups.Groups {
		d := proto.DigestGroup(g)
		groups.Ids, groups.Digests = append(groups.Ids, g.Id), append(groups.Digests, d[:]...)
	}
	s.append(t, proto.TypeGroupUpserted, groups)
	s.append(t, proto.TypeUserMissing, &proto.UserMissing{User: eve})
	state, err := proto.ReadState(t.Context(), s, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func write(t *testing.T, c export.Config) string {
	t.Helper()
	var b bytes.Buffer
	n, err := export.Write(t.Context(), &b, c, company(t))
	if err != nil {
		t.Fatal(err)
	}
	want := export.Written{Users: 2, Groups: 2, Missing: 1}
	if c.Format == export.CSV {
		want.Groups = 0
	}
	if n != want {
		t.Errorf("counted %+v", n)
	}
	return b.String()
}

func TestLDIF(t *testing.T) {
	got := write(t, export.Config{Format: export.LDIF, Comment: "one\ntwo", IDAttribute: "objectGUID"})
	want := `# one
# two
version: 1

dn: CN=Dev,DC=x
objectClass: ldapsyncGroup
objectClass: group
objectGUID: g1
cn: Dev

dn: CN=Ops,DC=x
objectClass: ldapsyncGroup
objectGUID: g2

dn: CN=Ada Lovelace,DC=x
objectClass: ldapsyncUser
objectGUID:: MyIRAFVEd2aImaq7zN3u/w==
uid: ada
mail: ada@x
mail: l@x
description: =HYPERLINK("http://evil","x")
jpegPhoto:: /9g=
memberOf: CN=Dev,DC=x
memberOf: CN=Ops,DC=x
ldapsyncActive: TRUE
ldapsyncStaff: FALSE

dn:: Q049QsOzYixEQz14
objectClass: ldapsyncUser
objectGUID: b
UID: bob
mail: a;b
mail: c\d
phone: +43 1 2

`
	body, _, _ := strings.Cut(got, "# numEntries")
	if body != want {
		t.Errorf("LDIF:\n%s\nwanted:\n%s", body, want)
	}
	for _, none := range []string{"", "(username)"} {
		if got := write(t, export.Config{Format: export.LDIF, IDAttribute: none}); strings.Contains(got, "objectGUID") || strings.Contains(got, "(username)") {
			t.Errorf("without an id attribute:\n%s", got)
		}
	}
}

func TestJSONLines(t *testing.T) {
	in := json.NewDecoder(strings.NewReader(write(t, export.Config{Format: export.JSONL})))
	var ids []string
	for {
		var e export.Entry
		err := in.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
		switch e.ID {
		case guid:
			if !slices.Equal(e.Attributes["mail"], []string{"ada@x", "l@x"}) || !bytes.Equal(e.Binary["jpegPhoto"][0], []byte{0xff, 0xd8}) || !*e.Active || *e.Staff ||
				e.Superuser != nil || e.Sequence != 1 || len(e.GroupIDs) != 3 || e.Missing != nil {
				t.Errorf("ada: %+v", e)
			}
		case "e":
			if e.Missing == nil || e.Missing.Year() != 2026 {
				t.Errorf("eve: %+v", e)
			}
		}
	}
	if !slices.Equal(ids, []string{"g1", "g2", guid, "b", "e"}) {
		t.Errorf("entries %q", ids)
	}
}

func TestCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(write(t, export.Config{Format: export.CSV, GroupName: []string{"cn"}}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"id|dn|description|jpegPhoto|mail|phone|uid|groups|active|staff|superuser|missing_since",
		guid + `|CN=Ada Lovelace,DC=x|'=HYPERLINK("http://evil","x")|/9g=|ada@x;l@x||ada|CN=Ops,DC=x;Dev|true|false||`,
		`b|CN=Bób,DC=x|||a\;b;c\\d|'+43 1 2|bob|||||`,
		`e|CN=Eve,DC=x|||x\;'=1+1||eve|||||2026-11-20T12:00:00Z`,
	} {
		if got := strings.Join(rows[i], "|"); got != want {
			t.Errorf("row %d: %s\nwanted: %s", i, got, want)
		}
	}
	if raw := write(t, export.Config{Format: export.CSV, Raw: true}); !strings.Contains(raw, ",+43 1 2,") || strings.Contains(raw, "'") {
		t.Errorf("raw:\n%s", raw)
	}
}

func TestUnknownFormat(t *testing.T) {
	if _, err := export.Write(t.Context(), io.Discard, export.Config{Format: "xml"}, company(t)); err == nil {
		t.Error("xml was written")
	}
}
