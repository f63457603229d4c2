package main

import (
	"strings"
	"testing"

	"ldapsync/proto"
)

// TestSnapshotsShowWhatNamesAreTakenFrom: where the name is the id, people want to know which name.
func TestSnapshotsShowWhatNamesAreTakenFrom(t *testing.T) {
	q := &proto.Question{Bases: []string{"dc=example"}, Scope: "sub", IdAttribute: "username", UserNames: []string{"uid", "cn"}, GroupNames: []string{"cn"}}
	var out strings.Builder
	(&lines{w: &out}).question(q)
	const want = "  id:        username\n             names of users from uid, else cn\n             names of groups from cn\n"
	if got := out.String(); !strings.HasSuffix(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	v := viewQuestion(q)
	if strings.Join(v.UserNames, " ") != "uid cn" || strings.Join(v.GroupNames, " ") != "cn" {
		t.Errorf("%+v", v)
	}
	out.Reset()
	(&lines{w: &out}).question(&proto.Question{IdAttribute: "entryUUID"})
	if strings.Contains(out.String(), "names") {
		t.Errorf("%q", &out)
	}
}
