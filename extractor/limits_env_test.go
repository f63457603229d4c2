package extractor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldapsync/extractor"
	"ldapsync/proto"
)

// company is a source with the default limits and so many users, u000 and so on, all of them in the group "all" if there is to be one.
func company(t *testing.T, users int, groups ...string) *env {
	t.Helper()
	e := newEnv(t)
	e.cfg.Limits = extractor.DefaultLimits()
	e.hire(uids(0, users)...)
	for _, g := range groups {
		e.team(g, uids(0, users)...)
	}
	e.pass()
	return e
}

// last is the last sequence of the stream.
func (e *env) last() uint64 {
	e.t.Helper()
	_, last, err := e.log.Bounds(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return last
}

// entries are the lines of the entry events behind a sequence.
func (e *env) entries(after uint64) []string {
	e.t.Helper()
	return slices.DeleteFunc(e.published(after), func(line string) bool {
		word, _, _ := strings.Cut(line, " ")
		return slices.Contains([]string{"started", "committed", "aborted", "held", "decided"}, word)
	})
}

// uids are the names of the users from one number up to another.
func uids(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("u%03d", i))
	}
	return all
}

func (d *directory) leaveAll(uids []string) {
	for _, uid := range uids {
		d.leave(uid)
	}
}

// lose takes an attribute from users.
func (d *directory) lose(attribute string, uids ...string) {
	for _, uid := range uids {
		r := d.user(uid)
		r.Attributes = slices.DeleteFunc(slices.Clone(r.Attributes), func(a extractor.Attribute) bool { return a.Name == attribute })
	}
}

// wantHeld compares what a pass holds, a line for each hold: kind, change, key, how many of how many.
func (e *env) wantHeld(s *extractor.Summary, lines ...string) {
	e.t.Helper()
	var got []string
	for _, h := range s.Held {
		got = append(got, line(h))
	}
	if !slices.Equal(got, lines) {
		e.t.Errorf("held:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
	read, err := extractor.ReadHeld(e.t.Context(), e.log)
	if err != nil {
		e.t.Fatal(err)
	}
	var told []string
	for _, h := range read.Holds {
		told = append(told, line(h))
	}
	if !slices.Equal(told, lines) {
		e.t.Errorf("the stream says that this is held: %q", told)
	}
}

func line(h extractor.Hold) string {
	l := strings.TrimSpace(fmt.Sprintf("%s %s %s", h.Kind, h.Change, h.Key)) + fmt.Sprintf(": %d of %d", h.Count, h.Of)
	if h.Rejected {
		l += ", rejected"
	}
	return l
}

// wantPublished compares what was published after a sequence, brackets, holds and decisions left out.
func (e *env) wantPublished(after uint64, lines ...string) {
	e.t.Helper()
	var got []string
	for _, l := range e.published(after) {
		switch word, _, _ := strings.Cut(l, " "); word {
		case "started", "committed", "aborted", "held", "decided":
		default:
			got = append(got, l)
		}
	}
	slices.Sort(got)
	slices.Sort(lines)
	if !slices.Equal(got, lines) {
		e.t.Errorf("published:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

// removed are the lines that tell of these users' removal.
func removed(uids []string) []string {
	var lines []string
	for _, uid := range uids {
		lines = append(lines, "removed id-"+uid+" "+dn(uid))
	}
	return lines
}

// decide makes a pass that carries out a verdict about a hold.
func (e *env) decide(d proto.Decision, h extractor.Hold) *extractor.Summary {
	e.t.Helper()
	return e.passWith(extractor.Options{Verdicts: []*proto.Verdict{{Hash: h.Hash, Decision: d, By: "eve", Reason: "asked HR"}}})
}

func (e *env) approve(h extractor.Hold) *extractor.Summary {
	e.t.Helper()
	return e.decide(proto.Decision_DECISION_APPROVE, h)
}

func (e *env) reject(h extractor.Hold) *extractor.Summary {
	e.t.Helper()
	return e.decide(proto.Decision_DECISION_REJECT, h)
}

// losses are those that the last committed or aborted snapshot tells, a line each.
func (e *env) losses(t proto.Type) []string {
	e.t.Helper()
	ev, err := e.log.LastOf(e.t.Context(), t)
	if err != nil {
		e.t.Fatal(err)
	}
	var losses []*proto.Loss
	if t == proto.TypeSnapshotAborted {
		var m proto.SnapshotAborted
		err = proto.Unmarshal(ev, &m)
		losses = m.Losses
	} else {
		var m proto.SnapshotCommitted
		err = proto.Unmarshal(ev, &m)
		losses = m.Losses
	}
	if err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for _, l := range losses {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", l.Kind, l.Change, l.Key))+fmt.Sprintf(": %d", l.Count))
	}
	return lines
}

func (e *env) wantLosses(lines ...string) {
	e.t.Helper()
	if got := e.losses(proto.TypeSnapshotCommitted); !slices.Equal(got, lines) {
		e.t.Errorf("losses %q, wanted %q", got, lines)
	}
}
