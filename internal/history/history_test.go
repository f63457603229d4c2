package history_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/internal/bus"
	"ldapsync/internal/fault"
	"ldapsync/internal/history"
	"ldapsync/proto"
)

// life is a small history: 1 full, 2 delta, 3 aborted, 4 full, 5 delta.
func life(t *testing.T) *tape {
	s := newTape(t)
	s.begin(true) // 12:00
	s.users(user("ada", "ada@x"), user("bob"))
	s.commit()     // 12:02
	s.begin(false) // 12:03
	s.users(user("ada", "ada@y"))
	s.append(proto.TypeSnapshotHeld, &proto.SnapshotHeld{Snapshot: 2, Part: 1, Parts: 2, Holds: []*proto.Hold{{Hash: "h1", Count: 9, Entries: []byte("0123456789abcdef")}}})
	s.append(proto.TypeSnapshotHeld, &proto.SnapshotHeld{Snapshot: 2, Part: 2, Parts: 2, Holds: []*proto.Hold{{Hash: "h1"}, {Hash: "h2"}}})
	s.commit()     // 12:07
	s.begin(false) // 12:08
	s.users(user("eve"))
	s.abort("the connection was cut") // 12:10
	s.begin(true)                     // 12:11
	s.users(user("ada", "ada@y"), user("bob"), user("eve"))
	s.append(proto.TypeSnapshotHeld, &proto.SnapshotHeld{Snapshot: 4})
	s.commit()     // 12:14
	s.begin(false) // 12:15
	s.append(proto.TypeSnapshotDecided, &proto.SnapshotDecided{Snapshot: 5, Entries: 1, Verdict: &proto.Verdict{Hash: "h1", By: "root", Decision: proto.Decision_DECISION_APPROVE}})
	s.remove(user("bob"))
	s.commit() // 12:18
	return s
}

