package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"ldapsync/applier"
	"ldapsync/callbacks"
	"ldapsync/extractor"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// result is what a run did, as --json prints it.
type result struct {
	Sources []*sourceResult `json:"sources"`
	Targets []*targetResult `json:"targets"`
	Seconds float64         `json:"seconds"`

	mu    sync.Mutex
	begun time.Time
}

type sourceResult struct {
	Name     string       `json:"name"`
	Snapshot uint64       `json:"snapshot"`
	Full     bool         `json:"full"`
	Server   string       `json:"server"`
	Users    sourceCounts `json:"users"`
	Groups   sourceCounts `json:"groups"`
	Skipped  []entry      `json:"skipped"` // the first of them
	// Missing are users whose grace isn't over; absent where a service made the pass. NewlyMissing are those that this pass found missing.
	Missing      *int          `json:"missing,omitempty"`
	NewlyMissing int           `json:"newly_missing"`
	Held         holds         `json:"held"`    // all that waits for a person
	Decided      []decidedView `json:"decided"` // what was done about decisions
	Forgot       []forgotView  `json:"forgot"`  // what was done about people to be erased
	Seconds      float64       `json:"seconds"`
}

type sourceCounts struct {
	Read      uint64 `json:"read"`
	Added     uint64 `json:"added"`
	Changed   uint64 `json:"changed"`
	Unchanged uint64 `json:"unchanged"`
	Removed   uint64 `json:"removed"`
	Skipped   uint64 `json:"skipped"`
	Held      uint64 `json:"held"`
}

// entry is one that a person should look at.
type entry struct {
	Kind   proto.Kind `json:"kind,omitempty"`
	ID     string     `json:"id,omitempty"`
	DN     string     `json:"dn"`
	Reason string     `json:"reason"`
}

type targetResult struct {
	Name      string         `json:"name"`
	Failed    string         `json:"failed,omitempty"` // why not everything is applied; the next run goes on from there
	Users     targetCounts   `json:"users"`
	Groups    targetCounts   `json:"groups"`
	Joined    int            `json:"memberships_added"`
	Left      int            `json:"memberships_taken"`
	Callbacks callbackCounts `json:"callbacks"`
	Adopted   []string       `json:"adopted"`  // names
	Skipped   []entry        `json:"skipped"`  // dead letters, all there are now
	Parked    []entry        `json:"parked"`   // entries whose name another row holds, likewise
	Retrying  []entry        `json:"retrying"` // accounts that a callback failed for, likewise
	Held      holds          `json:"held"`     // accounts that a target holds by itself, likewise
	Notes     []string       `json:"notes"`

	hasCallbacks bool
}

type targetCounts struct {
	Created     int `json:"created"`
	Adopted     int `json:"adopted"`
	Relinked    int `json:"relinked"`
	Updated     int `json:"updated"`
	Unchanged   int `json:"unchanged"` // of those that the directory has
	Renamed     int `json:"renamed"`
	Activated   int `json:"activated"`
	Deactivated int `json:"deactivated"` // by the active flag
	Missing     int `json:"missing"`     // became missing: their grace has begun
	Removed     int `json:"removed"`
}

type callbackCounts struct {
	Deactivated int `json:"deactivated"`
	Inactive    int `json:"inactive_already"`
	Deleted     int `json:"deleted"`
	Refused     int `json:"refused"`
}

func newResult() *result {
	return &result{Sources: []*sourceResult{}, Targets: []*targetResult{}, begun: time.Now()}
}

// target returns the result of a target, begun if need be.
func (r *result) target(name string) *targetResult {
	for _, t := range r.Targets {
		if t.Name == name {
			return t
		}
	}
	t := &targetResult{Name: name, Adopted: []string{}, Skipped: []entry{}, Parked: []entry{}, Retrying: []entry{}, Held: holds{}, Notes: []string{}}
	r.Targets = append(r.Targets, t)
	return t
}

// passed notes what a pass did.
func (r *result) passed(source string, s *extractor.Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &sourceResult{
		Name: source, Snapshot: s.Snapshot, Full: s.Full, Server: s.Server,
		Users: sourceCounts(s.Users), Groups: sourceCounts(s.Groups),
		Skipped: []entry{}, Held: holds{}, Decided: []decidedView{}, Forgot: []forgotView{}, NewlyMissing: s.NewlyMissing, Seconds: s.Elapsed.Seconds(),
	}
	if s.Missing >= 0 {
		n.Missing = &s.Missing
	}
	for _, skip := range s.Skipped {
		n.Skipped = append(n.Skipped, entry{Kind: skip.Kind, DN: skip.DN, Reason: skip.Reason})
	}
	for _, h := range s.Held {
		n.Held = append(n.Held, newHoldView(source, h))
	}
	for _, d := range s.Decided {
		n.Decided = append(n.Decided, newDecidedView(source, d))
	}
	for _, f := range s.Forgot {
		n.Forgot = append(n.Forgot, newForgotView(f))
	}
	r.Sources = append(r.Sources, n)
}

