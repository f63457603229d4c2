package extractor_test

import (
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
)

// An approval is carried out by an answer that is worth as much as the one that was shown.
func TestApprovalIsNotCarriedOutByAWorseAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		worse func(e *env)
		note  string
	}{
		"empty":            {func(e *env) { e.users = nil }, "lists no users"},
		"another question": {func(e *env) { e.filter = "(x=y)"; e.users = e.users[20:] }, "the question has changed"},
		"no ids":           {func(e *env) { e.users[0].ID = "" }, "no entryUUID"},
	} {
		t.Run(name, func(t *testing.T) {
			e := administered(t)
			all := slices.Clone(e.users)
			e.leaveAll(uids(0, 20))
			s := e.pass()
			e.wantHeld(s, "user removed: 20 of 200", "user staff: 5 of 5", "user superuser: 4 of 4")
			e.users = all[10:] // half of them would have been back
			test.worse(e)
			at := e.last()
			for _, h := range s.Held[:2] {
				n := e.approve(h)
				if d := n.Decided[0]; d.Entries != 0 || !strings.Contains(d.Note, test.note) {
					t.Errorf("%s: %+v", line(h), d)
				}
				if test.note == "the question has changed" { // each of these is a first
					e.filter += " "
				}
				s = n
			}
			if got := e.entries(at); len(got) > 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

// Whoever was shown that everybody is gone may approve it.
func TestEmptyDirectoryCanBeApproved(t *testing.T) {
	e := company(t, 60)
	e.users = nil
	s := e.pass()
	e.wantHeld(s, "user removed: 60 of 60")
	at := e.last()
	e.wantHeld(e.approve(s.Held[0]))
	e.wantPublished(at, removed(uids(0, 60))...)
}

// So may he who was shown what another question does: the pass that answers is the second to ask it.
func TestChangedQuestionCanBeApproved(t *testing.T) {
	e := company(t, 60)
	e.filter, e.users = "(x=y)", e.users[2:]
	s := e.pass()
	e.wantHeld(s, "user removed: 2 of 60")
	at := e.last()
	e.wantHeld(e.passWith(extractor.Options{}), "user removed: 2 of 60")
	e.wantHeld(e.approve(s.Held[0]))
	e.wantPublished(at, removed(uids(0, 2))...)
}
