package extractor_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/extractor"
	"ldapsync/internal/bus"
	"ldapsync/proto"
)

const marker = "countess-of-lovelace"

// newPast is a source with a history: ada came, changed, was missing, left, and others lived on.
func newPast(t *testing.T) *env {
	t.Helper()
	return newPastIn(t, proto.ContentTypeProtobuf)
}

func newPastIn(t *testing.T, contentType string) *env {
	t.Helper()
	e := newEnv(t)
	e.cfg.ContentType, e.cfg.Grace, e.cfg.FullEvery = contentType, time.Nanosecond, 24*time.Hour
	e.hire("ada", "bob", "eve", "kim", "sue", "tom")
	e.set("ada", "title", marker)
	e.team("x", "ada", "bob", "eve")
	e.pass()
	e.set("ada", "mail", marker+"@y")
	e.set("bob", "mail", "bob@y")
	e.set("tom", "mail", "tom@y")
	e.pass()
	e.passWith(extractor.Options{Full: true})
	e.set("ada", "mail", marker+"@z") // alone in its batch
	e.pass()
	e.leave("ada")
	e.pass()
	e.passWith(extractor.Options{Full: true}) // removed
	e.pass()
	e.set("kim", "mail", "kim@y")
	e.pass()
	return e
}

func forget(uid string) *proto.Forget {
	k := proto.EntryKey("id-" + uid)
	return &proto.Forget{Key: k[:], By: "grace", Reason: "asked for"}
}

func (e *env) forget(uids ...string) []string {
	e.t.Helper()
	var o extractor.Options
	for _, uid := range uids {
		o.Forgets = append(o.Forgets, forget(uid))
	}
	var notes []string
	for _, f := range e.passWith(o).Forgot {
		notes = append(notes, f.GetNote())
	}
	return notes
}

// states tells what each committed snapshot says of everyone but some, a line an entry.
func (e *env) states(but ...string) map[uint64][]string {
	e.t.Helper()
	all := map[uint64][]string{}
	for ev, err := range e.log.Since(e.t.Context(), time.Time{}, proto.TypeSnapshotCommitted) {
		var m proto.SnapshotCommitted
		if err == nil {
			err = proto.Unmarshal(ev, &m)
		}
		if err != nil {
			e.t.Fatal(err)
		}
		state, err := proto.ReadState(e.t.Context(), e.log, m.GetFullSequence(), ev.Sequence)
		if err != nil {
			e.t.Fatal(err)
		}
		lines := []string{}
		for entry, err := range state.Entries(e.t.Context()) {
			if err != nil {
				e.t.Fatalf("snapshot %d: %v", m.GetSnapshot(), err)
			}
			if !slices.Contains(but, strings.TrimPrefix(entry.ID(), "id-")) {
				lines = append(lines, fmt.Sprintf("%s %s %d %v %x %v", entry.Kind, entry.ID(), entry.Sequence, entry.Missing, entry.Digest, entry.Attributes()))
			}
		}
		slices.Sort(lines)
		all[m.GetSnapshot()] = lines
	}
	return all
}

// wantStates sees to it that what was said of everyone, but some, is said still.
func (e *env) wantStates(was map[uint64][]string, but ...string) {
	e.t.Helper()
	is := e.states(but...)
	for snapshot, want := range was {
		if !slices.Equal(is[snapshot], want) {
			e.t.Errorf("snapshot %d:\n  %s\nwas:\n  %s", snapshot, strings.Join(is[snapshot], "\n  "), strings.Join(want, "\n  "))
		}
	}
}

// traces counts the messages that hold a text, or carry a user.
func (e *env) traces(uid, text string) int {
	e.t.Helper()
	n := 0
	for ev, err := range e.log.Stored(e.t.Context()) {
		if err != nil {
			e.t.Fatal(err)
		}
		if bytes.Contains(ev.Data, []byte(text)) || bytes.Contains(ev.Data, []byte("id-"+uid)) {
			n++
		}
	}
	return n
}

// replacements are the places of the messages that stand in the place of others.
func (e *env) replacements() []uint64 {
	e.t.Helper()
	var places []uint64
	for ev, err := range e.log.Stored(e.t.Context(), proto.TypeUserReplaced) {
		if err != nil {
			e.t.Fatal(err)
		}
		places = append(places, ev.Replaces)
	}
	return places
}

