package main

import (
	"strings"
	"testing"
	"time"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

func TestPick(t *testing.T) {
	var list []foundHold
	for _, hash := range []string{"0123456789abcdef", "0123456780000000", "fedcba9876543210"} {
		list = append(list, foundHold{holdView: holdView{Hash: hash, Kind: proto.KindUser, Change: proto.ChangeRemoved, Count: 6, Of: 9}})
	}
	for _, c := range []struct {
		given, want string // hash, or part of the error
		hint        string
	}{
		{"fedcba98", "fedcba9876543210", ""},
		{" FEDCBA9876543210 ", "fedcba9876543210", ""},
		{"0123456789", "0123456789abcdef", ""},
		{"01234567", "stands for several holds", "give more digits"},
		{"fedcba9", "the first 8 are enough", "held list"},
		{"fedcba98765432100", "nothing is held under", "held now: 01234567 (6 of 9 users would be removed), 01234567 ("},
	} {
		got, err := pick(list, c.given)
		if err == nil {
			if got.Hash != c.want {
				t.Errorf("%s: %s", c.given, got.Hash)
			}
			continue
		}
		if _, hint := fault.Of(err); !strings.Contains(err.Error(), c.want) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: %v (%s)", c.given, err, hint)
		}
	}
	if _, err := pick(nil, "fedcba98"); err == nil {
		t.Error("picked something of nothing")
	}
}

// TestAmong: a person who has thousands of lines before her looks at these first.
func TestAmong(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	yesterday, longAgo := now.Add(-24*time.Hour), now.Add(-31*24*time.Hour)
	s := shownHold{Entries: []shownEntry{
		{Accounts: []shownAccount{{Superuser: true, Staff: true, LastLogin: &longAgo}, {LastLogin: &yesterday}}},
		{Accounts: []shownAccount{{Staff: true}}},
		{Accounts: []shownAccount{{LastLogin: &yesterday}}},
		{},
	}}
	if got, want := s.among(now), "1 superuser, 1 staff user, 2 who logged in within the last 30 days, 1 without an account"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got := (&shownHold{Entries: []shownEntry{{}, {}}}).among(now); got != "" {
		t.Errorf("where nobody has an account: %q", got)
	}
}
