package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"ldapsync/applier"
	"ldapsync/internal/fault"
)

// Beyond a limit a replay does nothing at all, for none of its sources, before a person has said yes to what it would take: by --approve, at the terminal where
// the plan was just shown, or with "ldapsync held approve".

// printStops says what the limits would stop, and how to do it nevertheless.
func (r *replayer) printStops(w *lines) {
	for _, h := range r.stops {
		for _, reason := range strings.Split(h.Reason, "; ") {
			w.line("  beyond the limits: %s", printable(reason))
		}
		if h.Decision == applier.Rejected {
			w.line("  rejected by %s: %s", printable(h.By), printable(h.Why))
		}
	}
	if len(r.stops) > 0 && !r.approved() {
		w.line("  nothing is done until that is approved: the same command with --approve %s", r.hashes())
	}
}

// hashes are those of what is stopped, for --approve.
func (r *replayer) hashes() string {
	var list []string
	for _, h := range r.stops {
		list = append(list, shortHash(h.Hash))
	}
	return strings.Join(list, ",")
}

// approved tells whether --approve names all that is stopped.
func (r *replayer) approved() bool {
	return !slices.ContainsFunc(r.stops, func(h applier.Held) bool { return !r.names(h) })
}

// names tells whether --approve names what is stopped.
func (r *replayer) names(h applier.Held) bool {
	return slices.ContainsFunc(r.approve, func(hash string) bool {
		hash = strings.ToLower(strings.TrimSpace(hash))
		return len(hash) >= leastHash && strings.HasPrefix(h.Hash, hash)
	})
}

// mayStart ends a replay beyond the limits that nobody has approved: what it would take is written down, and told.
func (r *replayer) mayStart(ctx context.Context) error {
	if len(r.stops) == 0 {
		return nil
	}
	why := "replay --approve"
	if !r.approved() {
		if r.yes || len(r.approve) > 0 || !term.IsTerminal(int(os.Stdin.Fd())) {
			return r.holdAll(ctx)
		}
		if err := ask(os.Stdin, r.stderr, "That is beyond the limits. Do it nevertheless?"); err != nil {
			return err
		}
		why, r.yes = "yes to the plan of replay", true
	}
	for _, h := range r.stops {
		r.approvals = append(r.approvals, applier.Approval{Hash: h.Hash, By: r.person(), Why: why})
	}
	return nil
}

// holdAll writes down what is stopped, so that it can be shown and approved by somebody else. A database that isn't configured is out of that one's reach.
func (r *replayer) holdAll(ctx context.Context) error {
	if !r.url() {
		for _, h := range r.stops {
			for _, step := range r.steps {
				if step.source.Name != h.Source {
					continue
				}
				if err := step.applier.HoldReplay(ctx, h); err != nil {
					return err
				}
			}
		}
	}
	if r.asJSON {
		if err := writeJSON(r.stdout, replayReport{Plan: &r.plan}); err != nil {
			return err
		}
	}
	return r.stop(r.stops)
}

// stop says in one line which limits are met, and by how much.
func (r *replayer) stop(stops []applier.Held) error {
	r.stops = stops
	doing, reasons := "the release", []string{}
	if !r.release {
		doing = "replaying the snapshot"
	}
	for _, h := range stops {
		reason := h.Reason
		if len(r.target.Sources) > 1 {
			reason = "source " + h.Source + ": " + reason
		}
		if h.Decision == applier.Rejected {
			reason += " (rejected by " + h.By + ": " + h.Why + ")"
		}
		reasons = append(reasons, printable(reason))
	}
	if len(r.approve) > 0 {
		doing = "what --approve names isn't what would be taken now: " + doing
	}
	command := "the same command with --approve " + r.hashes() + " does it"
	hint := "if the plan is right, " + command
	if !r.url() {
		hint = "ldapsync held show " + shortHash(stops[0].Hash) + " names whom it is about; if that is right, " + command + ", or that command once ldapsync held approve was given"
	}
	return stopped{fault.New(fault.Failed, hint, "target %s: %s would take more than the limits allow, and waits: %s", r.target.Name, doing, strings.Join(reasons, "; "))}
}