func TestWhoIsForgottenIsErased(t *testing.T) {
	for _, contentType := range []string{proto.ContentTypeProtobuf, proto.ContentTypeJSON} {
		t.Run(contentType, func(t *testing.T) {
			e := newPastIn(t, contentType)
			e.cfg.ContentType = proto.ContentTypeProtobuf // the source's encoding may have changed
			before, n := e.states("ada"), e.traces("ada", marker)
			places, err := extractor.Trace(t.Context(), e.log, "id-ada")
			if err != nil || len(places) != n || n < 6 {
				t.Fatalf("she is carried at %v, and in %d messages, %v", places, n, err)
			}
			_, last, err := e.log.Bounds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s := e.passWith(extractor.Options{Forgets: []*proto.Forget{forget("ada")}})
			if !s.Full || len(s.Forgot) != 1 || s.Forgot[0].GetMessages() != uint64(n) || s.Forgot[0].GetNote() != "" || s.Forgot[0].GetForget().GetBy() != "grace" {
				t.Errorf("full %v, %v", s.Full, s.Forgot)
			}
			e.wantStates(before)
			if n := e.traces("ada", marker); n != 0 {
				t.Errorf("%d messages carry her still", n)
			}
			if places, err := extractor.Trace(t.Context(), e.log, "id-ada"); err != nil || places != nil {
				t.Errorf("she is carried at %v, %v", places, err)
			}
			if replaced := e.replacements(); len(replaced) != 3 {
				t.Errorf("%v are replaced", replaced)
			}
			want := []string{"started 9 full", "group gid-x"}
			for _, uid := range []string{"bob", "eve", "kim", "sue", "tom"} {
				want = append(want, strings.TrimSpace("user id-"+uid+map[string]string{"bob": " in gid-x", "eve": " in gid-x"}[uid]))
			}
			e.want(last, append(want, "committed 9")...)
			e.pass() // goes on
			e.wantStates(before)
		})
	}
}

func TestForgettingTwiceIsHarmless(t *testing.T) {
	e := newPast(t)
	before := e.states("ada")
	for range 3 {
		if notes := e.forget("ada", "ada", "nobody"); !slices.Equal(notes, []string{"", "", ""}) {
			t.Errorf("%q", notes)
		}
		e.wantStates(before)
	}
	if replaced := e.replacements(); len(replaced) != 3 {
		t.Errorf("%v are replaced", replaced)
	}
}

// A replacement is replaced by one that names the first event, too.
func TestForgettingOneAfterTheOther(t *testing.T) {
	e := newPast(t)
	others := []string{"tom", "sue", "kim", "eve", "bob"}
	for _, uid := range others {
		e.leave(uid)
	}
	e.hire("zoe") // from an empty answer nobody's removal follows
	e.pass()
	e.pass()
	gone := []string{"ada"}
	e.forget("ada")
	for _, uid := range others {
		gone = append(gone, uid)
		before := e.states(gone...)
		if notes := e.forget(uid); notes[0] != "" {
			t.Fatal(notes)
		}
		e.wantStates(before)
		if n := e.traces(uid, uid+"@x"); n != 0 {
			t.Errorf("%d messages carry %s still", n, uid)
		}
		replaced := e.replacements()
		if slices.Sort(replaced); len(slices.Compact(slices.Clone(replaced))) != len(replaced) {
			t.Errorf("replaced twice: %v", replaced)
		}
	}
	if replaced := e.replacements(); replaced != nil {
		t.Errorf("nobody is left, but %v", replaced)
	}
}