// failed notes that a target isn't where its sources are.
func (r *result) failed(target string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target(target).Failed = oneLine(err.Error())
}

// hasFailed tells whether a target isn't where its sources are.
func (r *result) hasFailed(target string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target(target).Failed != ""
}

// withheld notes why a target's callbacks didn't act.
func (r *result) withheld(target, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	t.hasCallbacks = true
	t.Notes = append(t.Notes, "no callback was run: "+why)
}

// applied adds what was done to a target for one source.
func (r *result) applied(target, source string, s applier.Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	t.Users.add(s.Users)
	t.Groups.add(s.Groups)
	t.Joined += s.Users.Joined
	t.Left += s.Users.Left
	t.Adopted = append(t.Adopted, s.Adopted...)
	t.Notes = append(t.Notes, s.Notes...)
	for _, src := range r.Sources {
		if src.Name == source && t.Failed == "" {
			t.Users.unchanged(src.Users, s.Users)
			t.Groups.unchanged(src.Groups, s.Groups)
		}
	}
}

func (n *targetCounts) add(c applier.Counts) {
	n.Created += c.Created
	n.Adopted += c.Adopted
	n.Relinked += c.Relinked
	n.Updated += c.Updated
	n.Renamed += c.Renamed
	n.Activated += c.Activated
	n.Deactivated += c.Deactivated
	n.Missing += c.Missing
	n.Removed += c.Removed
}

// unchanged are all that the directory has and nothing was done for: a delta doesn't carry them, so that the applier can't count them.
// Those that couldn't be applied are among them until letters takes them out.
func (n *targetCounts) unchanged(read sourceCounts, c applier.Counts) {
	done := c.Created + c.Adopted + c.Relinked + c.Updated
	n.Unchanged += max(0, int(read.Read)-int(read.Skipped)-done)
}

// holding notes what a target holds by itself.
func (r *result) holding(target string, rows []applier.Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	for _, row := range rows {
		t.Held = append(t.Held, newRowView(target, row))
	}
}

// handled notes what the callbacks did.
func (r *result) handled(target string, s *callbacks.Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	t.hasCallbacks = true
	t.Callbacks.Deactivated += s.Deactivated
	t.Callbacks.Inactive += s.Inactive
	t.Callbacks.Deleted += s.Deleted
	t.Callbacks.Refused += s.Refused
}

// letters notes what couldn't be done, now or earlier.
func (r *result) letters(target string, letters []django.Letter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	for _, l := range letters {
		e := entry{Kind: l.Kind, ID: l.ID, DN: l.DN, Reason: l.Reason}
		if l.Stage == django.StageApply && slices.ContainsFunc(r.Sources, func(s *sourceResult) bool { return s.Name == l.Source }) {
			n := &t.Users
			if l.Kind == proto.KindGroup {
				n = &t.Groups
			}
			n.Unchanged = max(0, n.Unchanged-1)
		}
		switch {
		case l.Stage != django.StageApply:
			e.Reason = l.Stage + ": " + e.Reason
			t.Retrying = append(t.Retrying, e)
		case l.Parked:
			t.Parked = append(t.Parked, e)
		default:
			t.Skipped = append(t.Skipped, e)
		}
	}
	byDN := func(a, b entry) int { return cmp.Or(cmp.Compare(a.DN, b.DN), cmp.Compare(a.ID, b.ID)) }
	for _, list := range [][]entry{t.Skipped, t.Parked, t.Retrying} {
		slices.SortFunc(list, byDN)
	}
}

// skipped counts entries that were left out, by a source or a target.
func (r *result) skipped() int {
	n := 0
	for _, s := range r.Sources {
		n += int(s.Users.Skipped + s.Groups.Skipped)
	}
	for _, t := range r.Targets {
		n += len(t.Skipped) + len(t.Parked)
	}
	return n
}

// holds counts what is held and not rejected.
func (r *result) holds() int {
	n := 0
	for _, s := range r.Sources {
		n += len(s.Held.open())
	}
	for _, t := range r.Targets {
		n += len(t.Held.open())
	}
	return n
}

// exit is 4 if something is held that nobody has rejected, or retrying, or with strict skipped.
func (r *result) exit(strict bool) error {
	leftovers := strict && r.skipped() > 0 || r.holds() > 0
	for _, t := range r.Targets {
		leftovers = leftovers || len(t.Retrying) > 0
	}
	if leftovers {
		return exit(codeLeftovers)
	}
	return nil
}
