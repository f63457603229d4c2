package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/proto"
)

// mentions is what a search for a text wants of users, and of groups all.
func mentions(text string) func(proto.Kind, proto.Encoded) bool {
	return func(kind proto.Kind, x proto.Encoded) bool {
		return kind == proto.KindGroup || x.Mentions([]byte(text))
	}
}

func line(e proto.StateEntry) string {
	return fmt.Sprint(e.Kind, e.ID(), e.DN(), e.Attributes(), e.Digest, e.Sequence, e.Retained, e.Missing, e.Since, e.Reason)
}

// What is searched for is found as if all of the state were decoded and looked through, in the same order.
func TestASearchFindsWhatTheStateHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := simulate(t)
		// Several in one batch, one of them twice: once with the text and once without.
		c.users(user("x", "V1"), user("y", "v0"), user("x", rapid.SampledFrom([]string{"v0", "v1"}).Draw(t, "text")))
		h := c.open()
		point, text := h.Now(), rapid.SampledFrom([]string{"v1", "V0", "a", "UID=B,ou=people", "x", "nothing", ""}).Draw(t, "for")
		if rapid.Bool().Draw(t, "past") {
			point = h.Point(&h.Snapshots[rapid.IntRange(0, len(h.Snapshots)-1).Draw(t, "at")])
		}
		state, err := h.State(context.Background(), point)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := h.Search(context.Background(), point, mentions(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
			var got, want []string
			for e, err := range state.Entries(context.Background(), kind) {
				if err != nil {
					t.Fatal(err)
				}
				var values []string
				for _, a := range e.Attributes() {
					values = append(values, a.Values...)
				}
				if kind == proto.KindGroup && e.ID() != "g1" || kind == proto.KindUser && text != "" &&
					!slices.ContainsFunc(append(values, e.ID(), e.DN()), func(name string) bool { return strings.EqualFold(name, text) }) {
					continue
				}
				want = append(want, line(e))
			}
			wanted := func(id string) bool { return id == "g1" }
			if kind == proto.KindUser {
				wanted = nil
			}
			for e, err := range hits.Entries(context.Background(), kind, wanted) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, line(e))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%ss, %q:\n%s\nwant\n%s", kind, text, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// Who isn't there any more when she is asked for is an error, as is a search in what was cut off.
func TestASearchSaysWhatIsLost(t *testing.T) {
	s := newTape(t)
	s.begin(true)
	at := s.users(user("ada", "v"), user("bob", "v"))
	s.commit()
	h := s.open()
	hits, err := h.Search(t.Context(), h.Now(), mentions("v"))
	if err != nil {
		t.Fatal(err)
	}
	lost := func() (err error) {
		for _, err = range hits.Entries(t.Context(), proto.KindUser, nil) {
		}
		return err
	}
	if err := lost(); err != nil {
		t.Error(err)
	}
	whole := s.events[at-1]
	s.users(user("bob", "v")) // what stands in its place when ada is forgotten
	s.events[at-1].Data, s.events[at-1].ContentType = s.events[at+1].Data, s.events[at+1].ContentType
	if err := lost(); !errors.Is(err, proto.ErrCut) {
		t.Errorf("replaced: %v", err)
	}
	s.events[at-1] = proto.Event{}
	if err := lost(); !errors.Is(err, proto.ErrCut) {
		t.Errorf("erased: %v", err)
	}
	s.events[at-1], s.first = whole, at
	if _, err := h.Search(t.Context(), h.Now(), mentions("v")); !errors.Is(err, proto.ErrCut) {
		t.Errorf("cut: %v", err)
	}
}

func TestOneOfTheRemoved(t *testing.T) {
	s := newTape(t)
	for range 7 { // some in JSON
		for _, id := range []string{"ada", "bob", "kim"} {
			s.remove(user(id, id+"@example.org"))
		}
	}
	n := 0
	for e, err := range s.open().Removed(t.Context(), func(x proto.Encoded) bool { return x.Mentions([]byte("BOB@example.org")) }) {
		if n++; err != nil || e.ID() != "bob" || e.Reason != "not found" {
			t.Errorf("%v, %v", e, err)
		}
	}
	if n != 7 {
		t.Errorf("%d times", n)
	}
}