func TestOnlyWhoIsGoneIsForgotten(t *testing.T) {
	e := newPast(t)
	e.cfg.Grace = time.Hour
	e.leave("eve")
	e.leave("sue")
	e.pass() // missing
	n := e.traces("bob", "bob@") + e.traces("eve", "eve@")
	notes := e.forget("bob", "eve")
	for _, note := range notes {
		if !strings.HasPrefix(note, "still in the directory, or kept") {
			t.Errorf("%q", note)
		}
	}
	e.cfg.Grace = 0
	e.cfg.Limits = extractor.DefaultLimits()
	e.cfg.Limits.Users.Count = 1
	e.leave("tom")
	e.leave("kim")
	if s := e.pass(); len(s.Held) != 1 {
		t.Fatalf("held: %+v", s.Held)
	}
	if notes = e.forget("tom"); !strings.HasPrefix(notes[0], "still in the directory, or kept") {
		t.Errorf("held: %q", notes)
	}
	s := e.passWith(extractor.Options{Forgets: []*proto.Forget{{Key: []byte("short")}}})
	if note := s.Forgot[0].GetNote(); note != "its key has 5 bytes, not 16" {
		t.Errorf("%q", note)
	}
	if now := e.traces("bob", "bob@") + e.traces("eve", "eve@"); now < n || e.replacements() != nil {
		t.Errorf("%d messages of %d, replaced %v", now, n, e.replacements())
	}
}

// Whoever returns in the pass that was to forget her is there.
func TestWhoReturnsIsNotForgotten(t *testing.T) {
	e := newPast(t)
	e.hire("ada")
	if notes := e.forget("ada"); notes[0] == "" {
		t.Error("forgotten")
	}
}

func TestLaggingConsumerIsWaitedFor(t *testing.T) {
	e := newPast(t)
	places, err := extractor.Trace(t.Context(), e.log, "id-ada")
	if err != nil {
		t.Fatal(err)
	}
	last := places[len(places)-1]
	before, n := e.states("ada"), e.traces("ada", marker)
	mirror := func(at uint64) {
		if err := e.bus.Mirror(t.Context(), "corp", "crm", e.log.StreamID(), at); err != nil {
			t.Fatal(err)
		}
	}
	mirror(last - 1)
	want := fmt.Sprintf("target crm is at sequence %d and hasn't seen her removal, %d", last-1, last)
	if notes := e.forget("ada"); !strings.HasPrefix(notes[0], want) || e.traces("ada", marker) != n {
		t.Errorf("%q, want %q", notes, want)
	}
	mirror(last)
	if notes := e.forget("ada"); notes[0] != "" || e.traces("ada", marker) != 0 {
		t.Errorf("%q", notes)
	}
	e.wantStates(before)
}

// dying is a stream whose writer is killed at one of its steps.
type dying struct {
	*bus.Log
	left int
}

func (d *dying) step() error {
	if d.left--; d.left < 0 {
		return errKilled
	}
	return nil
}

func (d *dying) Publish(ctx context.Context, e proto.Event) (uint64, error) {
	if err := d.step(); err != nil {
		return 0, err
	}
	return d.Log.Publish(ctx, e)
}

func (d *dying) Erase(ctx context.Context, sequences ...uint64) error {
	for _, sequence := range sequences {
		if err := d.step(); err != nil {
			return err
		}
		if err := d.Log.Erase(ctx, sequence); err != nil {
			return err
		}
	}
	return nil
}

// Killed at any step: nothing is lost, nothing doubles, and the next pass brings it to its end.
func TestForgettingSurvivesCrashes(t *testing.T) {
	for at := 0; ; at++ {
		e := newPast(t)
		before := e.states("ada")
		o := extractor.Options{Forgets: []*proto.Forget{forget("ada")}}
		_, err := extractor.New(e.cfg, e.directory, &dying{e.log, at}).Pass(t.Context(), o)
		e.wantStates(before, "ada")
		if err == nil {
			if at < 14 {
				t.Errorf("it took %d steps", at)
			}
			return
		}
		if notes := e.forget("ada"); notes[0] != "" {
			t.Errorf("killed at %d: %q", at, notes)
		}
		e.wantStates(before)
		if n := e.traces("ada", marker); n != 0 {
			t.Errorf("killed at %d: %d messages carry her still", at, n)
		}
		if replaced := e.replacements(); len(replaced) != 3 {
			t.Errorf("killed at %d: %v are replaced", at, replaced)
		}
		if t.Failed() {
			return
		}
	}
}

// A log that can't erase says so, and the snapshot is aborted.
func TestNobodyIsErasedFromAnyLog(t *testing.T) {
	e := newPast(t)
	_, err := extractor.New(e.cfg, e.directory, struct{ extractor.Log }{e.log}).Pass(t.Context(), extractor.Options{Forgets: []*proto.Forget{forget("ada")}})
	if err == nil || !strings.Contains(err.Error(), "nobody can be erased") {
		t.Errorf("%v", err)
	}
}
