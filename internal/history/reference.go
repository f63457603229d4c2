package history

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ldapsync/internal/fault"
)

// hint is what a reference may be.
const hint = `a snapshot is named by its number, latest, latest~2, a time (2026-11-20T08:00Z, 2026-11-20, yesterday, "2h ago"), or one of these with ~N for the Nth before it`

// Resolve returns the snapshot that a person means by ref: the one of a number, whatever became of it; "latest" or "now", the last that
// was committed; or a time, the last that was committed then or before. A time is RFC 3339, with or without seconds and
// zone (now's, where there is none); "2h ago" and the like; or a day ("2026-11-20", "yesterday", "today"), which means the end of that
// day. "~N" behind any of them means the Nth committed before it. now says what time it is, and where.
func (h *History) Resolve(ref string, now time.Time) (*Snapshot, error) {
	base, back := strings.TrimSpace(ref), 0
	if text, n, ok := strings.Cut(base, "~"); ok {
		var err error
		if back, err = strconv.Atoi(n); err != nil || back < 0 {
			return nil, fault.New(fault.Usage, hint, "snapshot %q: no number behind ~", ref)
		}
		base = strings.TrimSpace(text)
	}
	s, err := h.base(base, now)
	for ; err == nil && back > 0; back-- {
		before := h.committedBefore(h.place(s))
		if before == nil {
			return nil, fault.New(fault.Failed, "ldapsync snapshots list shows what there is", "snapshot %q: the history doesn't reach so far back", ref)
		}
		s = before
	}
	return s, err
}

// Committed is Resolve for those who need a state: only a snapshot that was committed will do.
func (h *History) Committed(ref string, now time.Time) (*Snapshot, error) {
	s, err := h.Resolve(ref, now)
	if err != nil || s.Status == Committed {
		return s, err
	}
	what := "isn't complete yet"
	if s.Status == Aborted {
		what = "was aborted, and has no state of its own"
	}
	advice := "ldapsync snapshots list shows the others"
	if before := h.committedBefore(h.place(s)); before != nil {
		advice = fmt.Sprintf("the last one before it that was committed is %d", before.Number)
	}
	return nil, fault.New(fault.Failed, advice, "snapshot %d %s", s.Number, what)
}

func (h *History) base(ref string, now time.Time) (*Snapshot, error) {
	if ref == "latest" || ref == "now" {
		if s := h.Latest(); s != nil {
			return s, nil
		}
		return nil, fault.New(fault.Failed, "ldapsync run makes one", "no snapshot was committed yet")
	}
	if n, err := strconv.ParseUint(ref, 10, 64); err == nil {
		return h.numbered(n)
	}
	t, err := moment(ref, now)
	if err != nil {
		return nil, err
	}
	return h.asOf(t)
}

func (h *History) numbered(n uint64) (*Snapshot, error) {
	for i := len(h.Snapshots) - 1; i >= 0; i-- {
		if h.Snapshots[i].Number == n {
			return &h.Snapshots[i], nil
		}
	}
	const advice = "ldapsync snapshots list shows what there is"
	switch {
	case len(h.Snapshots) == 0:
		return nil, fault.New(fault.Failed, "ldapsync run makes one", "there is no snapshot yet")
	case n < h.Snapshots[0].Number && h.Cut():
		return nil, fault.New(fault.Failed, advice, "snapshot %d is no longer in the history, which begins with %d", n, h.Snapshots[0].Number)
	}
	return nil, fault.New(fault.Failed, advice, "there is no snapshot %d; the last one is %d", n, h.Snapshots[len(h.Snapshots)-1].Number)
}

// asOf returns the last snapshot that was committed at t or before.
func (h *History) asOf(t time.Time) (*Snapshot, error) {
	var oldest *Snapshot
	for i := len(h.Snapshots) - 1; i >= 0; i-- {
		if s := &h.Snapshots[i]; s.Status == Committed {
			if !s.Ended.After(t) {
				return s, nil
			}
			oldest = s
		}
	}
	if oldest == nil {
		return nil, fault.New(fault.Failed, "ldapsync run makes one", "no snapshot was committed yet")
	}
	return nil, fault.New(fault.Failed, "ldapsync snapshots list shows what there is", "no snapshot was committed at %s or before; the oldest, %d, was at %s",
		t.Format(time.RFC3339), oldest.Number, oldest.Ended.In(t.Location()).Format(time.RFC3339))
}

var layouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"}

// moment understands a time, or a day.
func moment(ref string, now time.Time) (time.Time, error) {
	switch strings.ToLower(ref) {
	case "today":
		return now, nil
	case "yesterday":
		return endOfDay(now, -1), nil
	}
	if t, ok := ago(ref, now); ok {
		return t, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, ref, now.Location()); err == nil {
		if end := endOfDay(day, 0); end.Before(now) {
			return end, nil
		}
		return past(ref, day, now, now)
	}
	text := ref
	if date, clock, ok := strings.Cut(ref, " "); ok {
		text = date + "T" + strings.ReplaceAll(clock, " ", "")
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, strings.ToUpper(text), now.Location()); err == nil {
			return past(ref, t, now, t)
		}
	}
	return time.Time{}, fault.New(fault.Usage, hint, "snapshot %q: neither a number nor a time", ref)
}

// past returns t, if begin isn't in the future.
func past(ref string, begin, now, t time.Time) (time.Time, error) {
	if begin.After(now) {
		return t, fault.New(fault.Usage, "it is "+now.Format(time.RFC3339)+" now", "snapshot %q: that is in the future", ref)
	}
	return t, nil
}

// endOfDay is the last moment of the day of t, days later.
func endOfDay(t time.Time, days int) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d+days+1, 0, 0, 0, 0, t.Location()).Add(-1)
}

var agoForm = regexp.MustCompile(`^(\d{1,6}) ?([a-z]+) ago$`)

// ago understands "90s ago", "2h ago", "3 days ago".
func ago(ref string, now time.Time) (time.Time, bool) {
	parts := agoForm.FindStringSubmatch(strings.ToLower(ref))
	if parts == nil {
		return now, false
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return now, false
	}
	switch strings.TrimSuffix(parts[2], "s") {
	case "", "sec", "second": // "" is what is left of "s"
		return now.Add(-time.Duration(n) * time.Second), true
	case "m", "min", "minute":
		return now.Add(-time.Duration(n) * time.Minute), true
	case "h", "hour":
		return now.Add(-time.Duration(n) * time.Hour), true
	case "d", "day":
		return now.AddDate(0, 0, -n), true
	case "w", "week":
		return now.AddDate(0, 0, -7*n), true
	}
	return now, false
}