func TestSnapshotsAreReadFromTheirBrackets(t *testing.T) {
	s := life(t)
	s.begin(false)
	h := s.open()
	var got []string
	for _, n := range h.Snapshots {
		got = append(got, strings.TrimSpace(fmt.Sprintln(n.Number, n.Full, n.Status, n.Reason, n.First, n.Last, n.FullSequence, n.Skipped, n.HoldsTold, len(n.Held), len(n.Decided))))
	}
	want := []string{
		"1 true committed  1 3 1 1 false 0 0", "2 false committed  4 8 1 1 true 2 0", "3 false aborted the connection was cut 9 11 0 0 false 0 0",
		"4 true committed  12 15 12 1 true 0 0", "5 false committed  16 19 12 1 false 0 1", "6 false open  20 0 0 0 false 0 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("snapshots:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	second := h.Snapshots[1]
	if second.Held[0].Entries != nil || second.Held[0].Count != 9 || second.Server != "ldap://test" || second.Users.Read != 2 ||
		!second.Started.Equal(noon.Add(3*time.Minute)) || !second.Ended.Equal(noon.Add(7*time.Minute)) {
		t.Errorf("the second: %+v", second)
	}
	if second.Question == nil || second.Question != h.Snapshots[5].Question {
		t.Error("the question is kept once for each snapshot")
	}
	for i, want := range []uint64{0, 2, 2, 4, 4, 4} {
		if told := h.Told(&h.Snapshots[i]); want == 0 && told != nil || want > 0 && (told == nil || told.Number != want) {
			t.Errorf("what waits after %d is told by %+v", i+1, told)
		}
	}
	details, err := h.Details(t.Context(), &h.Snapshots[1])
	if err != nil || len(details.Held) != 2 || len(details.Held[0].Holds[0].Entries) != 16 || len(details.Skipped) != 1 {
		t.Errorf("details: %+v, %v", details, err)
	}
	if details, err := h.Details(t.Context(), &h.Snapshots[4]); err != nil || len(details.Decided) != 1 || details.Decided[0].Verdict.By != "root" {
		t.Errorf("details: %+v, %v", details, err)
	}
	for sequence, number := range map[uint64]uint64{1: 1, 3: 1, 4: 2, 10: 3, 17: 5, 21: 6} {
		if at := h.At(sequence); at == nil || at.Number != number {
			t.Errorf("sequence %d was published in %+v", sequence, at)
		}
	}
}

func TestASnapshotThatNobodyEndedIsAborted(t *testing.T) {
	s := newTape(t)
	s.begin(true)
	s.users(user("ada"))
	s.begin(true)
	s.users(user("ada"))
	s.commit()
	h := s.open()
	if first := h.Snapshots[0]; first.Status != history.Aborted || first.Last != 2 || !first.Ended.IsZero() {
		t.Errorf("%+v", first)
	}
	if _, err := h.Details(t.Context(), &h.Snapshots[0]); err != nil {
		t.Error(err)
	}
}

func TestReferences(t *testing.T) {
	h := life(t).open()
	vienna := time.FixedZone("CET", 3600)
	evening := time.Date(2026, 11, 20, 23, 30, 0, 0, vienna)
	for _, c := range []struct {
		now  time.Time
		ref  string
		want uint64
	}{
		{evening, "3", 3}, {evening, "latest", 5}, {evening, "now", 5}, {evening, "latest~1", 4}, {evening, "latest~2", 2}, {evening, "5~1", 4},
		{evening, "3~1", 2}, {evening, "latest~0", 5}, {evening, "2026-11-20T12:07Z", 2}, {evening, "2026-11-20T12:06:59Z", 1}, {evening, "2026-11-20T12:13:30Z", 2},
		{evening, "2026-11-20T13:07", 2}, {evening, "2026-11-20 13:14", 4}, {evening, "2026-11-20 13:14:00", 4}, {evening, "2026-11-20T12:14:00.5Z", 4}, {evening, "2026-11-20T13:13:59+01:00", 2},
		{evening, "2026-11-20 13:13 +01:00", 2}, {evening, "2026-11-20", 5}, {evening, "today", 5}, {evening, "2026-11-20~1", 4},
		{evening.AddDate(0, 0, 1), "yesterday", 5}, {evening.AddDate(0, 0, 1), "1 day ago", 5}, {evening.AddDate(0, 0, 7), "1w ago", 5},
		{noon.Add(2*time.Hour + 2*time.Minute), "2h ago", 1}, {noon.Add(2*time.Hour + 7*time.Minute), "120 min ago", 2}, {noon.Add(10 * time.Minute), "60s ago", 2},
		{noon.Add(10 * time.Minute), "now", 5}, // the stream's clock may be ahead of ours
	} {
		s, err := h.Resolve(c.ref, c.now)
		if err != nil || s.Number != c.want {
			t.Errorf("%s: %+v, %v, not %d", c.ref, s, err, c.want)
		}
	}
	for ref, want := range map[string]string{
		"6": "there is no snapshot 6; the last one is 5", "0": "no snapshot 0", "latest~4": "doesn't reach so far back", "5~x": "no number behind ~",
		"2026-11-20T12:01Z": "the oldest, 1, was at 2026-11-20T12:02:00Z", "2027-01-01": "in the future", "2026-11-21T00:00": "in the future",
		"yesterday": "no snapshot was committed at 2026-11-19T23:59:59+01:00", "tomorrow": "neither a number nor a time", "": "neither", "-1": "neither", "2 moons ago": "neither", "2026-13-45": "neither",
	} {
		if s, err := h.Resolve(ref, evening); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v, not %s", ref, s, err, want)
		}
	}
	if _, err := h.Committed("3", evening); err == nil || !strings.Contains(err.Error(), "was aborted") {
		t.Errorf("an aborted snapshot: %v", err)
	} else if _, hint := fault.Of(err); !strings.Contains(hint, "committed is 2") {
		t.Errorf("hint: %s", hint)
	}
	if s, err := h.Committed("4", evening); err != nil || s.Number != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	empty := newTape(t).open()
	for _, ref := range []string{"latest", "1", "2026-11-20"} {
		if _, err := empty.Resolve(ref, evening); err == nil || !strings.Contains(err.Error(), "yet") {
			t.Errorf("%s of nothing: %v", ref, err)
		}
	}
}

