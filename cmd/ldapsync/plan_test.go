package main

import (
	"fmt"
	"testing"

	"ldapsync/proto"
)

func TestPlanOfOneEntryIsOneLine(t *testing.T) {
	user := func(action, name string) planned {
		return planned{Target: "t", Kind: proto.KindUser, ID: "1", DN: "uid=" + name, Action: action, Name: name}
	}
	with := func(c planned, set ...columnChange) planned { c.Set = set; return c }
	joins := func(c planned, join, leave []string) planned { c.Join, c.Leave = join, leave; return c }
	for _, c := range []struct {
		name    string
		changes []planned
		want    []string
	}{
		{"an update goes on", []planned{with(user("update", "ada"), columnChange{"email", "a", "b"}), with(user("update", "ada"), columnChange{"email", "b", "c"}, columnChange{"first_name", "", "Ada"})},
			[]string{`update  ada: email a → c, first_name "" → Ada`}},
		{"an update that is undone", []planned{with(user("update", "ada"), columnChange{"email", "a", ""}), with(user("update", "ada"), columnChange{"email", "", "a"})}, nil},
		{"memberships", []planned{joins(user("update", "ada"), []string{"x"}, []string{"y"}), joins(user("update", "ada"), []string{"z", "y"}, []string{"x"})}, []string{"update  ada: joins z"}},
		{"created, then renamed", []planned{user("create", "ada"), with(user("update", "eve"), columnChange{"username", "ada", "eve"})}, []string{"create  uid=eve → eve"}},
		{"skipped, then created", []planned{user("skip", "ada"), user("create", "ada")}, []string{"create  uid=ada → ada"}},
		{"created, then removed", []planned{user("create", "ada"), user("remove", "ada")}, []string{"create  uid=ada → ada", "remove  uid=ada (ada)"}},
		{"a control character", []planned{with(user("update", "ada\x1b"), columnChange{"is_active", nil, true})}, []string{"update  ada�: is_active null → true"}},
	} {
		p := plan{Totals: map[string]int{}}
		for _, change := range c.changes {
			p.add(change)
		}
		p.settle()
		var got []string
		for _, change := range p.Changes {
			got = append(got, change.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}
