package main

import (
	"bytes"
	"strings"
	"testing"

	"ldapsync/applier"
	"ldapsync/extractor"
	"ldapsync/proto"
)

// TestWhatIsHeld: in words that a person knows, the group by its name.
func TestWhatIsHeld(t *testing.T) {
	for _, c := range []struct {
		hold extractor.Hold
		want string
	}{
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeRemoved, Count: 51, Of: 102}, "51 of 102 users would be removed"},
		{extractor.Hold{Kind: proto.KindGroup, Change: proto.ChangeRemoved, Count: 1, Of: 1}, "1 of 1 group would be removed"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeMembership, Count: 40, Of: 41, Key: "5c0f", Name: "Engineers"}, "40 of 41 members would leave the group Engineers"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeMembership, Count: 40, Of: 41, Key: "5c0f"}, "40 of 41 members would leave the group 5c0f"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeMembership, Count: 1, Of: 300}, "1 user would lose memberships in groups"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeStaff, Count: 3, Of: 9}, "3 of 9 staff users would lose staff status or be removed"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeSuperuser, Count: 3, Of: 3}, "3 of 3 superusers would lose superuser status or be removed"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeStaff, Count: 60, Of: 60, Reason: "60 of 60: all 60; flags.staff " + extractor.MatchesNobody}, "60 of 60 users would lose staff status, where they have it"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeActive, Count: 6, Of: 20}, "6 of 20 active users would be deactivated by the active flag"},
		{extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeAttribute, Count: 6, Of: 20, Key: "mail", Name: "mail\x1b[1m"}, "6 of 20 users would lose all values of mail�[1m"},
		{extractor.Hold{Kind: proto.KindUser, Change: applier.ChangeOrphans, Count: 6, Of: 20}, "6 of 20 accounts would count as removed: no entry of the directory stands behind them"},
		{extractor.Hold{Kind: proto.KindUser, Change: applier.ChangeSweep, Count: 6, Of: 20}, "6 accounts and groups would count as removed: the snapshot that was caught up with doesn't have them"},
		{extractor.Hold{Kind: proto.KindUser, Change: "shoe size", Count: 6, Of: 20}, "6 of 20 accounts: shoe size"},
	} {
		if got := newHoldView("corp", c.hold).what(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestManyHolds(t *testing.T) {
	var list holds
	for range most + 3 {
		list = append(list, newHoldView("corp", extractor.Hold{Kind: proto.KindUser, Change: proto.ChangeMembership, Key: "g", Name: "Team", Count: 7, Of: 7, Reason: "all 7", Hash: "0123456789abcdef"}))
	}
	var b bytes.Buffer
	list.print(&lines{w: &b})
	if strings.Count(b.String(), ": ldapsync held show 01234567\n") != most || !strings.HasSuffix(b.String(), "  … and 3 more: ldapsync held list\n") {
		t.Errorf("got\n%s", &b)
	}
}

func TestWhatWasDecided(t *testing.T) {
	verdict := func(d proto.Decision) *proto.Verdict {
		return &proto.Verdict{Hash: "01234567", Decision: d, By: "ada", Reason: "why not"}
	}
	hold := &proto.Hold{Hash: "0123456789", Count: 3}
	for _, c := range []struct {
		decided *proto.SnapshotDecided
		want    string
	}{
		{&proto.SnapshotDecided{Verdict: verdict(proto.Decision_DECISION_APPROVE), Hold: hold, Entries: 3}, "approved 01234567 by ada (why not): 3 of its 3 released"},
		{&proto.SnapshotDecided{Verdict: verdict(proto.Decision_DECISION_REJECT), Hold: hold, Entries: 3}, "rejected 01234567 by ada (why not): 3 of its 3 stay as they are"},
		{&proto.SnapshotDecided{Verdict: verdict(proto.Decision_DECISION_APPROVE), Note: "it dissolved"}, "approved 01234567 by ada (why not): nothing of that hash is held: it dissolved"},
	} {
		if got := newDecidedView("corp", c.decided).line(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