func TestLifeTellsWhatHappened(t *testing.T) {
	s := newTape(t)
	s.begin(true)
	s.users(user("ada", "a"), user("bob"))
	s.commit()
	s.begin(true)
	s.users(user("ada", "a"), user("bob")) // nothing new
	s.commit()
	s.begin(false)
	moved := user("ada", "a", "dev")
	moved.Dn = "uid=ada,ou=staff"
	s.users(moved)
	s.commit()
	s.begin(false)
	s.missing(moved)
	s.commit()
	s.begin(true)
	s.users(user("bob"))
	s.missing(moved) // repeated
	s.commit()
	s.begin(false)
	s.users(moved)
	s.commit()
	s.begin(false)
	s.append(proto.TypeUserRemoved, &proto.UserRemoved{User: moved, Reason: "not found", Approved: "beef"})
	s.commit()
	s.begin(false)
	s.users(user("ada", "b"))
	s.commit()
	h := s.open()
	want := []string{"1 came  []", "3 changed  [dn groups]", "4 missing not found [missing]", "6 found  [missing]", "7 removed not found beef []", "8 returned  [dn attribute groups]"}
	if got := told(t, h, "ada"); !slices.Equal(got, want) {
		t.Errorf("ada:\n  %s\nwanted:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if got := told(t, h, "eve"); got != nil {
		t.Errorf("eve: %q", got)
	}
	// What is left when the history was cut.
	s.first = h.Snapshots[4].First
	want = []string{"5 missing not found [missing]", "6 found  [missing]", "7 removed not found beef []", "8 returned  [dn attribute groups]"}
	if got := told(t, s.open(), "ada"); len(got) != 4 || !slices.Equal(got[1:], want[1:]) || !strings.HasPrefix(got[0], "5 missing") {
		t.Errorf("ada of what is left:\n  %s", strings.Join(got, "\n  "))
	}
	if got := told(t, s.open(), "bob"); !slices.Equal(got, []string{"5 known  []"}) {
		t.Errorf("bob of what is left: %q", got)
	}
}

func told(t *testing.T, h *history.History, id string) (lines []string) {
	t.Helper()
	for one, err := range h.Life(t.Context(), proto.KindUser, id) {
		if err != nil {
			t.Fatal(err)
		}
		var fields []history.Field
		for _, c := range one.Changes() {
			fields = append(fields, c.Field)
		}
		reason := one.Reason
		if one.Approved != "" {
			reason += " " + one.Approved
		}
		lines = append(lines, fmt.Sprint(one.Snapshot, " ", one.What, " ", reason, " ", fields))
	}
	return lines
}

func TestNowAndWhoWasRemoved(t *testing.T) {
	s := life(t)
	s.begin(false)
	s.users(user("kim"))
	h := s.open()
	state, err := h.State(t.Context(), h.Now())
	if err != nil || h.Now() != (history.Point{From: 12, To: 21}) || !state.Contains(proto.KindUser, "kim") || state.Contains(proto.KindUser, "bob") {
		t.Errorf("now: %+v, %v", h.Now(), err)
	}
	var gone []string
	for e, err := range h.Removed(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		gone = append(gone, fmt.Sprint(e.ID(), " ", e.Sequence, " ", e.Reason))
	}
	if !slices.Equal(gone, []string{"bob 18 not found"}) {
		t.Errorf("removed: %q", gone)
	}
}

// What a cut took away is an error, before, while, and whatever is asked for.
func TestACutHistoryIsNeverASmallerState(t *testing.T) {
	s := life(t)
	h := s.open()
	oldest, latest := h.Point(&h.Snapshots[0]), h.Point(h.Latest())
	state, err := h.State(t.Context(), oldest)
	if err != nil {
		t.Fatal(err)
	}
	diff, err := h.Diff(t.Context(), oldest, latest)
	if err != nil {
		t.Fatal(err)
	}
	s.first = 12
	for _, err = range state.Entries(t.Context()) {
	}
	wantCut(t, err)
	for _, err = range diff.Differences(t.Context()) {
	}
	wantCut(t, err)
	_, err = h.State(t.Context(), oldest)
	wantCut(t, err)
	_, err = h.Diff(t.Context(), oldest, latest)
	wantCut(t, err)

	h = s.open()
	if !h.Cut() || len(h.Snapshots) != 2 {
		t.Errorf("%d snapshots are left", len(h.Snapshots))
	}
	if _, err := h.Resolve("2", noon); err == nil || !strings.Contains(err.Error(), "begins with 4") {
		t.Errorf("snapshot 2: %v", err)
	}
	if _, ok := h.Before(&h.Snapshots[0]); ok {
		t.Error("what was before the oldest snapshot is known")
	}
	if before, ok := h.Before(&h.Snapshots[1]); !ok || before != (history.Point{From: 12, To: 15}) {
		t.Errorf("before the latest: %+v", before)
	}
	if state, err := h.State(t.Context(), latest); err != nil || state.Len(proto.KindUser) != 2 {
		t.Errorf("the latest state: %+v, %v", state, err)
	}
}

func wantCut(t *testing.T, err error) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Class != fault.Stream || !errors.Is(err, proto.ErrCut) {
		t.Errorf("a cut history: %v", err)
	}
}

