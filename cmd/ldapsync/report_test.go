package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/extractor"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// filled is the result of a run with something of everything.
func filled(letters int) *result {
	r := newResult()
	r.passed("corp", &extractor.Summary{
		Snapshot: 7, Full: true, Server: "ldap://dc1", Users: extractor.Counts{Read: 100, Skipped: 1, Held: 2}, Groups: extractor.Counts{Read: 10},
		Skipped: []extractor.Skip{{Kind: proto.KindUser, DN: "cn=x\x1b[2J", Reason: "no username"}},
		Missing: 4,
		Held: []extractor.Hold{
			{Kind: proto.KindUser, Change: proto.ChangeRemoved, Count: 2, Of: 100, Reason: "too many", Hash: "0123456789abcdef"},
			{Kind: proto.KindUser, Change: proto.ChangeStaff, Count: 1, Of: 1, Reason: "all 1", Hash: "fedcba9876543210", Rejected: true},
		},
		Decided: []*proto.SnapshotDecided{{
			Verdict: &proto.Verdict{Hash: "77777777", Decision: proto.Decision_DECISION_APPROVE, By: "ada", Reason: "the branch\nis closed"},
			Hold:    &proto.Hold{Hash: "7777777788888888", Count: 9}, Entries: 8, Note: "1 has changed since",
		}},
	})
	r.applied("web", "corp", applier.Summary{
		Users:   applier.Counts{Created: 3, Adopted: 1, Updated: 4, Removed: 2, Joined: 5, Left: 6, Skipped: 1},
		Groups:  applier.Counts{Created: 10},
		Adopted: []string{"ada"}, Notes: []string{"eve: was deleted by hand"},
	})
	r.handled("web", &callbacks.Summary{Deactivated: 2})
	var list []django.Letter
	for i := range letters {
		list = append(list, django.Letter{LetterKey: django.LetterKey{Source: "corp", Kind: proto.KindUser, Stage: django.StageApply}, DN: fmt.Sprintf("cn=%03d", letters-i), Reason: "too long"})
	}
	r.letters("web", list)
	return r
}

func printed(t *testing.T, r *result) string {
	t.Helper()
	var b bytes.Buffer
	w := &lines{w: &b}
	for _, s := range r.Sources {
		s.print(w)
	}
	for _, target := range r.Targets {
		target.print(w)
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
	return b.String()
}

func TestReport(t *testing.T) {
	const want = `source corp: snapshot 7 (full) from ldap://dc1
                    users   groups
  read                100       10
  skipped               1        0
  missing               4        0
  held                  2        0
  approved 77777777 by ada (the branch�is closed): 8 of its 9 released: 1 has changed since
  held: 2 of 100 users would be removed (too many): ldapsync held show 01234567
  rejected: 1 hold stays as before: ldapsync held list
  skipped: cn=x�[2J: no username
target web:
                    users   groups
  created               3       10
  adopted               1        0
  updated               4        0
  unchanged            90        0
  removed               2        0
  deactivated           2        0
  skipped               1        0
  memberships    5 added, 6 taken
  adopted: ada
  note: eve: was deleted by hand
  skipped: cn=001: too long
`
	if got := printed(t, filled(1)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestReportNamesTwentyAndCountsTheRest, in the order of their DNs.
func TestReportNamesTwentyAndCountsTheRest(t *testing.T) {
	got := printed(t, filled(23))
	if strings.Count(got, ": too long\n") != 20 || !strings.Contains(got, "  skipped: cn=020: too long\n  … and 3 more skipped: ldapsync deadletters list --target web lists all\n") {
		t.Errorf("got:\n%s", got)
	}
}

func TestExitCodeOfLeftovers(t *testing.T) {
	clean := newResult()
	clean.passed("corp", &extractor.Summary{})
	skipped := newResult()
	skipped.letters("web", []django.Letter{{LetterKey: django.LetterKey{Stage: django.StageApply}}})
	retrying := newResult()
	retrying.letters("web", []django.Letter{{LetterKey: django.LetterKey{Stage: callbacks.Delete}}})
	for _, c := range []struct {
		name   string
		result *result
		strict bool
		want   error
	}{
		{"clean", clean, true, nil}, {"skipped", skipped, false, nil}, {"skipped, strict", skipped, true, exit(codeLeftovers)},
		{"retrying", retrying, false, exit(codeLeftovers)}, {"held", filled(0), false, exit(codeLeftovers)},
	} {
		if got := c.result.exit(c.strict); got != c.want {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
	}
}

func TestProgressRewritesOneLine(t *testing.T) {
	now := time.Unix(0, 0)
	var b bytes.Buffer
	p := newProgress(&b, false)
	p.width, p.every, p.now, p.last = 60, time.Second, func() time.Time { return now }, now
	p.read("a", 1, 1)
	if b.Len() > 0 {
		t.Errorf("too soon: %q", &b)
	}
	now = now.Add(time.Second)
	p.applied("t", 5)
	now = now.Add(time.Second)
	p.read("b", 10, 3)
	p.end()
	now = now.Add(time.Hour)
	p.read("b", 11, 3)
	line := func(s string) string { return "\r" + s + strings.Repeat(" ", 59-len(s)) }
	if want := line("1 entries read, 1 published, 5 applied") + line("11 entries read, 4 published, 5 applied") + line("") + "\r"; b.String() != want {
		t.Errorf("got %q\nwant %q", &b, want)
	}
}

func TestProgressElsewhereIsPlainLines(t *testing.T) {
	now := time.Unix(0, 0)
	var b bytes.Buffer
	p := newProgress(&b, false)
	p.now, p.last = func() time.Time { return now }, now
	now = now.Add(11 * time.Second)
	p.read("a", 1000, 20)
	p.end()
	if b.String() != "1000 entries read, 20 published, 0 applied\n" {
		t.Errorf("%q", &b)
	}
}
