package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldapsync/applier"
	"ldapsync/internal/django"
	"ldapsync/proto"
)

// replayPlan is what a replay comes to, as --json prints it.
type replayPlan struct {
	Target    string             `json:"target"`
	Snapshots []replayedSnapshot `json:"snapshots"`
	Changes   []planned          `json:"changes"` // the first of them
	Totals    map[string]int     `json:"totals"`  // by action
	Stopped   holds              `json:"stopped"` // by the limits: nothing is done until this is approved
	Held      holds              `json:"held"`    // what is held already, and stays
	Counted   bool               `json:"counted"` // the database is empty: the entries were counted, and the changes aren't listed
	Rough     bool               `json:"rough"`   // there are so many changes that a few names may come out otherwise
	Note      string             `json:"note"`
}

// replayedSnapshot is the snapshot of one source.
type replayedSnapshot struct {
	Source    string    `json:"source"`
	Snapshot  uint64    `json:"snapshot"`
	Committed time.Time `json:"committed"`
	stateSize
}

// stateSize is how many entries a state has.
type stateSize struct {
	Users  int `json:"users"`
	Groups int `json:"groups"`
}

// plannedMost is how many changes --json lists.
const plannedMost = 1000

// planAll plans every step.
func (r *replayer) planAll(ctx context.Context) error {
	r.plan = replayPlan{Target: r.target.Name, Changes: []planned{}, Totals: map[string]int{}, Stopped: holds{}, Held: holds{}, Note: planNote}
	r.stops = nil
	for _, step := range r.steps {
		r.plan.Snapshots = append(r.plan.Snapshots, replayedSnapshot{step.source.Name, step.snapshot.Number, step.snapshot.Ended, step.state})
		empty, err := r.empty(ctx, step.source.Name)
		if err == nil && empty {
			r.count(step)
		} else if err == nil {
			err = r.planStep(ctx, step)
		}
		if err != nil {
			return fmt.Errorf("target %s: %w", r.target.Name, err)
		}
	}
	return nil
}

// empty tells whether the database has no users, and nothing of a source.
func (r *replayer) empty(ctx context.Context, source string) (empty bool, err error) {
	err = r.store.View(ctx, func(reader applier.Reader) error {
		for _, kind := range []proto.Kind{proto.KindUser, proto.KindGroup} {
			if links, err := reader.LinksAfter(ctx, source, kind, "", 1); err != nil || len(links) > 0 {
				return err
			}
		}
		_, all, err := reader.ListUnlinked(ctx)
		empty = all == 0
		return err
	})
	return empty, err
}

// count plans for an empty database: everything is created.
func (r *replayer) count(step *replayStep) {
	r.plan.Counted = true
	if step.config.Users != nil {
		r.plan.Totals[string(applier.Create)] += step.state.Users
	}
	if step.config.Groups != nil {
		r.plan.Totals[string(applier.Create)] += step.state.Groups
	}
}

func (r *replayer) planStep(ctx context.Context, step *replayStep) error {
	d := &describer{target: r.target, store: r.store, config: step.config, groups: map[string]string{}}
	waiting := map[string]planned{} // parked and skipped, by kind and id: they may get their names in the end
	known, err := r.known(ctx, step)
	if err != nil {
		return err
	}
	each := func(kind proto.Kind, c applier.Change) {
		key := string(kind) + c.ID
		if before, ok := waiting[key]; ok {
			delete(waiting, key)
			r.plan.drop(before)
		}
		if c.Action == applier.Park || c.Action == applier.Skip {
			if reason, is := known[key]; is && reason == c.Reason {
				return
			}
			waiting[key] = planned{Action: string(c.Action), Kind: kind, ID: c.ID}
		}
		r.plan.Totals[string(c.Action)]++
		if len(r.plan.Changes) < plannedMost {
			r.plan.Changes = append(r.plan.Changes, d.describe(ctx, kind, c))
		}
	}
	var done applier.Replayed
	if r.release {
		done, err = step.applier.PreviewRelease(ctx, each)
	} else {
		done, err = step.applier.PreviewReplay(ctx, step.point, each)
	}
	if err != nil {
		return err
	}
	if done.Stopped != nil {
		r.stops = append(r.stops, *done.Stopped)
		r.plan.Stopped = append(r.plan.Stopped, newRowView(r.target.Name, *done.Stopped))
	}
	r.plan.Rough = r.plan.Rough || done.Rough
	if done.Held != nil {
		r.plan.Held = append(r.plan.Held, newRowView(r.target.Name, *done.Held))
	}
	return nil
}