// The same on a real stream.
func TestHistoryOfAStream(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	log, err := b.Log(t.Context(), "corp")
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(t.Context(), log)
	if err != nil || len(h.Snapshots) != 0 || h.Latest() != nil {
		t.Fatalf("an empty stream: %+v, %v", h, err)
	}
	if h = onBus(t, life(t)); len(h.Snapshots) != 5 || h.Last() != 19 {
		t.Fatalf("%+v", h)
	}
	d, err := h.Diff(t.Context(), h.Point(resolve(t, h, "1")), h.Point(resolve(t, h, "5")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for one, err := range d.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(one.Before != nil, one.After != nil, " ", one.Entry().DN()))
	}
	slices.Sort(got)
	if want := []string{"false true uid=eve,ou=people", "true false uid=bob,ou=people", "true true uid=ada,ou=people"}; !slices.Equal(got, want) {
		t.Errorf("differences %q", got)
	}
	if got := told(t, h, "bob"); !slices.Equal(got, []string{"1 came  []", "5 removed not found []"}) {
		t.Errorf("bob: %q", got)
	}
}

// What a snapshot erased is told behind its end, and belongs to it.
func TestErasuresBelongToTheirSnapshots(t *testing.T) {
	s := life(t)
	s.append(proto.TypeSnapshotForgot, &proto.SnapshotForgot{Snapshot: 5, Messages: 3})
	s.append(proto.TypeSnapshotForgot, &proto.SnapshotForgot{Snapshot: 5, Note: "still in the directory"})
	s.append(proto.TypeSnapshotForgot, &proto.SnapshotForgot{Snapshot: 4}) // nobody should say that now
	h := s.open()
	if n := len(h.Snapshots); n != 5 {
		t.Fatalf("%d snapshots", n)
	}
	last := h.Snapshots[4]
	if last.Status != history.Committed || last.Last != 19 || len(last.Forgot) != 2 || last.Forgot[0].GetMessages() != 3 || last.Forgot[1].GetNote() == "" || h.Snapshots[3].Forgot != nil {
		t.Errorf("%+v", last)
	}
}