// known returns, by kind and id, why entries couldn't be applied by a replay to this very snapshot that was done before: to say so again is nothing to do.
func (r *replayer) known(ctx context.Context, step *replayStep) (map[string]string, error) {
	ready, err := r.store.Migrated(ctx)
	if err != nil || !ready {
		return nil, err
	}
	cp, err := r.store.Checkpoint(ctx, step.source.Name)
	if err != nil {
		return nil, err
	}
	if number, pinned := cp.Pinned(); !pinned || number != strconv.FormatUint(step.point.Number, 10) || cp.StreamID != step.log.StreamID() {
		return nil, nil
	}
	letters, err := r.store.Letters(ctx, django.LetterFilter{Source: step.source.Name, Stage: django.StageApply}, 0)
	known := make(map[string]string, len(letters))
	for _, l := range letters {
		known[string(l.Kind)+l.ID] = l.Reason
	}
	return known, err
}

// drop takes back a change that a later one supersedes.
func (p *replayPlan) drop(c planned) {
	p.Totals[c.Action]--
	p.Changes = slices.DeleteFunc(p.Changes, func(listed planned) bool {
		return listed.Action == c.Action && listed.Kind == c.Kind && listed.ID == c.ID
	})
}

// printPlan prints the plan, and ends as a dry run does: with exit code 3 if there is something to do, else with 4 if something is held.
func (r *replayer) printPlan() error {
	if r.asJSON {
		if err := writeJSON(r.stdout, r.plan); err != nil {
			return err
		}
	} else if err := r.printPlanLines(); err != nil {
		return err
	}
	switch {
	case r.plan.all() > 0:
		return exit(codeDifference)
	case len(r.plan.Held.open())+len(r.plan.Stopped) > 0:
		return exit(codeLeftovers)
	}
	return nil
}

func (p *replayPlan) all() (n int) {
	for _, count := range p.Totals {
		n += count
	}
	return n
}

func (r *replayer) printPlanLines() error {
	w := &lines{w: r.stdout}
	for i, c := range r.plan.Changes {
		if i == most {
			w.line("… and %d more", r.plan.all()-most)
			break
		}
		w.line("%s", c.String())
	}
	for _, s := range r.plan.Snapshots {
		w.line("source %s: snapshot %d of %s: %s and %s", s.Source, s.Snapshot, localTime(s.Committed), plural(s.Users, "user", "users"), plural(s.Groups, "group", "groups"))
	}
	r.plan.Held.preview(w)
	r.printStops(w)
	doing := "to make it equal"
	if r.release {
		doing = "to bring it to the present"
	}
	w.line("target %s: %s, %s%s", r.target.Name, doing, totals(r.plan.Totals), r.plan.caveat())
	if r.dryRun {
		w.line("nothing was changed")
	}
	return w.err
}

// caveat says how far a plan can be trusted.
func (p *replayPlan) caveat() string {
	switch {
	case p.Counted:
		return " (the database is empty: counted, not listed)"
	case p.Rough:
		return " (so many changes that a few names may come out otherwise)"
	}
	return ""
}

// totals counts changes by action, in words.
func totals(n map[string]int) string {
	var parts []string
	for _, action := range []applier.Action{applier.Create, applier.Adopt, applier.Relink, applier.Update, applier.Miss, applier.Remove, applier.Skip, applier.Park} {
		switch count := n[string(action)]; {
		case count == 0:
		case action == applier.Miss:
			parts = append(parts, fmt.Sprintf("%d missing", count))
		default:
			parts = append(parts, fmt.Sprintf("%d to %s", count, action))
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// replayReport is what a replay did, as --json prints it.
type replayReport struct {
	Plan     *replayPlan   `json:"plan"`
	Done     *targetResult `json:"done"`
	Released bool          `json:"released"`
	Seconds  float64       `json:"seconds"`
}

func (r *replayer) printDone() error {
	took := time.Since(r.result.begun)
	done := r.result.target(r.target.Name)
	if r.asJSON {
		return writeJSON(r.stdout, replayReport{&r.plan, done, r.release, took.Seconds()})
	}
	w := &lines{w: r.stdout}
	done.print(w)
	if r.release {
		w.line("released: it follows the stream again")
	} else {
		w.line("pinned: it stays as it is until ldapsync replay --release --to %s", r.target.Name)
	}
	w.line("time %s", duration(took))
	return w.err
}

// replayed notes what a replay did to a target.
func (r *result) replayed(target, source string, done applier.Replayed) {
	r.applied(target, source, done.Summary)
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.target(target)
	t.Users.Unchanged += done.Users.Unchanged
	t.Groups.Unchanged += done.Groups.Unchanged
}
